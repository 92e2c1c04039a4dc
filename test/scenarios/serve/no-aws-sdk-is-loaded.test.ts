// `serve` loads no AWS module, in the first process and in its workers, for any request.
import { describe, expect, it } from 'vitest';
import { surroundings } from '../../support/serve/installation.ts';
import { ask, invoke, startServing } from '../../support/serve/serving.ts';

/** Prints each package from which a process loads a file, once. */
const hook = `
  import { registerHooks } from 'node:module';
  const told = new Set();
  registerHooks({
    load(url, context, next) {
      const name = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1];
      if (name && !told.has(name)) process.stderr.write('loads ' + name + '\\n');
      told.add(name);
      return next(url, context);
    },
  });`;

describe('the loaded packages', () => {
  it.each(['1', '2'])('include no AWS SDK with --workers %s', async (workers) => {
    const { identities, target } = await surroundings();
    const serving = await startServing(
      { identities, workers },
      { NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(hook)}"` },
    );
    for (let n = 0; n < 4; n++) {
      expect((await invoke(serving.url, target)).status).toBe(200);
      const body = JSON.stringify({ url: target });
      expect((await ask(serving.url, '/v1/identities/platform/diagnoses', { body })).status).toBe(200);
      for (const path of ['/v1/identities/platform/certificate', '/v1/health', '/v1/ready', '/metrics']) {
        expect((await ask(serving.url, path)).status).toBe(200);
      }
      // An unusable identity runs the code of failures, too.
      expect((await invoke(serving.url, target, { identity: 'unknown' })).status).toBe(404);
    }
    serving.child.kill('SIGTERM');
    expect(await serving.ended).toBe(0);
    const loaded = new Set([...serving.errors().matchAll(/^loads (.+)$/gm)].map(([, name]) => name));
    expect(loaded).toContain('prom-client');
    expect([...loaded].filter((name) => /aws|smithy|middy/i.test(name ?? ''))).toEqual([]);
  });
});
