// Signatures of `--api`, verified by AWS's description of Signature Version 4, and by botocore.
import { spawnSync } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { regionInName, signedHeaders } from '../../../cli/api/access.ts';
import { customerRoot, listen, type Received } from '../../support/cli/customer.ts';
import { runCommand } from '../../support/cli/run-command.ts';
import { privateFolder } from '../../support/program.ts';

// As AWS's documentation makes them up; they open nothing.
const accessKeyId = 'AKIAIOSFODNN7EXAMPLE';
const secretAccessKey = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const sessionToken = 'IQoJb3JpZ2luX2VjEXAMPLE//token+with/signs==';
const environment = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };

interface Signed {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

interface Claim {
  readonly key: string;
  readonly scope: readonly string[];
  readonly names: readonly string[];
  readonly signature: string;
}

function claimOf({ headers }: Signed): Claim {
  const pattern = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/;
  const [, key = '', scope = '', names = '', signature = ''] = pattern.exec(headers.authorization ?? '') ?? [];
  return { key, scope: scope.split('/'), names: names.split(';'), signature };
}

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest();
/** "UriEncode" of the description: everything but A-Z a-z 0-9 - . _ ~. */
const encoded = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

/** AWS, IAM User Guide, "Create a signed AWS API request", steps 1 to 4; except for S3, paths are encoded twice. */
function signatureOf(signed: Signed): string {
  const { method, url, headers, body } = signed;
  const { names, scope } = claimOf(signed);
  const query = [...url.searchParams].map(([name, value]) => `${encoded(name)}=${encoded(value)}`).sort();
  const canonical = [
    method,
    url.pathname.split('/').map(encoded).join('/'),
    query.join('&'),
    ...names.map((name) => `${name}:${(headers[name] ?? '').trim().replace(/ +/g, ' ')}`),
    '',
    names.join(';'),
    sha256(body),
  ].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope.join('/'), sha256(canonical)].join('\n');
  const key = scope.reduce<string | Buffer>((sofar, part) => hmac(sofar, part), `AWS4${secretAccessKey}`);
  return hmac(key, toSign).toString('hex');
}

function sent({ method, url, headers, body }: Received, origin: string): Signed {
  return { method, url: new URL(url, origin), headers: Object.fromEntries(headers), body };
}

const handshake = {
  protocol: 'TLSv1.3',
  cipher: 'TLS_AES_128_GCM_SHA256',
  connection: 'new',
  server: { subject: 'CN=a', issuer: 'CN=b', validTo: '2030-01-01T00:00:00.000Z' },
  client: { fingerprint256: 'AA', validTo: '2030-01-01T00:00:00.000Z', version: '1', stage: 'AWSCURRENT' },
};
const timings = { identityMs: 0, dnsMs: 0, connectMs: 0, tlsMs: 0, firstByteMs: 0, totalMs: 0 };
const answer = { status: 200, headers: {}, body: 'ok', bodyEncoding: 'utf8', handshake, timings };

/** The request that the command sends to an API with that path, and what it printed. */
async function invokeThere(path: string, args: readonly string[], more: Record<string, string> = environment) {
  const api = await listen((_request, response) => response.end(JSON.stringify(answer)));
  const ca = privateFolder().write('ca.pem', customerRoot.certificate);
  const origin = `https://localhost:${api.port}`;
  const ran = await runCommand(
    ['invoke', 'https://api.acme.example/v1', '--api', origin + path, '--cacert', ca, ...args],
    { environment: more },
  );
  const [first] = api.received;
  return { ran, signed: first && sent(first, origin) };
}

/** Requests of the command itself; those of the signer alone are signed below. */
const calls = [
  { name: 'a call', path: '', args: ['--region', 'eu-central-1'], token: false },
  { name: 'with a session token', path: '', args: ['--region', 'us-gov-west-1'], token: true },
  { name: 'of another identity', path: '', args: ['--region', 'eu-central-1', '--identity', 'x'], token: true },
  { name: 'below a stage', path: '/prod', args: ['--region', 'eu-central-1'], token: false },
  { name: 'below a path that is escaped', path: '/a%20b/c+d', args: ['--region', 'eu-central-1'], token: false },
  { name: 'with a body', path: '', args: ['--region', 'eu-central-1', '-d', 'größer & "so"'], token: true },
];

const requests = [
  {
    method: 'GET',
    url: 'https://abc.execute-api.eu-central-1.amazonaws.com/v1/identities/x/certificate?stage=pending',
  },
  {
    method: 'GET',
    url: 'https://abc.execute-api.eu-central-1.amazonaws.com/v1/identities/x/certificate?stage=previous&a=%20%2B~',
  },
  { method: 'POST', url: 'https://countersign.example:8443/v1/identities/x/invocations', body: '{"url":"https://é"}' },
  { method: 'GET', url: 'https://countersign.example/v1/health' },
];

async function signAll(): Promise<Signed[]> {
  const all = requests.flatMap((request) => [{ ...request }, { ...request, sessionToken }]);
  return await Promise.all(
    all.map(
      async ({ method, url: text, body, sessionToken: token }: (typeof requests)[0] & { sessionToken?: string }) => {
        const url = new URL(text);
        const headers = await signedHeaders(
          { method, url, headers: { accept: 'application/json' }, body },
          {
            region: 'eu-central-1',
            credentials: { accessKeyId, secretAccessKey, ...(token === undefined ? {} : { sessionToken: token }) },
            now: Date.UTC(2026, 10, 29, 12, 30),
          },
        );
        return { method, url, headers, body: Buffer.from(body ?? '') };
      },
    ),
  );
}

describe('a signature of the command', () => {
  it.each(calls)('matches the AWS specification: $name', async ({ path, args, token }) => {
    const more = token ? { ...environment, AWS_SESSION_TOKEN: sessionToken } : environment;
    const { ran, signed } = await invokeThere(path, args, more);
    expect([ran.code, ran.out, ran.error]).toEqual([0, 'ok', '']);
    if (!signed) throw new Error('No request came.');
    const { key, scope, names, signature } = claimOf(signed);
    expect(key).toBe(accessKeyId);
    expect(scope).toEqual([signed.headers['x-amz-date']?.slice(0, 8), args[1], 'execute-api', 'aws4_request']);
    // What is not signed could be changed on the way.
    expect(names).toEqual(expect.arrayContaining(['content-type', 'host', 'x-amz-date']));
    expect(signed.headers['x-amz-security-token']).toBe(token ? sessionToken : undefined);
    expect(names.includes('x-amz-security-token')).toBe(token);
    expect(signed.headers['x-amz-content-sha256']).toBe(sha256(signed.body));
    expect(signature).toBe(signatureOf(signed));
    expect(`${ran.out}${ran.error}`).not.toContain(secretAccessKey);
  });

  it('matches the AWS specification with a query string and a port', async () => {
    for (const signed of await signAll()) {
      expect(signed.headers['x-amz-date']).toBe('20261129T123000Z');
      expect(claimOf(signed).signature, signed.url.href).toBe(signatureOf(signed));
    }
  });

  it('uses the credentials of a profile', async () => {
    const file = privateFolder().write(
      'credentials',
      `[other]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`,
    );
    const profile = { AWS_SHARED_CREDENTIALS_FILE: file, AWS_CONFIG_FILE: '/dev/null', AWS_PROFILE: 'other' };
    const { ran, signed } = await invokeThere('', ['--region', 'eu-central-1'], profile);
    expect([ran.code, ran.error]).toEqual([0, '']);
    expect(signed && claimOf(signed).signature).toBe(signed && signatureOf(signed));
  });

  it('needs --region for a host that is not of AWS, whatever region the environment has', async () => {
    const regions = { AWS_REGION: 'eu-central-1', AWS_DEFAULT_REGION: 'eu-central-1' };
    const args = ['invoke', 'https://api.acme.example', '--api', 'https://countersign.invalid'];
    const { code, out, error } = await runCommand(args, { environment: { ...environment, ...regions } });
    expect([code, out, error]).toEqual([
      2,
      '',
      'The name countersign.invalid does not contain an AWS region. Give --region, --token-file, or --cert and --key.\n',
    ]);
  });

  it.each([
    ['no credentials', {}, 'There are no AWS credentials to sign the request with. Set AWS_ACCESS_KEY_ID and'],
    [
      'one half of them',
      { AWS_ACCESS_KEY_ID: accessKeyId },
      'AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not',
    ],
    ['a profile that is not there', { AWS_PROFILE: 'absent' }, 'The profile of AWS_PROFILE has no AWS credentials'],
  ])('fails with %s', async (_name, more, sentence) => {
    const nowhere = { AWS_SHARED_CREDENTIALS_FILE: '/dev/null', AWS_CONFIG_FILE: '/dev/null' };
    const { ran, signed } = await invokeThere('', ['--region', 'eu-central-1'], { ...nowhere, ...more });
    expect([ran.code, ran.out, ran.error]).toEqual([2, '', expect.stringContaining(sentence)]);
    expect(ran.error.trim().split('\n')).toHaveLength(1);
    expect(signed).toBeUndefined();
  });

  it.each([
    ['abc.execute-api.eu-central-1.amazonaws.com', 'eu-central-1'],
    ['abc.execute-api.us-gov-west-1.amazonaws.com', 'us-gov-west-1'],
    ['abc.execute-api.cn-north-1.amazonaws.com.cn', 'cn-north-1'],
    ['abc.execute-api.eu-central-1.api.aws', 'eu-central-1'],
    ['vpce-1.execute-api.eu-central-1.vpce.amazonaws.com', 'eu-central-1'],
    ['abc.execute-api.eu-central-1.amazonaws.com.evil.example', undefined],
    ['countersign.acme.example', undefined],
    ['localhost', undefined],
  ])('has the region of %s: %s', (hostname, region) => {
    expect(regionInName(hostname)).toBe(region);
  });
});

/** Version 2 of the AWS CLI has botocore inside; another Python may have it as a package. */
const imports = `
try:
    import awscli
except ImportError:
    pass
import botocore.session
`;
const python = ['python3', '/usr/bin/python3'].find(
  (path) => spawnSync(path, ['-c', imports], { stdio: 'ignore', timeout: 30_000 }).status === 0,
);

const botocore = `${imports}
import base64, json, sys
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
signatures = []
for one in json.load(sys.stdin):
    request = AWSRequest(one['method'], one['url'], headers=one['headers'], data=base64.b64decode(one['body']))
    request.context['timestamp'] = one['headers']['x-amz-date']
    auth = SigV4Auth(Credentials(one['id'], one['secret']), one['service'], one['region'])
    signatures.append(auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request))
print(json.dumps(signatures))
`;

function signaturesOfBotocore(all: readonly Signed[]): string[] {
  const input = all.map((signed) => {
    const { names, scope, key: id } = claimOf(signed);
    const [, region, service] = scope;
    const headers = Object.fromEntries(names.map((name) => [name, signed.headers[name]]));
    const body = signed.body.toString('base64');
    return { method: signed.method, url: signed.url.href, headers, body, id, secret: secretAccessKey, region, service };
  });
  const { stdout, stderr } = spawnSync(python ?? '', ['-c', botocore], {
    input: JSON.stringify(input),
    encoding: 'utf8',
  });
  if (stderr) throw new Error(stderr);
  return JSON.parse(stdout) as string[];
}

describe.skipIf(!python)('botocore (needs botocore)', () => {
  it('computes the same signatures for the requests of the command', async () => {
    const all: Signed[] = [];
    for (const { path, args, token } of calls) {
      const more = token ? { ...environment, AWS_SESSION_TOKEN: sessionToken } : environment;
      const { signed } = await invokeThere(path, args, more);
      if (signed) all.push(signed);
    }
    all.push(...(await signAll()));
    expect(all).toHaveLength(calls.length + 2 * requests.length);
    expect(signaturesOfBotocore(all)).toEqual(all.map((signed) => claimOf(signed).signature));
  });
});
