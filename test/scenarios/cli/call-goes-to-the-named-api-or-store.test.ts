// `invoke` and `diagnose` in this process, with the store of the local cloud or of AWS, and through `countersign serve`
// with a token or a certificate.
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { CreateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { customerRoot, directoryFor, listen, listening, platformIssuer } from '../../support/cli/customer.ts';
import { mainFile, runCommand } from '../../support/cli/run-command.ts';
import { startServer } from '../../support/local-secrets-manager/local-server.ts';
import { privateFolder } from '../../support/program.ts';
import { callersAuthority, newServerCertificate, newToken, serverAuthority } from '../../support/serve/installation.ts';
import { startServing } from '../../support/serve/serving.ts';
import { serveTcp } from '../../support/servers.ts';
import { documentOf } from '../../support/stage.ts';

const customer = () => listen(({ url }, response) => response.end(`answer to ${url}`));
const realCredentials = { AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE', AWS_SECRET_ACCESS_KEY: 'example/secret/word' };

describe('a call in this process', () => {
  it('with a directory, named by an option or by the environment', async () => {
    const { port } = await customer();
    const source = `directory:${directoryFor(port)}`;
    const url = `https://localhost:${port}/a`;
    const named = await runCommand(['invoke', url, '--source', source]);
    expect([named.code, named.out, named.error]).toEqual([0, 'answer to /a', '']);
    const environment = { COUNTERSIGN_IDENTITY_SOURCE: source };
    expect(await runCommand(['invoke', url], { environment })).toMatchObject({ code: 0, out: 'answer to /a' });
    // Who is named counts, not what the environment has.
    const asked = await runCommand(['invoke', url, '--api', 'http://127.0.0.1:1'], { environment });
    expect([asked.code, asked.out]).toEqual([3, '']);
  });

  it('with the local Secrets Manager, and with AWS if it is named', async () => {
    const { port } = await customer();
    const { server, client } = await startServer();
    const issued = platformIssuer.issue({ commonName: 'platform', usage: 'client' });
    const destination = { host: 'localhost', port, network: 'loopback', serverRoots: customerRoot.certificate };
    const SecretString = documentOf(issued, [destination]);
    await client.send(new CreateSecretCommand({ Name: 'elsewhere/platform', SecretString }));
    const url = `https://localhost:${port}/b`;
    const there = ['--endpoint', server.url, '--prefix', 'elsewhere/'];
    for (const source of [['local'], ['aws', '--region', 'eu-central-1']]) {
      const args = ['invoke', url, '--source', ...source, ...there];
      const ran = await runCommand(args, { environment: realCredentials });
      expect([ran.code, ran.out, ran.error], source.join(' ')).toEqual([0, 'answer to /b', '']);
    }
    const ran = await runCommand(['diagnose', url, '--source', 'local', ...there, '--json']);
    expect([ran.code, JSON.parse(ran.out).verdict]).toEqual([0, 'access-granted']);
  });

  it('sends the credentials of an account only to AWS', async () => {
    const seen: string[] = [];
    const recorder = createServer((request, response) => {
      seen.push(request.headers.authorization ?? '');
      response.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' });
      response.end('{"__type":"ResourceNotFoundException"}');
    });
    const endpoint = `http://127.0.0.1:${await listening(recorder)}`;
    const environment = { ...realCredentials, AWS_SESSION_TOKEN: 'token', AWS_REGION: 'eu-west-1' };
    for (const source of ['local', 'aws']) {
      const args = ['invoke', 'https://a.example', '--source', source, '--endpoint', endpoint];
      const { code, error } = await runCommand(args, { environment });
      expect([code, error]).toEqual([1, expect.stringContaining('(identity-not-found)')]);
    }
    expect(seen.map((header) => /Credential=([^/]+)\/\d+\/([^/]+)/.exec(header)?.slice(1))).toEqual([
      ['local', 'us-east-1'],
      [realCredentials.AWS_ACCESS_KEY_ID, 'eu-west-1'],
    ]);
  });
});

describe('a store that does not respond', () => {
  it.each([
    [
      ['local', '--endpoint', 'http://127.0.0.1:1'],
      {},
      3,
      /^There is no local cloud at http:\/\/127\.0\.0\.1:1\.\nRun npm start/m,
    ],
    [['aws'], realCredentials, 3, /^Give --region, or set AWS_REGION\.$/m],
    [
      ['aws', '--region', 'eu-west-1', '--endpoint', 'http://127.0.0.1:1'],
      realCredentials,
      3,
      /^Nothing listens at that address\. Check --endpoint, /m,
    ],
    [['directory:/no/such/folder'], {}, 2, /^There is no directory \/no\/such\/folder\.$/m],
  ])('is reported with a hint for the command line: %j', async (source, more, code, sentence) => {
    const nowhere = { AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' };
    const args = ['https://a.example', '--source', ...source];
    const ran = await runCommand(['invoke', ...args], { environment: { ...nowhere, ...more } });
    expect([ran.code, ran.out, ran.error]).toEqual([code, '', expect.stringMatching(sentence)]);
  });
});

describe('a call through countersign serve', () => {
  it('succeeds with a token, and fails without one or for another identity', async () => {
    const { port } = await customer();
    const { token, tokenSha256 } = newToken();
    const files = privateFolder();
    const callers = JSON.stringify([{ name: 'bot', tokenSha256, identities: ['platform'] }]);
    const { url: api } = await startServing({
      identities: directoryFor(port),
      workers: '1',
      callers: files.write('callers.json', callers),
    });
    const [right, wrong] = [files.write('right', `${token}\n`), files.write('wrong', newToken().token)];
    const ask = (verb: string, ...args: string[]) =>
      runCommand([verb, `https://localhost:${port}/c`, '--api', api, ...args]);
    expect(await ask('invoke', '--token-file', right)).toMatchObject({ code: 0, out: 'answer to /c', error: '' });
    expect(await ask('diagnose', '--token-file', right)).toMatchObject({ code: 0, error: '' });
    for (const args of [[], ['--token-file', wrong]]) {
      const ran = await ask('invoke', ...args);
      expect([ran.code, ran.out, ran.error]).toEqual([1, '', expect.stringContaining('(not-authenticated)')]);
      // There is no diagnosis, and so nothing that it found.
      expect((await ask('diagnose', ...args)).code).toBe(3);
    }
    const other = await ask('invoke', '--token-file', right, '--identity', 'acme', '--json');
    expect([other.code, JSON.parse(other.out).error]).toEqual([
      1,
      expect.objectContaining({ code: 'caller-forbidden' }),
    ]);
  });

  it('succeeds over TLS with a client certificate', async () => {
    const { port } = await customer();
    const files = privateFolder();
    const server = newServerCertificate();
    const caller = callersAuthority.issue({ commonName: 'bot', usage: 'client' });
    const { url } = await startServing({
      identities: directoryFor(port),
      workers: '1',
      tlsCert: files.write('server.pem', server.certificate),
      tlsKey: files.write('server.key', server.privateKey),
      clientCa: files.write('callers.pem', callersAuthority.certificate),
      callers: files.write('callers.json', JSON.stringify([{ name: 'bot', commonName: 'bot', identities: '*' }])),
    });
    const api = ['--api', url, '--cacert', files.write('ca.pem', serverAuthority.certificate)];
    const shown = [
      '--cert',
      files.write('bot.pem', caller.certificate),
      '--key',
      files.write('bot.key', caller.privateKey),
    ];
    const target = `https://localhost:${port}/d`;
    const known = await runCommand(['invoke', target, ...api, ...shown, '-d', 'x']);
    expect([known.code, known.out, known.error]).toEqual([0, 'answer to /d', '']);
    expect(await runCommand(['doctor', ...api, ...shown])).toMatchObject({ code: 0 });
    const stranger = customerRoot.issue({ commonName: 'bot', usage: 'client' });
    const others = [
      '--cert',
      files.write('s.pem', stranger.certificate),
      '--key',
      files.write('s.key', stranger.privateKey),
    ];
    expect((await runCommand(['invoke', target, ...api, ...others])).code).not.toBe(0);
  });
});

describe('a call without a response', () => {
  it('ends with 1 for a final failure, with 3 for a retryable one', async () => {
    const closed = await serveTcp((socket) => socket.destroy());
    const slow = await listen(() => {});
    const strict = await listen(() => {}, { rejectUnauthorized: true, ca: customerRoot.certificate });
    const source = ['--source', `directory:${directoryFor(1, closed.port, slow.port, strict.port)}`];
    const cells = [
      [['https://localhost:2'], 1, 'destination-forbidden'],
      [['http://localhost:2'], 1, 'destination-forbidden'],
      [['https://localhost:1', '--identity', 'absent'], 1, 'identity-not-found'],
      [['https://localhost:1', '-X', 'TRACE'], 2, 'invalid-request'],
      [['https://localhost:1', '-H', 'host: other'], 2, 'invalid-request'],
      [['https://localhost:1'], 3, 'connection-refused'],
      [[`https://localhost:${slow.port}`, '-m', '0.5'], 3, /\((connection|handshake|response)-timeout/],
      [[`https://localhost:${strict.port}`], 1, 'client-certificate-rejected'],
    ] as const;
    for (const [args, code, problem] of cells) {
      const ran = await runCommand(['invoke', ...args, ...source]);
      const said = typeof problem === 'string' ? new RegExp(`\\(${problem}`) : problem;
      expect([ran.code, ran.out, ran.error], args.join(' ')).toEqual([code, '', expect.stringMatching(said)]);
    }
  });

  it('can have advice beside the response, which -s leaves out', async () => {
    const page =
      '<html><head><title>400 No required SSL certificate was sent</title></head><body><center><h1>400 Bad Request</h1></center><center>No required SSL certificate was sent</center><hr><center>nginx</center></body></html>';
    const { port } = await listen((_request, response) => response.writeHead(400, { server: 'nginx' }).end(page));
    const args = ['invoke', `https://localhost:${port}`, '--source', `directory:${directoryFor(port)}`];
    const told = await runCommand(args);
    expect([told.code, told.out, told.error]).toEqual([0, page, expect.stringMatching(/^warning: .+\n$/)]);
    expect(await runCommand([...args, '-s'])).toMatchObject({ code: 0, out: page, error: '' });
  });
});

/** Of util-linux: what it runs has a terminal. */
const hasScript = spawnSync('script', ['--version'], { stdio: 'ignore' }).status === 0;

describe.skipIf(!hasScript)('on a terminal (needs script)', () => {
  it('a binary response is not shown, except with -o -', async () => {
    const { port } = await listen(({ url }, response) =>
      response.end(url === '/text' ? 'grüße\n' : '\u001b]0;title\u0007'),
    );
    const source = `directory:${directoryFor(port)}`;
    const show = (path: string, more = '') =>
      runCommand(
        [
          '-qec',
          `'${process.execPath}' '${mainFile}' invoke https://localhost:${port}${path} --source '${source}' ${more}`,
          '/dev/null',
        ],
        { program: 'script', environment: { TERM: 'xterm' } },
      );
    expect(await show('/text')).toMatchObject({ code: 0, out: 'grüße\r\n' });
    const refused = await show('/title');
    expect([refused.code, refused.out]).toEqual([1, expect.stringContaining('could disturb your terminal')]);
    expect(refused.out).not.toContain('\u001b]0');
    expect((await show('/title', '-o -')).out).toContain('\u001b]0;title\u0007');
  });
});
