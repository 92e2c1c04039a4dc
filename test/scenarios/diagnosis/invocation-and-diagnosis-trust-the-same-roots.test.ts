// An invocation and a diagnosis of the same server trust the same roots, those of NODE_EXTRA_CA_CERTS included.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Diagnosis } from '../../../core/diagnosis/diagnosis.ts';
import { runCommand } from '../../support/cli/run-command.ts';
import { privateFolder } from '../../support/program.ts';
import { writeIdentity } from '../../support/serve/serving.ts';
import { serveHttps } from '../../support/servers.ts';
import { createAuthorities } from '../../support/stage.ts';

const { platformIssuer, customerRoot } = createAuthorities();
const server = customerRoot.issue({ commonName: 'api', names: ['localhost'], usage: 'server' });
const client = platformIssuer.issue({ commonName: 'platform', usage: 'client' });

/** No `serverRoots`: the roots of Node are trusted. */
function directoryFor(port: number): string {
  const { path } = privateFolder();
  mkdirSync(join(path, 'store'), { mode: 0o700 });
  writeIdentity(join(path, 'store'), 'platform', client, [{ host: 'localhost', port, network: 'loopback' }]);
  return path;
}

it.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'with NODE_EXTRA_CA_CERTS both report a rejected client certificate over %s',
  async (maxVersion) => {
    // The server trusts its own root alone, so it rejects the certificate of the platform.
    const options = { rejectUnauthorized: true, ca: customerRoot.certificate, maxVersion };
    const { port } = await serveHttps(server, () => {}, options);
    const folder = directoryFor(port);
    const extra = join(folder, 'extra.pem');
    writeFileSync(extra, customerRoot.certificate);
    const source = ['--source', `directory:${join(folder, 'store')}`, '--json'];
    const run = (verb: string, environment = {}) =>
      runCommand([verb, `https://localhost:${port}/`, ...source], { environment });
    const environment = { NODE_EXTRA_CA_CERTS: extra };

    const [invoked, diagnosed] = [await run('invoke', environment), await run('diagnose', environment)];
    expect(JSON.parse(invoked.out)).toMatchObject({ error: { code: 'client-certificate-rejected' } });
    const { verdict, steps, server: seen } = JSON.parse(diagnosed.out) as Diagnosis;
    expect(verdict).toBe('access-refused');
    expect(steps[2]?.findings).toEqual([]);
    expect(seen?.builtChain.map(({ subject }) => subject)).toEqual(['CN=api', 'CN=Customer Root']);

    // Without the extra root, the server is not trusted.
    expect(JSON.parse((await run('diagnose')).out)).toMatchObject({ verdict: 'server-not-trusted' });
  },
);
