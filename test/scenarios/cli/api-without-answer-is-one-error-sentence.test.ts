// An `--api` that is not Countersign, is unreachable, untrusted, or rejects the caller: one sentence without sent
// data, and the right exit code.
import { createServer, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { describe, expect, it } from 'vitest';
import type { CertificateRequest } from '../../../local/authority/authority.ts';
import { customerRoot, listen, listening } from '../../support/cli/customer.ts';
import { runCommand } from '../../support/cli/run-command.ts';
import { privateFolder } from '../../support/program.ts';
import { serveTcp } from '../../support/servers.ts';
import { createAuthorities } from '../../support/stage.ts';

const token = 'a-token-that-nobody-may-see-0123456789';
const strangers = createAuthorities().customerRoot;

/** A running server: its URL, and further options that lead to it. */
type There = () => Promise<readonly [url: string, ...args: string[]]>;

function http(answer: (response: ServerResponse) => void): There {
  return async () => [`http://127.0.0.1:${await listening(createServer((_request, response) => answer(response)))}`];
}

function status(code: number, body = '<h1>Hello</h1>', headers: Record<string, string> = {}): There {
  return http((response) => response.writeHead(code, { 'content-type': 'text/html', ...headers }).end(body));
}

function tcp(onConnection: (socket: Socket) => void): There {
  return async () => [`http://127.0.0.1:${(await serveTcp(onConnection)).port}`];
}

function https(request: Partial<CertificateRequest> = {}, options: TlsOptions = {}, authority = customerRoot): There {
  return async () => {
    const named = { commonName: 'api', names: ['localhost'], usage: 'server', ...request } as const;
    const { certificate, privateKey } = authority.issue(named);
    const { port } = await listen((_request, response) => response.end('{}'), {
      cert: certificate,
      key: privateKey,
      requestCert: false,
      ...options,
    });
    return [`https://localhost:${port}`, '--cacert', privateFolder().write('ca.pem', customerRoot.certificate)];
  };
}

async function noListener(): Promise<readonly [string]> {
  const server = createTcpServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return [`http://127.0.0.1:${port}`];
}

const past = { notBefore: new Date('2020-01-01'), notAfter: new Date('2021-01-01') };
const quoting =
  '{"message":"The request signature … Canonical String: authorization: Bearer a-token-that-nobody-may-see"}';

/** Who is there, what `invoke` ends with, and what is said behind "The API at …". */
const cells: readonly (readonly [string, There, number, string | RegExp])[] = [
  ['no listener', noListener, 3, 'gives no response (ECONNREFUSED). Nothing listens at that address.'],
  [
    'a page',
    status(200),
    3,
    'responds with HTTP 200 and not with a response of Countersign. Another service may use that address.',
  ],
  ['other JSON', status(200, '{"ok":true}'), 3, /^responds with HTTP 200 and not .+ Another service/],
  ['half an answer', status(200, '{"status":200,"headers":{}'), 3, /^responds with HTTP 200 and not/],
  ['no such route', status(404), 3, /HTTP 404 .+ It has no such route\. Check the path of --api\.$/],
  [
    'a redirect',
    status(302, '', { location: 'https://evil.example/' }),
    3,
    /HTTP 302 .+ Name the API itself with --api\.$/,
  ],
  ['a failure', status(500), 3, 'responds with HTTP 500 and not with a response of Countersign.'],
  ['a busy one', status(429, '{"message":"Too Many Requests"}'), 3, /HTTP 429 .+ Try again shortly\.$/],
  ['one that is not ready', status(503), 3, /HTTP 503 .+ Try again shortly\.$/],
  ['one that does not know the caller', status(401), 1, /HTTP 401 .+ It does not know the caller\.$/],
  [
    'one that rejects every caller',
    status(403, quoting),
    1,
    /HTTP 403 .+ Check the credentials, their region and their permissions/,
  ],
  ['what takes no large request', status(413), 1, /HTTP 413 .+ The request is too large\.$/],
  [
    'no HTTP',
    tcp((socket) => socket.end('220 mail.example ESMTP\r\n')),
    3,
    /^gives no response \(HPE_\w+\)\. It is not an HTTP server\.$/,
  ],
  ['a closed door', tcp((socket) => socket.destroy()), 3, /^gives no response \((ECONNRESET|EPIPE)\)\./],
  [
    'an answer without end',
    http((response) => flood(response)),
    3,
    'gives no response (too-large). The response is too large.',
  ],
  ['an answer that breaks off', http((response) => breakOff(response)), 3, 'gives no response (ECONNRESET).'],
  [
    'an unknown authority',
    https({}, {}, strangers),
    3,
    /^gives no response \(\w+\)\. Its certificate was not issued by an authority in the file of --cacert\.$/,
  ],
  [
    'an authority that Node does not know',
    async () => [(await https()())[0]],
    3,
    /^gives no response \(\w+\)\. .+ authority\. Name the authority with --cacert\.$/,
  ],
  [
    'an expired certificate',
    https(past),
    3,
    /^gives no response \(CERT_HAS_EXPIRED\)\. Its certificate has expired, or the clock/,
  ],
  [
    'another name',
    https({ names: ['other.example'] }),
    3,
    /^gives no response \(ERR_TLS_CERT_ALTNAME_INVALID\)\. Its certificate is for/,
  ],
  [
    'a demand for a certificate',
    https({}, { requestCert: true, rejectUnauthorized: true, ca: strangers.certificate, maxVersion: 'TLSv1.2' }),
    3,
    /^gives no response \(the alert \w+\)\. It may require a client certificate: --cert and --key\.$/,
  ],
  [
    'http where https is asked for',
    async () => [(await status(200)())[0].replace('http:', 'https:')],
    3,
    /It may expect http, not https\.$/,
  ],
  [
    'https where http is asked for',
    async () => [(await https()())[0].replace('https:', 'http:')],
    3,
    'gives no response (ECONNRESET). It may expect https, not http.',
  ],
  [
    'an alert of TLS where http is asked for',
    tcp((socket) => socket.once('data', () => socket.end(Buffer.from('15030300020228', 'hex')))),
    3,
    'gives no response (HPE_INVALID_CONSTANT). It may expect https, not http.',
  ],
  [
    'nginx, which speaks https there',
    status(400, '<center>The plain HTTP request was sent to HTTPS port</center>'),
    3,
    'responds with HTTP 400 and not with a response of Countersign. It expects https, not http.',
  ],
];

function flood(response: ServerResponse): void {
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  const more = () => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', more);
  };
  response.on('error', () => {});
  more();
}

function breakOff(response: ServerResponse): void {
  response.writeHead(200, { 'content-length': '1000' }).write('{');
  setImmediate(() => response.destroy());
}

describe('an API that does not respond', () => {
  it.each(cells)('%s', async (_who, there, code, sentence) => {
    const [api, ...args] = await there();
    const file = privateFolder().write('token', token);
    const run = (verb: string, ...more: string[]) =>
      runCommand([verb, 'https://api.acme.example', '--api', api, '--token-file', file, ...args, ...more]);
    const [ran, diagnosis] = await Promise.all([run('invoke'), run('diagnose', '--json')]);
    const lines = ran.error.trimEnd().split('\n');
    expect([ran.code, ran.out, lines.length]).toEqual([code, '', 1]);
    const place = `The API at ${api} `;
    expect(lines[0]?.slice(0, place.length)).toBe(place);
    if (typeof sentence === 'string') expect(lines[0]?.slice(place.length)).toBe(sentence);
    else expect(lines[0]?.slice(place.length)).toMatch(sentence);
    // A diagnosis has 1 for what it found; here it found nothing.
    expect(diagnosis.code).toBe(3);
    expect(JSON.parse(diagnosis.out)).toEqual({ error: { code: expect.stringMatching(/^api-/), detail: lines[0] } });
    expect(`${ran.error}${diagnosis.error}${diagnosis.out}`).not.toContain('a-token-that-nobody-may-see');
  });

  it('ends at the timeout', async () => {
    const { port } = await serveTcp(() => {});
    const api = `http://127.0.0.1:${port}`;
    const { code, out, error } = await runCommand(['diagnose', 'https://a.example', '--api', api, '--timeout', '1']);
    expect([code, out, error]).toEqual([3, '', `The API at ${api} gives no response in time.\n`]);
  });

  it('has its text escaped for the terminal', async () => {
    const problem = { code: 'x\u001b[2J', title: 'a\nb', detail: 'c\u202ed', hint: 'e\rf' };
    const server = createServer((_request, response) => response.writeHead(403).end(JSON.stringify(problem)));
    const api = `http://127.0.0.1:${await listening(server)}`;
    const { code, error } = await runCommand(['invoke', 'https://a.example', '--api', api]);
    expect([code, error]).toEqual([1, 'a\\u000ab (x\\u001b[2J)\nc\\u202ed\ne\\u000df\n']);
  });
});

describe('credentials are read before a request is sent', () => {
  const folder = () => {
    const { path, write } = privateFolder();
    const { certificate, privateKey } = customerRoot.issue({ commonName: 'caller', usage: 'client' });
    const other = customerRoot.issue({ commonName: 'other', usage: 'client' });
    write('cert.pem', certificate);
    write('key.pem', privateKey);
    write('other.pem', other.privateKey);
    write('encrypted.pem', '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n');
    write('token', `${token}\n`);
    write('short', 'short');
    write('two', `${token} ${token}`);
    return path;
  };

  it.each([
    [['--token-file', 'nothing'], 'The file of --token-file cannot be read (ENOENT).'],
    [['--token-file', '.'], 'The file of --token-file cannot be read (EISDIR).'],
    [['--token-file', 'short'], 'The file of --token-file must hold one token of 32 to 512 characters'],
    [['--token-file', 'two'], 'The file of --token-file must hold one token'],
    [['--token-file', 'token', '--region', 'eu-central-1'], 'Give --token-file or --region, not both.'],
    [['--cert', 'cert.pem'], 'Give --cert and --key together.'],
    [['--cert', 'cert.pem', '--key', 'other.pem'], 'The files of --cert, --key and --cacert cannot be used together'],
    [['--cert', 'cert.pem', '--key', 'encrypted.pem'], 'The key of --key is encrypted.'],
    [['--cacert', 'key.pem'], 'The file of --cacert contains no PEM certificate.'],
    [['--api', 'http://127.0.0.1:1', '--cacert', 'cert.pem'], '--cert, --key and --cacert need an API with https.'],
    [['--api', 'https://countersign.example'], 'The name countersign.example does not contain an AWS region.'],
  ])('%j', async (args, sentence) => {
    const { connections, port } = await serveTcp(() => {});
    const given = args.includes('--api') ? args : ['--api', `https://localhost:${port}`, ...args];
    const { code, out, error } = await runCommand(['invoke', 'https://a.example', ...given], { cwd: folder() });
    expect([code, out, error]).toEqual([2, '', expect.stringContaining(sentence)]);
    expect(error.trimEnd().split('\n')).toHaveLength(1);
    expect(error).not.toMatch(/a-token|BEGIN/);
    expect(connections).toBe(0);
  });
});
