// Names below localhost (RFC 6761, section 6.3): for an API they are loopback without DNS; for Secrets Manager they are
// rejected with http.
import dns from 'node:dns';
import { describe, expect, it, vi } from 'vitest';
import { openly } from '../../../cli/api/access.ts';
import { openOverHttp } from '../../../cli/api/over-http.ts';
import { account, forbiddenListener } from '../../support/cli/customer.ts';
import { runCommand } from '../../support/cli/run-command.ts';

describe('a name below localhost', () => {
  it.each(['local', 'aws'])(
    'is not allowed as endpoint of --source %s over http, because DNS can resolve it to any address',
    async (source) => {
      const { port, seen } = await forbiddenListener();
      const args = ['identity', 'list', '--source', source, '--endpoint', `http://secrets.localhost:${port}`];
      const { code, error } = await runCommand(args, { environment: account });
      expect([code, error]).toEqual([2, `--endpoint must be https, unless it is on loopback.\n`]);
      expect(seen).toEqual([]);
    },
  );

  it('is not resolved with DNS if it is the name of an API', async () => {
    const { port, seen } = await forbiddenListener();
    const lookup = vi.spyOn(dns, 'lookup');
    for (const name of ['api.localhost', 'localhost', 'a.b.localhost.']) {
      const api = openOverHttp(new URL(`http://${name}:${port}`), openly);
      expect((await api.ask({ route: 'health', timeoutMs: 5_000 })).status, name).toBe(400);
    }
    expect([seen.length, lookup.mock.calls]).toEqual([3, []]);
    lookup.mockRestore();
  });
});
