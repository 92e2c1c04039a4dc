// `identity import`, `complete` and `destinations add` connect to each added destination with one host, and set
// requireMutual if the server asks for the client certificate in the handshake.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { MutualCheck } from '../../../cli/identity/mutual-check.ts';
import { readCertificateRequest } from '../../../core/x509/certificate.ts';
import { authorities, expired, type Ground, ground, issue } from '../../support/cli/identity-ground.ts';
import { secretsGround } from '../../support/cli/identity-secrets.ts';
import { mainFile, root } from '../../support/cli/run-command.ts';
import { startNginx } from '../../support/nginx.ts';
import { startOpenssl } from '../../support/openssl.ts';
import { findPeer } from '../../support/peers.ts';
import { freePort } from '../../support/port.ts';
import { serveTcp, serveTls } from '../../support/servers.ts';

const server = authorities.customerRoot.issue({ commonName: 'api', names: ['localhost'], usage: 'server' });
const clientRoots = authorities.platformRoot.certificate;
const reaches = { reaches: true } as const;

/** Options of a destination on loopback, with the roots of its authority. */
function settings(on: Pick<Ground, 'folder'>): string[] {
  return ['--network', 'loopback', '--server-roots', on.folder.write('r.pem', authorities.customerRoot.certificate)];
}

interface Stored {
  readonly host: string;
  readonly port: number;
  readonly requireMutual?: boolean;
}

function mutual({ destinations }: { readonly destinations: readonly Stored[] }): (boolean | undefined)[] {
  return destinations.map(({ requireMutual }) => requireMutual);
}

/** Adds these places to an identity that has none. */
async function added(ports: readonly number[], more: readonly string[] = [], host = 'localhost') {
  const on = ground();
  on.put('acme', issue(), []);
  const places = ports.map((port) => `${host}:${port}`);
  const ran = await on.json(['destinations', 'acme', 'add', ...places, ...settings(on), ...more], reaches);
  const { answer: listed } = await on.json(['destinations', 'acme', 'list']);
  return { ...ran, listed, checks: (ran.answer.mutualChecks ?? []) as readonly MutualCheck[] };
}

describe.skipIf(!findPeer('openssl') || !findPeer('nginx'))('an added destination (needs openssl and nginx)', () => {
  it.each(['-tls1_2', '-tls1_3'])('gets requireMutual if the server asks, with openssl %s', async (version) => {
    const { port } = await startOpenssl(server, { clientRoots, args: [version] });
    const { code, checks, listed } = await added([port]);
    expect([code, mutual(listed)]).toEqual([0, [true]]);
    expect(checks).toEqual([
      {
        host: 'localhost',
        port,
        asked: true,
        requireMutual: true,
        detail: 'Asks for a client certificate. requireMutual is set.',
      },
    ]);
  });

  it('gets requireMutual if the server asks and refuses this certificate', async () => {
    const { port } = await startOpenssl(server, { clientRoots: authorities.customerRoot.certificate });
    const { checks, listed } = await added([port]);
    expect(mutual(listed)).toEqual([true]);
    expect(checks[0]?.detail).toBe(
      'Asks for a client certificate, and refuses this one (countersign diagnose says why). requireMutual is set.',
    );
  });

  it('gets requireMutual if the certificate is optional', async () => {
    const directives = 'ssl_client_certificate server.pem; ssl_verify_client optional;';
    const { port } = await startNginx(server, { directives });
    expect(mutual((await added([port])).listed)).toEqual([true]);
  });

  it('keeps requireMutual off if the server does not ask in the handshake', async () => {
    const { port } = await startNginx(server);
    const { code, checks, listed } = await added([port]);
    expect([code, mutual(listed)]).toEqual([0, [undefined]]);
    expect(checks).toMatchObject([{ asked: false, detail: expect.stringMatching(/^Does not ask .* is not set\.$/) }]);
  });

  it('keeps requireMutual off if the server accepts no signature of this key', async () => {
    const { port } = await startOpenssl(server, { clientRoots, args: ['-client_sigalgs', 'rsa_pss_rsae_sha256'] });
    const { checks, listed } = await added([port]);
    expect([checks[0]?.asked, mutual(listed)]).toEqual([true, [undefined]]);
  });

  it('keeps requireMutual off if the server is not trusted', async () => {
    const { port } = await startOpenssl(server, { clientRoots });
    const other = ground();
    const { code, checks, listed } = await added([port], ['--server-roots', other.folder.write('o.pem', clientRoots)]);
    expect([code, mutual(listed)]).toEqual([0, [undefined]]);
    expect(checks[0]).not.toHaveProperty('asked');
    expect(checks[0]?.detail).toMatch(/^Not checked\. The certificate of the API server is refused: /);
  });

  it('is checked for each of several, and in Secrets Manager too', async () => {
    const asks = await startOpenssl(server, { clientRoots });
    const silent = await startNginx(server);
    const on = await secretsGround();
    const places = [asks, silent].flatMap(({ port }) => ['--destination', `localhost:${port}`]);
    const words = ['import', 'acme', on.pem('1.pem', issue()), ...places, '--destination', '*.bank.example'];
    const dry = await on.json([...words, ...settings(on), '--dry-run'], reaches);
    expect([dry.code, mutual(dry.answer)]).toEqual([0, [true, undefined, undefined]]);
    const made = await on.json([...words, ...settings(on)], reaches);
    expect([made.code, made.answer.mutualChecks]).toMatchObject([0, [{ asked: true }, { asked: false }]]);
    expect(mutual((await on.document('acme')) as never)).toEqual([true, undefined, undefined]);
    // One line for each, under the destinations.
    const text = await on.identity([...words, ...settings(on), '--replace'], reaches);
    expect(text.out).toContain(`localhost:${asks.port}, `);
    expect(text.out).toMatch(
      new RegExp(
        `\\n✓ localhost:${asks.port}: Asks .*\\n! localhost:${silent.port}: Does not ask .*\\n✓ tested by handshakes`,
      ),
    );
  });

  it('is checked when a first certificate completes an identity', async () => {
    const { port } = await startOpenssl(server, { clientRoots });
    const on = ground();
    const { out } = await on.identity(['csr', 'acme', '--subject', 'CN=acme']);
    const asked = readCertificateRequest(out);
    if (!asked) throw new Error('The request cannot be read.');
    const { certificate, intermediates, root: top } = authorities.platformIssuer.certify({ ...asked, usage: 'client' });
    const signed = on.folder.write('signed.pem', certificate + intermediates + top);
    const words = ['complete', 'acme', '--certificate', signed, '--destination', `localhost:${port}`];
    const { code, answer } = await on.json([...words, ...settings(on)], reaches);
    expect([code, answer.mutualChecks]).toMatchObject([0, [{ asked: true }]]);
    expect(mutual((await on.json(['destinations', 'acme'])).answer)).toEqual([true]);
  });
});

describe('no connection is made', () => {
  it('with --no-reach, for a wildcard, for `set`, and where the user has decided', async () => {
    const customer = await serveTls(server, () => {});
    const place = `localhost:${customer.port}`;
    const on = ground();
    on.put('acme', issue(), []);
    const change = (...words: string[]) => on.json(['destinations', 'acme', ...words], reaches);
    const { answer: unreached } = await change('add', place, ...settings(on), '--no-reach');
    expect([mutual(unreached), unreached.mutualChecks]).toEqual([[undefined], undefined]);
    expect(mutual((await change('set', place, ...settings(on))).answer)).toEqual([undefined]);
    await change('remove', place);
    expect(mutual((await change('add', '*.localhost', ...settings(on))).answer)).toEqual([undefined]);
    const file = on.folder.write(
      'destinations.json',
      JSON.stringify([{ host: 'localhost', port: customer.port, network: 'loopback', requireMutual: false }]),
    );
    const imported = await on.json(['import', 'b', on.pem('b.pem', issue()), '--destinations', file], reaches);
    expect(mutual(imported.answer)).toEqual([false]);
    expect((await change('add', place, ...settings(on), '--require-mutual')).answer).not.toHaveProperty('mutualChecks');
    expect(customer.connections).toBe(0);
  });
});

describe('a change is stored', () => {
  it.each([
    ['if the server cannot be reached', [], /^Not checked\. Nothing accepts connections on port/],
    ['if the address is not allowed', ['--network', 'public'], /^Not checked\. .*(?:loopback|address)/],
  ])('%s', async (_title, more, detail) => {
    const { code, checks, listed } = await added([await freePort()], more);
    expect([code, mutual(listed)]).toEqual([0, [undefined]]);
    expect(checks[0]?.detail).toMatch(detail);
  });

  it('for an identity that cannot be presented', async () => {
    const on = ground();
    on.put('acme', expired(), []);
    const { code, answer } = await on.json(['destinations', 'acme', 'add', 'localhost:8443'], reaches);
    expect([code, answer.mutualChecks[0].detail]).toEqual([0, expect.stringMatching(/^Not checked\. .* expired/)]);
  });

  it('not after Ctrl-C during the check, which ends the command at once', async () => {
    const on = ground();
    on.put('acme', issue(), []);
    const words = ['destinations', 'acme', 'add'];
    const silent = await serveTcp(() => child.kill('SIGINT'));
    const child = spawn(
      process.execPath,
      [mainFile, 'identity', ...words, `localhost:${silent.port}`, ...settings(on), '--source', on.source],
      { cwd: root, stdio: 'ignore' },
    );
    expect((await once(child, 'close'))[0]).toBe(130);
    expect((await on.json(['destinations', 'acme', 'list'])).answer.destinations).toEqual([]);
  });
});
