// GET /v1/identities/{identity}/certificate: the public certificates that customers must trust.
import { readSettings } from '../config.ts';
import { openSource } from '../identity/source.ts';
import { openDoor } from '../message/door.ts';
import { recordInternalError } from '../telemetry/events.ts';
import { publishCertificate } from './publish.ts';

const settings = readSettings(process.env);
const source = await openSource(settings);

export const handler = openDoor({ docsUrl: settings.docsUrl, onInternalError: recordInternalError }, (event) =>
  publishCertificate(source, event, Date.now()),
);
