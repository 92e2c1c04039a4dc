// GET /v1/health, by the deployed handler.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { handler } from '../../functions/health.ts';
import { invocationEvent, lambdaContext } from '../support/http/api-events.ts';

const root = join(import.meta.dirname, '../..');

describe('GET /v1/health', () => {
  it('is 200 with a status', async () => {
    const { pathParameters, body, ...event } = invocationEvent('', { routeKey: 'GET /v1/health' });
    expect(await handler(event, lambdaContext())).toEqual({
      statusCode: 200,
      headers: {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'x-request-id': 'JKJaXmPLvHcESHA=',
      },
      body: '{"status":"ok"}',
    });
  });

  it('loads no AWS SDK', () => {
    const script = `
      import { registerHooks } from 'node:module';
      registerHooks({ load(url, context, next) { console.log(url); return next(url, context); } });
      await import('./functions/health.ts');`;
    const child = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(child.status, child.stderr).toBe(0);
    expect(child.stdout).toContain('@middy/core');
    expect(child.stdout).not.toMatch(/aws-sdk|smithy|powertools|node-forge/);
  });
});
