// GET /v1/identities/{identity}/certificate: the public certificates that customers must trust.

import { openSource } from '../core/identity/source.ts';
import { publishCertificate } from '../core/publication/publish.ts';
import { readSettings } from '../core/settings.ts';
import { recordInternalError } from '../core/telemetry/events.ts';
import { openDoor } from './api-gateway/handler.ts';
import { telemetry } from './telemetry.ts';

const settings = readSettings(process.env);
const source = await openSource(settings);

export const handler = openDoor(
  { docsUrl: settings.docsUrl, onInternalError: recordInternalError.bind(undefined, telemetry) },
  (event) => publishCertificate({ telemetry, source }, event, Date.now()),
);
