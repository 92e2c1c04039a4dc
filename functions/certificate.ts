// GET /v1/identities/{identity}/certificate: the public certificates that customers must trust.
import { openSource } from '../core/identity/open-source.ts';
import { certificateRoute } from '../core/publication/publish.ts';
import { readSettings } from '../core/settings.ts';
import { recordInternalError } from '../core/telemetry/events.ts';
import { apiHandler } from './api-gateway/handler.ts';
import { telemetry } from './telemetry.ts';

const settings = readSettings(process.env);
const source = await openSource(settings);

export const handler = apiHandler(
  { docsUrl: settings.docsUrl, onInternalError: recordInternalError.bind(undefined, telemetry) },
  certificateRoute({ telemetry, source }),
);
