// The requests that are recorded: to the functions behind the local API gateway, and the same to `countersign serve`.
import { type Customers, customerHost } from './customers.ts';

export interface RecordedRequest {
  readonly title: string;
  readonly method: string;
  readonly path: string;
  /** In order; `host` and `content-length` are set by Node. */
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string | Buffer;
  /** False for the texts of the console's page, which are not of the contract; its status and headers are. */
  readonly isBodyRecorded?: false;
}

const json = [['content-type', 'application/json']] as const;

/** Recorded in this order: whether a connection is new or reused depends on those before. */
export function apiRequests({ ports }: Customers): RecordedRequest[] {
  const to = (name: string, path = '/echo') => `https://${customerHost}:${ports[name]}${path}`;
  return [
    ...routes(),
    ...invalidInvocations(to),
    ...identities(to),
    ...forbidden(to, ports),
    ...unreachable(to, ports),
    ...handshakes(to),
    ...sent(to),
    ...answered(to),
    ...diagnoses(to, ports),
    ...certificates(),
  ];
}

type To = (name: string, path?: string) => string;

const post = (title: string, path: string, body: string | Buffer, headers: RecordedRequest['headers'] = json) => ({
  title,
  method: 'POST',
  path,
  headers,
  body,
});
const invoke = (title: string, request: unknown, identity = 'bot') =>
  post(title, `/v1/identities/${identity}/invocations`, JSON.stringify(request));
const diagnose = (title: string, request: unknown, identity = 'bot') =>
  post(title, `/v1/identities/${identity}/diagnoses`, JSON.stringify(request));
const get = (title: string, path: string, headers: RecordedRequest['headers'] = [], method = 'GET') => ({
  title,
  method,
  path,
  headers,
});

function routes(): RecordedRequest[] {
  return [
    get('health', '/v1/health'),
    get('health with a query', '/v1/health?a=1'),
    get('health by HEAD', '/v1/health', [], 'HEAD'),
    get('health by POST', '/v1/health', [], 'POST'),
    get('health with a slash behind it', '/v1/health/'),
    get('no such route', '/v1/nothing'),
    get('an invocation by GET', '/v1/identities/bot/invocations'),
    get('an invocation by HEAD', '/v1/identities/bot/invocations', [], 'HEAD'),
    get('an invocation by OPTIONS', '/v1/identities/bot/invocations', [], 'OPTIONS'),
    get('a certificate by POST', '/v1/identities/bot/certificate', [], 'POST'),
    get('a path with invalid percent-encoding', '/v1/identities/%E0%A4%A/certificate'),
    get('a path with a second slash', '/v1//health'),
    get('a request of another page', '/v1/health', [['origin', 'https://other.example']]),
    get('a request of another site', '/v1/health', [['sec-fetch-site', 'cross-site']]),
    get('a request to another name', '/v1/health', [['host', 'rebound.example']]),
    get('a head that is too large', '/v1/health', [['x-large', 'a'.repeat(17_000)]]),
  ];
}

function invalidInvocations(to: To): RecordedRequest[] {
  const path = '/v1/identities/bot/invocations';
  const url = to('api');
  const changed = (title: string, request: unknown) => invoke(`refused: ${title}`, request);
  const bodies = (title: string, body: string | Buffer, headers?: RecordedRequest['headers']) =>
    post(`refused: ${title}`, path, body, headers);
  const field = (title: string, value: object) => changed(title, { url, ...value });
  return [
    bodies('an empty body', ''),
    bodies('a body that is not JSON', '{"url":'),
    bodies('a body that is not UTF-8', Buffer.from([0x7b, 0xff, 0x7d])),
    bodies('a body with a byte order mark', `\ufeff{"url":"${url}"}`),
    bodies('text behind the JSON', `{"url":"${url}"} and more`),
    bodies('a JSON list', '[]'),
    bodies('a JSON string', '"text"'),
    bodies('null', 'null'),
    bodies('a field that stands twice', '{"url":"https://a.example/","url":"https://b.example/"}'),
    post('a header in two spellings', path, `{"url":"${url}","headers":{"x-a":"1","X-A":"2"}}`),
    bodies('a member __proto__', `{"url":"${url}","__proto__":{}}`),
    bodies('a lone surrogate', `{"url":"${url}","body":"\\ud800"}`),
    bodies(
      'JSON that is nested too deep',
      `{"url":"${url}","json":${'['.repeat(1001)}${' '.repeat(66_000)}${']'.repeat(1001)}}`,
    ),
    changed('no url', { method: 'GET' }),
    changed('a url that is a number', { url: 1 }),
    changed('an empty url', { url: '' }),
    changed('a url with a blank', { url: 'https://api.acme.example/a b' }),
    changed('a relative url', { url: '/v1/accounts' }),
    changed('a url that is too long', { url: `https://api.acme.example/${'a'.repeat(8200)}` }),
    changed('a url with a fragment', { url: `${url}#part` }),
    changed('a url with a control character', { url: `${url}\n` }),
    field('a method in small letters', { method: 'get' }),
    field('the method CONNECT', { method: 'CONNECT' }),
    field('the method TRACE', { method: 'TRACE' }),
    field('an empty method', { method: '' }),
    field('a method that is too long', { method: 'A'.repeat(33) }),
    field('headers that are a list', { headers: [] }),
    field('headers that are null', { headers: null }),
    field('the header host', { headers: { host: 'other.example' } }),
    field('the header content-length', { headers: { 'content-length': '1' } }),
    field('the header Transfer-Encoding', { headers: { 'Transfer-Encoding': 'chunked' } }),
    field('the header proxy-authorization', { headers: { 'proxy-authorization': 'Basic eDp5' } }),
    field('a header with a line break', { headers: { 'x-a': '1\r\nx-b: 2' } }),
    field('a header with a blank before it', { headers: { 'x-a': ' 1' } }),
    field('a header that is a number', { headers: { 'x-a': 1 } }),
    field('a list of headers with null', { headers: { 'x-a': ['1', null] } }),
    field('a header whose name is no token', { headers: { 'x a': '1' } }),
    field('a header without a name', { headers: { '': '1' } }),
    field('a header past U+00FF', { headers: { 'x-a': '\u20ac' } }),
    field('more than 100 header lines', { headers: { 'x-a': Array.from({ length: 101 }, () => '1') } }),
    field('headers of more than 32768 bytes', { headers: { 'x-a': 'a'.repeat(32_768) } }),
    field('json and body', { json: {}, body: '' }),
    field('body and bodyBase64', { body: '', bodyBase64: '' }),
    field('a body that is an object', { body: {} }),
    field('a body that is null', { body: null }),
    field('base64 without padding', { bodyBase64: 'YQ' }),
    field('base64 with a blank', { bodyBase64: 'YQ = =' }),
    field('a time limit of 0', { timeoutMs: 0 }),
    field('a time limit past 28000', { timeoutMs: 30_000 }),
    field('a time limit that is a fraction', { timeoutMs: 1.5 }),
    field('a time limit that is text', { timeoutMs: '1000' }),
    field('requireMutual as text', { requireMutual: 'true' }),
    field('a misspelt field', { requireMutal: true }),
    field('a field that may be a secret', { 'hunter2 secret': true }),
    post(
      'refused: a request of more than 6 MB',
      path,
      `{"url":"${url}","body":"${'a'.repeat(6 * 1024 * 1024)}"}`,
      json,
    ),
    post('a request without content-type', path, `{"url":"${url}"}`, []),
    post('a request as text', path, `{"url":"${url}"}`, [['content-type', 'text/plain']]),
    post('a request that is signed', path, `{"url":"${url}"}`, [
      ...json,
      [
        'authorization',
        'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=00',
      ],
      ['x-request-id', 'of-the-caller'],
    ]),
  ];
}

function identities(to: To): RecordedRequest[] {
  const url = to('api');
  return [
    invoke('an identity that is not there', { url }, 'absent'),
    invoke('an identity that is not there, asked again', { url }, 'absent'),
    invoke('an identity whose name has another form', { url }, 'Not_A_Name'),
    invoke('an identity whose name is too long', { url }, 'n'.repeat(64)),
    invoke('an identity whose name is percent-encoded', { url }, '%62ot'),
    invoke('an identity whose name leads out of the folder', { url }, '..%2Fbot'),
    invoke('an identity that has expired', { url }, 'expired'),
    invoke('an identity whose key belongs to another certificate', { url }, 'mismatch'),
    invoke('an identity whose issuer is missing', { url }, 'incomplete'),
    invoke('an identity that is not a document', { url }, 'garbage'),
    invoke('an identity without a certificate', { url }, 'empty'),
    diagnose('a diagnosis of an identity that is not there', { url }, 'absent'),
    diagnose('a diagnosis of an identity that has expired', { url }, 'expired'),
    diagnose('a diagnosis of an identity whose key belongs to another certificate', { url }, 'mismatch'),
    diagnose('a diagnosis of an identity that is not a document', { url }, 'garbage'),
  ];
}

function forbidden(to: To, ports: Customers['ports']): RecordedRequest[] {
  const one = (title: string, url: string, identity = 'bot') => invoke(`forbidden: ${title}`, { url }, identity);
  return [
    one('http', to('api').replace('https', 'http')),
    one('user information', to('api').replace('//', '//user:secret@')),
    one('a host that is not a destination', 'https://elsewhere.example/'),
    one('a port that is not a destination', 'https://good.test:1/'),
    one('an address of the private network', 'https://10.1.2.3/'),
    one('a name below a wildcard with an address of the private network', 'https://private.public.test/'),
    one('a name below a wildcard with an address of the metadata service', 'https://metadata.public.test/'),
    one('a name with an allowed and a forbidden address', `https://mixed.test:${ports.api}/`),
    one('an identity that may go to any public host, to loopback', to('api'), 'open'),
    one('an identity that may go to any public host, to a private address', 'https://192.168.0.1/', 'open'),
    one('an identity that may go nowhere', to('api'), 'nowhere'),
    one('an address in another spelling', 'https://0x0a010203/'),
    diagnose('forbidden: a diagnosis of a host that is not a destination', {
      url: 'https://elsewhere.example/',
    }),
    diagnose('forbidden: a diagnosis of a private address', { url: 'https://private.public.test/' }),
  ];
}

function unreachable(to: To, ports: Customers['ports']): RecordedRequest[] {
  return [
    invoke('step 1: a name without an address', { url: 'https://nothing.public.test/' }),
    invoke('step 1: a resolver in trouble', { url: 'https://trouble.public.test/' }),
    invoke('step 1: a name without a record of an address', { url: 'https://empty.public.test/' }),
    invoke('step 1: a resolver that gives no response', { url: 'https://slow.public.test/', timeoutMs: 300 }),
    invoke('step 1: a port on which nothing listens', { url: to('closed') }),
    invoke('step 1: an address on which nothing listens', { url: `https://127.0.0.1:${ports.closed}/` }),
    invoke('step 1: no route', { url: 'https://127.255.255.255/' }),
    invoke('step 1: a queue that is full', { url: to('full-queue'), timeoutMs: 400 }),
  ];
}

function handshakes(to: To): RecordedRequest[] {
  const one = (title: string, name: string, more: object = {}) => invoke(title, { url: to(name), ...more });
  return [
    one('step 2: HTTP without TLS', 'plain'),
    one('step 2: silence', 'silent', { timeoutMs: 500 }),
    one('step 2: a close', 'closes'),
    one('step 2: the alert handshake_failure', 'disagrees'),
    one('step 2: TLS 1.2 where 1.3 is wanted', 'tls13-wanted'),
    one('step 3: expired', 'expired'),
    one('step 3: not valid yet', 'early'),
    one('step 3: of an unknown authority', 'untrusted'),
    one('step 3: for another name', 'misnamed'),
    one('step 3: for clients', 'for-clients'),
    one('step 3: another pin', 'pinned-to-another'),
    one('step 4: never asked', 'one-way', { requireMutual: true }),
    one('step 4: never asked, demanded by the destination', 'one-way-required'),
    one('step 5: rejected over TLS 1.3', 'rejects-tls13'),
    one('step 5: rejected over TLS 1.3, a POST', 'rejects-tls13', { method: 'POST', body: 'amount=1' }),
    one('step 5: rejected over TLS 1.2', 'rejects-tls12'),
    one('a page of nginx that rejects', 'nginx'),
    one('granted: never asked, and not demanded', 'one-way'),
    one('granted: TLS 1.2', 'tls12-only'),
    one('granted: the pin of the root', 'pinned'),
    one('granted: serverName', 'named'),
    invoke('granted: a name of the resolver', { url: to('api').replace(customerHost, 'good.test') }),
  ];
}

function sent(to: To): RecordedRequest[] {
  const echo = (title: string, more: object = {}) => invoke(`sent: ${title}`, { url: to('api'), ...more });
  return [
    echo('GET'),
    echo('a query, percent-encoding and dots', { url: to('api', '/a/%2e%2e/b/./c?x=1&y=%20&z') }),
    echo('GET with a body', { body: 'text' }),
    echo('POST without a body', { method: 'POST' }),
    echo('POST with an empty body', { method: 'POST', body: '' }),
    echo('POST with text', { method: 'POST', body: 'für \u{1f600}', headers: { 'Content-Type': 'text/plain' } }),
    echo('POST with bytes', { method: 'POST', bodyBase64: 'AP8B' }),
    echo('POST with JSON null', { method: 'POST', json: null }),
    echo('POST with JSON and another content-type', {
      method: 'POST',
      json: [],
      headers: { 'content-type': 'application/x' },
    }),
    post(
      'sent: the characters of the JSON',
      '/v1/identities/bot/invocations',
      `{"url":"${to('api')}","method":"PUT","json":{ "amount": 12.50, "account": 12345678901234567890, "é":"\\u00e9" }}`,
    ),
    echo('headers in their order and spelling', {
      headers: { 'X-Tag': ['a', 'b'], accept: 'application/json', 'x-tag-2': 'f\u00fcr', 'x-empty': '' },
    }),
    echo('an accept-encoding and a user-agent of its own', {
      headers: { 'accept-encoding': 'identity', 'user-agent': 'of-its-own' },
    }),
    echo('another method', { method: 'PROPFIND' }),
    echo('OPTIONS', { method: 'OPTIONS' }),
    echo('DELETE', { method: 'DELETE' }),
    echo('HEAD', { method: 'HEAD' }),
  ];
}

function answered(to: To): RecordedRequest[] {
  const api = (path: string, more: object = {}) =>
    invoke(`answered: ${more && Object.keys(more).length > 0 ? `${path}, ${JSON.stringify(more)}` : path}`, {
      url: to('api', path),
      ...more,
    });
  const raw = (path: string) => invoke(`answered: raw ${path}`, { url: to('raw', path) });
  const gzipWanted = { headers: { 'accept-encoding': 'gzip' } };
  const statuses = [200, 201, 204, 304, 400, 401, 403, 404, 429, 500, 503];
  return [
    ...statuses.map((status) => api(`/status/${status}`)),
    ...['/redirect', '/headers', '/gzip', '/deflate', '/br', '/zstd', '/twice', '/unknown-coding'].map((path) =>
      api(path),
    ),
    api('/gzip', gzipWanted),
    ...['/bytes', '/latin1', '/utf8', '/large-text', '/chunks', '/until-closed'].map((path) => api(path)),
    ...['/broken-gzip', '/cut-gzip', '/large', '/large-gzip', '/cut-off', '/hangs-up'].map((path) => api(path)),
    api('/closes'),
    api('/hangs-up', { method: 'POST' }),
    api('/no-answer', { timeoutMs: 1500 }),
    api('/half-an-answer', { timeoutMs: 1500 }),
    ...[
      '/no-http',
      '/bad-status',
      '/bad-chunk',
      '/bad-header',
      '/large-head',
      '/upgrade',
      '/early-hints',
      '/http10',
      '/both-lengths',
      '/two-lengths',
    ].map(raw),
  ];
}

function diagnoses(to: To, ports: Customers['ports']): RecordedRequest[] {
  const one = (title: string, request: unknown) => diagnose(`diagnosis: ${title}`, request);
  const quick: Readonly<Record<string, object>> = {
    silent: { timeoutMs: 500 },
    'full-queue': { timeoutMs: 400 },
  };
  return [
    ...Object.keys(ports).map((name) => one(name, { url: to(name), ...quick[name] })),
    one('a name without an address', { url: 'https://nothing.public.test/' }),
    one('no probe', { url: to('api'), probe: false }),
    one('a probe of its own', { url: to('api'), probe: { method: 'HEAD', path: '/status/200' } }),
    one('a probe that gets a 403', { url: to('api'), probe: { path: '/status/403' } }),
    one('a probe that gets no answer', { url: to('api'), probe: { path: '/no-answer' }, timeoutMs: 2500 }),
    one('refused: no url', {}),
    one('refused: an unknown field', { url: to('api'), method: 'GET' }),
    one('refused: a probe by POST', { url: to('api'), probe: { method: 'POST', path: '/' } }),
    one('refused: a probe without a slash', { url: to('api'), probe: { path: 'health' } }),
    one('refused: a probe that is true', { url: to('api'), probe: true }),
    one('refused: a time limit', { url: to('api'), timeoutMs: 30_000 }),
    post('diagnosis: refused: not JSON', '/v1/identities/bot/diagnoses', 'url'),
    post('diagnosis: refused: too long', '/v1/identities/bot/diagnoses', `{"url":"${'a'.repeat(70_000)}"}`),
  ];
}

function certificates(): RecordedRequest[] {
  const one = (title: string, identity: string, more = '', accept?: string, method = 'GET') =>
    get(
      `certificate: ${title}`,
      `/v1/identities/${identity}/certificate${more}`,
      accept ? [['accept', accept]] : [],
      method,
    );
  return [
    one('JSON', 'bot'),
    one('PEM', 'bot', '', 'application/x-pem-file'),
    one('PEM among others', 'bot', '', 'text/html, application/x-pem-file;q=0.9, */*;q=0.8'),
    one('HEAD', 'bot', '', undefined, 'HEAD'),
    one('stage current', 'bot', '?stage=current'),
    one('stage pending', 'bot', '?stage=pending'),
    one('stage previous', 'bot', '?stage=previous'),
    one('stage unknown', 'bot', '?stage=AWSCURRENT'),
    one('stage twice', 'bot', '?stage=current&stage=previous'),
    one('another parameter', 'bot', '?version=1'),
    one('an identity that is not there', 'absent'),
    one('a name of another form', 'Not_A_Name'),
    one('expired', 'expired'),
    one('expired, as PEM', 'expired', '', 'application/x-pem-file'),
    one('key of another certificate', 'mismatch'),
    one('issuer missing', 'incomplete'),
    one('no document', 'garbage'),
    one('no certificate', 'empty'),
  ];
}
