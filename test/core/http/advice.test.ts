// The pages with which web servers refuse a client certificate after the handshake; that of nginx comes from nginx.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adviceFor, refusalPages } from '../../../core/http/advice.ts';
import { collectBody } from '../../../core/http/body.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { findPeer } from '../../support/peers.ts';
import { connects, freePort } from '../../support/port.ts';

/** To a GET without a body. */
function adviceOn(status: number, body: Buffer): string | undefined {
  return adviceFor({ status, body, endIsUnproven: false, asked: true, protocol: 'TLSv1.2', requestBytes: 0 });
}

const nginx = findPeer('nginx');
const trusted = createAuthority({ commonName: 'Customer trusts this' });
const platform = createAuthority({ commonName: 'Platform' }).issue({ commonName: 'bot-platform', usage: 'client' });
const known = trusted.issue({ commonName: 'known', usage: 'client' });
const api = trusted.issue({ commonName: 'api', names: ['localhost'], usage: 'server' });

describe.skipIf(!nginx)('the page of a real nginx (needs nginx)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-nginx-'));
  let server: ChildProcess;
  let port = 0;

  beforeAll(async () => {
    port = await freePort();
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text, { mode: 0o600 });
      return join(folder, name);
    };
    const config = file(
      'nginx.conf',
      `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr crit;
      events {}
      http {
        access_log off;
        client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder};
        uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
        server {
          listen 127.0.0.1:${port} ssl;
          ssl_certificate ${file('api.crt', api.certificate)};
          ssl_certificate_key ${file('api.key', api.privateKey)};
          ssl_client_certificate ${file('trusted.crt', trusted.certificate)};
          ssl_verify_client on;
          location / { return 200 "welcome"; }
          location /forbidden { return 403; }
        }
      }`,
    );
    server = spawn(nginx as string, ['-p', folder, '-c', config], { stdio: 'ignore' });
    while (!(await connects(port))) await wait(20);
  });

  afterAll(async () => {
    server.kill('SIGTERM');
    await new Promise((resolve) => server.once('exit', resolve));
    rmSync(folder, { recursive: true });
  });

  async function advice(path: string, identity?: typeof platform): Promise<[number, string | undefined]> {
    const certificate = identity ? { cert: identity.certificate, key: identity.privateKey } : {};
    return new Promise((resolve, reject) => {
      request({
        host: '127.0.0.1',
        servername: 'localhost',
        port,
        path,
        ca: trusted.certificate,
        agent: false,
        ...certificate,
      })
        .on('error', reject)
        .on('response', (response) => {
          collectBody(response, { limitBytes: 100_000, decode: true }).then(({ bytes }) => {
            resolve([response.statusCode ?? 0, adviceOn(response.statusCode ?? 0, bytes)]);
          }, reject);
        })
        .end();
    });
  }

  it('for an untrusted certificate gets advice about the root', async () => {
    const [status, words] = await advice('/', platform);
    expect(status).toBe(400);
    expect(words).toMatch(/^The API server completed the handshake and then refused the client certificate \(step 5\)/);
    expect(words).toContain('GET /v1/identities/{identity}/certificate');
  });

  it('for a missing certificate gets advice about that', async () => {
    const [status, words] = await advice('/');
    expect(status).toBe(400);
    expect(words).toMatch(/^The API server says that it received no client certificate/);
  });

  it('for another reason gets no advice', async () => {
    expect(await advice('/', known)).toEqual([200, undefined]);
    expect(await advice('/forbidden', known)).toEqual([403, undefined]);
  });
});

describe('the rejection pages of other servers', () => {
  it.each([
    [
      403,
      'HTTP Error 403.7 - Forbidden<p>403.7 Forbidden: Client certificate required',
      /received no client certificate/,
    ],
    [403, '403 - Forbidden: SSL client certificate is required.', /received no client certificate/],
    [
      403,
      'HTTP Error 403.16 - Forbidden. Your client certificate is either not trusted or is invalid.',
      /refused the client/,
    ],
    [403, '403.16 Client certificate is untrusted or invalid', /refused the client/],
    [403, '403.17 - Client certificate has expired or is not yet valid.', /expired or was revoked/],
    // IIS 5 (KB 294305), its custom page, and the detailed page of IIS 7 and later.
    [403, '<h2>HTTP Error 403.13 - Forbidden: Client Certificate Revoked</h2>', /expired or was revoked/],
    [403, '403.13 - Forbidden: Client certificate has been revoked on the Web server.', /expired or was revoked/],
    [
      403,
      '<h3>HTTP Error 403.13 - Forbidden</h3><h4>Your client certificate was revoked, or the revocation status could not be determined.</h4>',
      /expired or was revoked/,
    ],
    // IIS 5 (KB 248075) and its custom page since.
    [403, 'HTTP 403.12 - Access Forbidden: Mapper denied access', /grants it no access/],
    [
      403,
      '403.12 - Forbidden: Client certificate is denied access by the server certificate mapper.',
      /grants it no access/,
    ],
    [
      403,
      'The account to which your client certificate is mapped on the Web server has been denied access to this Web site.',
      /grants it no access/,
    ],
    // Azure Application Gateway: nginx's pages under its own name.
    [
      400,
      '<html>\r\n<head><title>400 No required SSL certificate was sent</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n<center>No required SSL certificate was sent</center>\r\n<hr><center>Microsoft-Azure-Application-Gateway/v2</center>\r\n</body>\r\n</html>\r\n',
      /received no client certificate/,
    ],
    [
      400,
      '<html>\r\n<head><title>400 The SSL certificate error</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n<center>The SSL certificate error</center>\r\n<hr><center>Microsoft-Azure-Application-Gateway/v2</center>\r\n</body>\r\n</html>\r\n',
      /refused the client/,
    ],
    [403, 'Reason: Cannot perform Post-Handshake Authentication.<br />', /only after the handshake/],
    [401, '{"message":"No required TLS certificate was sent"}', /received no client certificate/],
    [401, '{"message":"TLS certificate failed verification"}', /refused the client/],
    [401, '<h1>HTTP Status 401 - No client certificate chain in this request</h1>', /received no client certificate/],
    [495, '<center>The SSL certificate error</center>', /refused the client/],
  ])('%d %s', (status, page, words) => {
    const advice = adviceOn(status, Buffer.from(page));
    expect(advice).toMatch(words);
    // The words are ours: nothing of the page is in them.
    expect(advice).not.toContain(page);
    const withMore = page.startsWith('{') ? page.replace('}', ',"request_id":"secret"}') : `${page}\nsecret`;
    expect(adviceOn(status, Buffer.from(withMore))).toBe(advice);
  });

  it.each([
    [200, 'The SSL certificate error'],
    [500, 'No required SSL certificate was sent'],
    [403, '{"message":"Forbidden"}'],
    [400, 'The field "certificate" is required'],
    // An API's own words about certificates that it was sent in its own fields.
    [400, '{"error":"TLS certificate is required in the JSON field cert"}'],
    [400, '{"error":"SSL certificate required"}'],
    [400, '{"error":"client certificate required for the webhook that is registered"}'],
    [400, '{"message":"TLS certificate failed verification: the field chain of the upload is empty"}'],
    [400, '{"errors":[{"message":"No required TLS certificate was sent"}]}'],
    [403, '{"detail":"The client certificate has expired; renew the one of merchant 7 in the console."}'],
    [400, '{"note":"see The SSL certificate error in our handbook"}'],
    [403, '{"error":"client certificate is untrusted by merchant 7"}'],
    // API Gateway says no more than this, whatever the reason (rest-api-mutual-tls: "denied with a 403 status code").
    [401, ''],
    [403, `${' '.repeat(5000)}The SSL certificate error`],
  ])('%d %j gets no advice', (status, page) => {
    expect(adviceOn(status, Buffer.from(page))).toBeUndefined();
  });
});

describe('a hostile page', () => {
  /** The alternatives of a pattern, groups left whole; escapes and character classes become a letter. */
  function alternativesOf({ source }: RegExp): string[] {
    const simple = source.replace(/\\./g, 'e').replace(/\[[^\]]*\]/g, 'c');
    const alternatives = [''];
    let depth = 0;
    for (const character of simple) {
      depth += character === '(' ? 1 : character === ')' ? -1 : 0;
      if (depth === 0 && character === '|') alternatives.push('');
      else alternatives[alternatives.length - 1] += character;
    }
    return alternatives;
  }

  it('is searched in linear time: no pattern has an unbounded repetition', () => {
    const alternatives = refusalPages.flatMap(({ pattern }) => alternativesOf(pattern));
    expect(alternatives.length).toBeGreaterThan(10);
    for (const alternative of alternatives) {
      if (!alternative.startsWith('^')) expect(alternative).not.toMatch(/[*+]|\{\d+,\}/);
    }
    // An unbounded repetition is found where there is one.
    expect(alternativesOf(/a|<[^>]+>b/)).toEqual(['a', '<c+>b']);
  });
});

describe('a 413 of Apache, which cannot renegotiate after a large request', () => {
  const refused = { status: 413, body: Buffer.alloc(0), endIsUnproven: false, asked: false, protocol: 'TLSv1.2' };

  it('gets advice', () => {
    expect(adviceFor({ ...refused, requestBytes: 131_073 })).toMatch(/SSLRenegBufferSize\.$/);
  });

  it.each([
    { requestBytes: 131_072 },
    { requestBytes: 200_000, asked: true },
    { requestBytes: 200_000, protocol: 'TLSv1.3' },
    { requestBytes: 200_000, status: 400 },
  ])('gets no advice otherwise: %j', (difference) => {
    expect(adviceFor({ ...refused, ...difference })).toBeUndefined();
  });
});
