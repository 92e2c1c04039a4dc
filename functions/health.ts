// GET /v1/health: the function starts and answers; it touches neither the identity store nor any customer's API.
import { readSettings } from '../core/settings.ts';
import { openDoor } from './api-gateway/handler.ts';

const body = JSON.stringify({ status: 'ok' });

export const handler = openDoor(readSettings(process.env), async () => ({
  statusCode: 200,
  headers: { 'content-type': 'application/json' },
  body,
}));
