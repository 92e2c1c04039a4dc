// `countersign serve`: its routes, its callers, its limits, its lines and its metrics, as they were recorded.
import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished, vi } from 'vitest';
import { type Authority, type LeafOptions, makeKey, makeRoot } from './certificates.ts';
import { customerHost } from './customers.ts';
import { type Exchange, exchange, linesIn, sectionsOf } from './exchanges.ts';
import { type Ground, openGround, type RecordedIdentity, writeFolder } from './identities.ts';
import { type Run, start } from './processes.ts';
import { programFile } from './programs.ts';
import { compareRecording, quoted, type Section } from './recording.ts';
import { apiRequests, type RecordedRequest } from './requests.ts';

const resolver = ['--import', join(import.meta.dirname, 'resolver.ts')];
const json = [['content-type', 'application/json']] as const;

interface Served extends Omit<Ground, 'identities'> {
  /** The folder of `--identities`. */
  readonly identities: string;
  readonly made: readonly RecordedIdentity[];
  write(name: string, content: string): string;
}

async function ground(): Promise<Served> {
  const { identities: made, ...opened } = await openGround();
  const { folder } = opened;
  const identities = join(folder, 'identities');
  mkdirSync(identities, { mode: 0o700 });
  for (const identity of made) writeFolder(identities, identity);
  return {
    ...opened,
    identities,
    made,
    write(name, content) {
      const path = join(folder, name);
      writeFileSync(`${path}.new`, content, { mode: 0o600 });
      renameSync(`${path}.new`, path);
      return path;
    },
  };
}

async function serve({ masks, identities }: Served, options: readonly string[]): Promise<{ run: Run; url: string }> {
  const args = ['serve', '--identities', identities, '--port', '0', '--workers', '1', ...options];
  const run = start(programFile('command'), args, { node: resolver });
  onTestFinished(async () => void (await run.stop()));
  const [, url = ''] = await run.printed(/"message":"serving".*"url":"([^"]+)"/);
  masks.name(new URL(url).port, 'port of serve');
  return { run, url };
}

/** Ends it, so that every line is written. */
async function sections(run: Run, exchanges: readonly Exchange[]): Promise<Section[]> {
  expect(await run.stop()).toBe(0);
  return [...sectionsOf(exchanges, linesIn(run.out())), { title: 'standard error', parts: [run.error()] }];
}

const get = (title: string, path: string, more: Partial<RecordedRequest> = {}): RecordedRequest => ({
  title,
  method: 'GET',
  path,
  ...more,
});

const ownRequests: readonly RecordedRequest[] = [
  get('ready', '/v1/ready'),
  get('ready by HEAD', '/v1/ready', { method: 'HEAD' }),
  get('ready by POST', '/v1/ready', { method: 'POST' }),
  get('metrics by HEAD', '/metrics', { method: 'HEAD', isBodyRecorded: false }),
  get('metrics by POST', '/metrics', { method: 'POST' }),
  get('console: page', '/', { isBodyRecorded: false }),
  get('console: page by HEAD', '/', { method: 'HEAD', isBodyRecorded: false }),
  get('console: no such file', '/console/nothing.js'),
  get('console: state', '/console/api/state'),
  get('console: state by POST', '/console/api/state', { method: 'POST' }),
  get('console: a rotation', '/console/api/identities/bot/rotations', { method: 'POST', headers: json, body: '{}' }),
];

it('serve answers the routes of the API and its own as recorded', { timeout: 120_000 }, async () => {
  const place = await ground();
  const { run, url } = await serve(place, ['--identity-ttl-seconds', '3600']);
  const exchanges: Exchange[] = [];
  for (const request of [...apiRequests(place.customers), ...ownRequests]) exchanges.push(await exchange(url, request));
  exchanges.push(withMetrics(await exchange(url, get('metrics', '/metrics'))));
  compareRecording('serve', await sections(run, exchanges), place.masks);
});

/** Counters are compared; what is measured is not. */
function withMetrics({ title, parts, requestId }: Exchange): Exchange {
  const measured =
    /^(< (?:\w+_(?:bucket|sum)|process_\w+|\w+_days_to_expiry|\w+_inbound_connections)(?:\{.*\})?) \S+$/gm;
  return { title, requestId, parts: parts.map((part) => part.replaceAll(measured, '$1 <measured>')) };
}

const token = (name: string) => Buffer.from(name.padEnd(33, '.')).toString('base64');
const sha256 = (value: string) => createHash('sha256').update(value).digest('hex');
const bearer = (name: string) => [['authorization', `Bearer ${token(name)}`]] as const;

const byCertificate = [
  { name: 'bot-runtime', subject: 'CN=bot-runtime', identities: ['bot'] },
  { name: 'batch', commonName: 'batch', identities: '*' },
];
const byToken = [
  { name: 'by-token', tokenSha256: sha256(token('by-token')), identities: ['bot'] },
  { name: 'scraper', tokenSha256: sha256(token('scraper')), identities: [], metrics: true },
];

it('serve knows its callers by token and certificate as recorded', { timeout: 60_000 }, async () => {
  const place = await ground();
  const { customers, masks, write } = place;
  const [authorityKey, serverKey, callerKey] = await Promise.all([makeKey(), makeKey(), makeKey()]);
  const authority = makeRoot('Recorded callers root', authorityKey);
  const server = authority.issue('serve.test', serverKey, { names: ['127.0.0.1'] });
  const { run, url } = await serve(place, [
    '--tls-cert',
    write('tls.crt', server.certificate),
    '--tls-key',
    write('tls.key', server.privateKey),
    '--client-ca',
    write('ca.crt', authority.root),
    '--callers',
    write('callers.json', JSON.stringify([...byCertificate, ...byToken])),
  ]);
  for (const name of ['by-token', 'scraper', 'stranger']) masks.name(token(name), `token of ${name}`);
  const shown = (commonName: string, options: LeafOptions = {}, issuer: Authority = authority): RequestOptions => {
    const { certificate, privateKey } = issuer.issue(commonName, callerKey, { usage: 'client', ...options });
    return { cert: certificate, key: privateKey };
  };
  const body = JSON.stringify({ url: `https://${customerHost}:${customers.ports.api}/status/200` });
  const call = (title: string, headers: RecordedRequest['headers'] = [], identity = 'bot'): RecordedRequest => ({
    title,
    method: 'POST',
    path: `/v1/identities/${identity}/invocations`,
    headers: [...json, ...headers],
    body,
  });
  const asked: readonly (readonly [RecordedRequest, RequestOptions?])[] = [
    [call('nothing shown')],
    [call('a token that is not known', bearer('stranger'))],
    [call('a token that is too short', [['authorization', 'Bearer short']])],
    [call('another scheme', [['authorization', 'Basic eDp5']])],
    [call('a token', bearer('by-token'))],
    [call('a token for another identity', bearer('by-token'), 'open')],
    [call('a token for an identity that is not there', bearer('by-token'), 'absent')],
    [call('a token without identities', bearer('scraper'))],
    [call('a certificate'), shown('bot-runtime')],
    [call('a certificate for another identity', [], 'open'), shown('bot-runtime')],
    [call('a common name', [], 'nowhere'), shown('batch')],
    [call('a subject that is not known'), shown('stranger')],
    [call('an expired certificate'), shown('bot-runtime', { from: -30, to: -2 })],
    [call('a certificate for servers'), shown('bot-runtime', { usage: 'server' })],
    [call('a certificate of another authority'), shown('bot-runtime', {}, customers.authorities.stranger)],
    [call('a certificate and an unknown token', bearer('stranger')), shown('bot-runtime')],
    [call('a certificate and another token', bearer('by-token')), shown('batch')],
    [get('health without a caller', '/v1/health')],
    [get('ready without a caller', '/v1/ready')],
    [get('a certificate route', '/v1/identities/bot/certificate', { headers: bearer('by-token') })],
    [get('console: page without a caller', '/', { isBodyRecorded: false })],
    [get('console: state', '/console/api/state', { headers: bearer('by-token') })],
    [get('console: state without a caller', '/console/api/state')],
    [get('no route, a caller', '/v1/nothing', { headers: bearer('by-token') })],
    [get('no route, no caller', '/v1/nothing')],
    [get('metrics of another caller', '/metrics', { headers: bearer('by-token') })],
  ];
  const exchanges: Exchange[] = [];
  for (const [request, options] of asked) {
    exchanges.push(await exchange(url, request, { ca: authority.root, ...options }));
  }
  const metrics = get('metrics', '/metrics', { headers: bearer('scraper') });
  exchanges.push(withMetrics(await exchange(url, metrics, { ca: authority.root })));
  compareRecording('serve-callers', await sections(run, exchanges), masks);
});

it('serve keeps its limits and takes files up as recorded', { timeout: 60_000 }, async () => {
  const place = await ground();
  const { customers, made, masks, write } = place;
  const { run, url } = await serve(place, [
    ...[
      '--max-body-bytes',
      '2000',
      '--max-header-bytes',
      '2048',
      '--header-seconds',
      '1',
      '--request-seconds',
      '1',
      '--keep-alive-seconds',
      '1',
    ],
    ...['--max-calls', '1', '--identity-ttl-seconds', '1', '--no-console', '--docs-url', 'https://docs.test/c'],
    ...['--callers', write('callers.json', JSON.stringify(byToken))],
  ]);
  masks.name(token('by-token'), 'token of by-token');
  const authorized = `authorization: Bearer ${token('by-token')}`;
  const path = '/v1/identities/bot/invocations';
  const head = (...lines: string[]) =>
    [`POST ${path} HTTP/1.1`, 'host: localhost', authorized, ...lines, '', ''].join('\r\n');
  const exchanges: Exchange[] = [
    await rawExchange(
      url,
      'a body that is announced as too large',
      `${head('content-length: 2001')}${'a'.repeat(2001)}`,
    ),
    await rawExchange(
      url,
      'a body that is too large',
      `${head('transfer-encoding: chunked')}7d1\r\n${'a'.repeat(2001)}\r\n0\r\n\r\n`,
    ),
    await rawExchange(url, 'a head that is too large', head(`x-long: ${'a'.repeat(2100)}`)),
    await rawExchange(url, 'a head that does not end', `POST ${path} HTTP/1.1\r\nhost: localhost\r\n`),
    await rawExchange(url, 'a body that does not end', `${head('content-length: 100')}{"url":`),
    await rawExchange(url, 'no HTTP', 'garbage\r\n\r\n'),
    await rawExchange(url, 'two lengths', head('content-length: 2', 'content-length: 3')),
    await rawExchange(url, 'a length and chunks', head('content-length: 2', 'transfer-encoding: chunked')),
    await rawExchange(url, 'no host', `GET /v1/health HTTP/1.1\r\n\r\n`),
    await rawExchange(url, 'another expectation', `${head('expect: 200-ok', 'content-length: 2')}{}`),
    await rawExchange(url, 'CONNECT', 'CONNECT localhost:443 HTTP/1.1\r\nhost: localhost\r\n\r\n'),
    await rawExchange(
      url,
      'an upgrade',
      'GET /v1/health HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade, close\r\nupgrade: h2c\r\n\r\n',
    ),
    await rawExchange(
      url,
      'two authorizations',
      `${head(`authorization: Bearer ${token('by-token')}`, 'content-length: 2', 'connection: close')}{}`,
    ),
  ];
  const body = (at: string, timeoutMs: number) =>
    JSON.stringify({ url: `https://${customerHost}:${customers.ports.api}${at}`, timeoutMs });
  const call = (title: string, at: string, timeoutMs: number): RecordedRequest => ({
    title,
    method: 'POST',
    path,
    headers: [...json, ...bearer('by-token')],
    body: body(at, timeoutMs),
  });
  const busy = exchange(url, call('a call that takes its time', '/no-answer', 3000));
  await vi.waitFor(() => expect(customers.askedFor).toContain('/no-answer'), { timeout: 10_000 });
  exchanges.push(await exchange(url, call('a call beyond the limit', '/status/200', 1000)));
  exchanges.push(await busy, await exchange(url, get('console: none', '/')));

  write('callers.json', '[{"name":"no identities"}]');
  await run.printed(/"files refused"/);
  write('callers.json', JSON.stringify(byToken).replace('by-token', 'renamed'));
  await run.printed(/"files taken up"/);
  exchanges.push(await exchange(url, call('a caller that was renamed', '/status/200', 1000)));
  write('identities/bot/private-key.pem', made.find(({ name }) => name === 'mismatch')?.issued.privateKey ?? '');
  await run.printed(/"identity refresh failed"/);
  exchanges.push(await exchange(url, call('an identity whose files broke', '/status/200', 1000)));
  compareRecording('serve-limits', onceEach(await sections(run, exchanges)), masks);
});

/** Files are looked at again and again: of lines that differ in their time alone, the first counts. */
function onceEach(made: readonly Section[]): Section[] {
  const withoutTime = (part: string) => part.replace(/"timestamp": "[^"]+"/, '');
  return made.map(({ title, parts }) => {
    const kept = parts.filter(
      (part, index) => parts.findIndex((one) => withoutTime(one) === withoutTime(part)) === index,
    );
    return { title, parts: title === 'lines of no request' ? kept : parts };
  });
}

/** Requests that Node's client cannot send. */
async function rawExchange(url: string, title: string, bytes: string): Promise<Exchange> {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' });
  socket.on('error', () => undefined);
  socket.write(bytes);
  const came = await text(socket).catch((error: NodeJS.ErrnoException) => `closed with ${error.code}`);
  const shown = bytes.replaceAll(/a{100,}/g, (run) => `<${run.length} times a>`);
  const requestId = /^x-request-id: (\S+)/im.exec(came)?.[1];
  const [head = '', ...rest] = came.split('\r\n\r\n');
  const parts = [
    quoted('>', shown.replaceAll('\r\n', '\n')),
    quoted('<', head.replaceAll('\r\n', '\n')),
    ...rest.map((one) => quoted('<', one)),
  ];
  return { title, parts, requestId };
}

it('serve without an identity that can be used is not ready', { timeout: 60_000 }, async () => {
  const place = await ground();
  const only = { ...place, identities: join(place.folder, 'broken') };
  mkdirSync(only.identities, { mode: 0o700 });
  for (const identity of place.made.filter(({ name }) => name === 'expired' || name === 'mismatch')) {
    writeFolder(only.identities, identity);
  }
  const { run, url } = await serve(only, []);
  const exchanges = [
    await exchange(url, get('ready', '/v1/ready')),
    withMetrics(await exchange(url, get('metrics', '/metrics'))),
  ];
  compareRecording('serve-not-ready', await sections(run, exchanges), place.masks);
});
