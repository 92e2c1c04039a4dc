// The real thing: the process is stopped by a signal, the server closes its side, the process goes on.
import { existsSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { destinationAt, startApi } from '../../support/connections/customer-api.ts';
import { newClient } from '../../support/connections/platform.ts';
import { forkPlatform, storeAttemptMs } from '../../support/connections/platform-in-a-process.ts';
import { send, startStore } from '../../support/identity/store-server.ts';
import { createAuthorities, documentOf, type Reply } from '../../support/stage.ts';

const authorities = createAuthorities();

describe.skipIf(!existsSync('/proc/self/stat'))('a process stopped by SIGSTOP (needs Linux)', () => {
  it.each([
    ['end', 'TLSv1.2'],
    ['end', 'TLSv1.3'],
    ['reset', 'TLSv1.3'],
  ] as const)('fails no call when its connections end by %s over %s', async (how, maxVersion) => {
    const api = await startApi(authorities, { maxVersion });
    const document = documentOf(newClient(authorities), [destinationAt(api, authorities)]);
    const platform = await forkPlatform({ document });
    const url = `https://api.acme.example:${api.port}/`;
    const kindOf = async (method: string) => {
      const { body } = await platform.call({ url, method });
      return body.code ?? body.handshake.connection;
    };
    expect(await kindOf('GET')).toBe('new');
    expect(await kindOf('GET')).toBe('reused');
    for (let round = 0; round < 3; round++) {
      await platform.freeze();
      await api.closeConnections(how);
      // The call is there before the process goes on, as an invocation is before its environment thaws.
      const kind = kindOf('GET');
      platform.thaw();
      // Node's server sends no further TLS 1.3 ticket on a resumed connection.
      expect(['new', 'resumed']).toContain(await kind);
    }
    expect(await kindOf('GET')).toBe('reused');
  });

  it('in the middle of a call gets its response when it continues', async () => {
    const api = await startApi(authorities);
    const document = documentOf(newClient(authorities), [destinationAt(api, authorities)]);
    const platform = await forkPlatform({ document });
    const url = `https://api.acme.example:${api.port}/`;
    const frozen = new Promise<void>((resolve) => {
      api.answerWith(async (_request, response) => {
        await platform.freeze();
        response.end('held', resolve);
      });
    });
    const reply = platform.call({ url, method: 'POST' });
    await frozen;
    platform.thaw();
    expect((await reply).body).toMatchObject({ status: 200, body: 'held' });
  });

  it('after each response still loads a new version', async () => {
    const api = await startApi(authorities);
    const destinations = [destinationAt(api, authorities)];
    let version = 'v1';
    const documents: Record<string, string> = {};
    for (const name of ['v1', 'v2', 'v3']) documents[name] = documentOf(newClient(authorities), destinations);
    // Slower than the API, so that a call is over before the read behind it.
    const store = await startStore((response) => {
      const stored = { ARN: 'a', Name: 'platform', VersionId: version, SecretString: documents[version] };
      setTimeout(() => send(response, 200, stored), storeAttemptMs / 2);
    });
    onTestFinished(() => store.close());
    const platform = await forkPlatform({ storeUrl: store.url });
    const url = `https://api.acme.example:${api.port}/`;
    const versionOf = (reply: Reply) => reply.body.handshake?.client.version;
    expect(versionOf(await platform.call({ url }))).toBe('v1');
    for (const [held, next] of [
      ['v1', 'v2'],
      ['v2', 'v3'],
    ] as const) {
      version = next;
      // Past the process's TTL of 1 ms, or this call would find the last read fresh and begin none.
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(versionOf(await platform.call({ url }))).toBe(held);
      await platform.freeze();
      // The real thing again: the timers that would end a read which stood still must be over when the process goes on.
      await new Promise((resolve) => setTimeout(resolve, storeAttemptMs * 4));
      const reply = platform.call({ url });
      platform.thaw();
      expect(versionOf(await reply)).toBe(next);
    }
    expect((await platform.lines()).filter((line) => 'IdentityRefreshFailures' in line)).toEqual([]);
  });
});
