// GET /v1/health: the function starts and answers. It reads no identity and calls no customer's API.
import { jsonResponse } from '../core/api.ts';
import { readSettings } from '../core/settings.ts';
import { apiHandler } from './api-gateway/handler.ts';

const healthy = jsonResponse(JSON.stringify({ status: 'ok' }));

export const handler = apiHandler(readSettings(process.env), async () => healthy);
