// The deployed functions as Lambda calls them: what they answer or throw, and the lines that they leave.
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { customerHost } from './customers.ts';
import { linesIn } from './exchanges.ts';
import { documentOf, openGround, type RecordedIdentity, writeFolder } from './identities.ts';
import { start } from './processes.ts';
import { type FunctionName, functionFile } from './programs.ts';
import { compareRecording, logged, quoted, type Section } from './recording.ts';

interface Call {
  readonly title: string;
  readonly event: unknown;
  readonly remainingMs?: number;
}

const runner = join(import.meta.dirname, 'run-function.ts');
const resolver = ['--import', join(import.meta.dirname, 'resolver.ts')];
const prefix = 'countersign/identities/';
const arnOf = (name: string) => `arn:aws:secretsmanager:us-east-1:000000000000:secret:${prefix}${name}-AbCdEf`;

/** Each call's event, the lines that it left and what came of it. */
async function callsOf(
  name: FunctionName,
  environment: Readonly<Record<string, string>>,
  calls: readonly Call[],
  label: string = name,
): Promise<Section[]> {
  const stdin = calls.map(({ event, remainingMs }) => `${JSON.stringify({ event, remainingMs })}\n`).join('');
  const run = start(runner, [functionFile(name)], { environment, stdin, node: resolver });
  expect(await run.ended, run.error()).toBe(0);
  const outcomes: { lines: string[]; outcome: string }[] = [];
  let lines: string[] = [];
  for (const line of linesIn(run.out())) {
    if (line.startsWith('outcome ')) {
      outcomes.push({ lines, outcome: line.slice('outcome '.length) });
      lines = [];
    } else lines.push(line);
  }
  expect(outcomes).toHaveLength(calls.length);
  return calls.map(({ title, event }, index) => ({
    title: `${label}: ${title}`,
    parts: [
      quoted('>', JSON.stringify(event)),
      ...(outcomes[index]?.lines ?? []).map(logged),
      ...outcomeParts(outcomes[index]?.outcome ?? '{}'),
    ],
  }));
}

/** The body of an answer is JSON in JSON: it stands below the rest, a member on each line. */
function outcomeParts(outcome: string): string[] {
  const { answered } = JSON.parse(outcome) as { answered?: { body?: string } };
  if (answered?.body === undefined) return [quoted('<', outcome)];
  const rest = outcome.replace(JSON.stringify(answered.body), () => '"below"');
  return [quoted('<', rest), quoted('<', answered.body)];
}

/** API Gateway's payload format 2.0. */
function eventOf(routeKey: string, request?: unknown, more: object = {}): Record<string, unknown> {
  const [method, path = ''] = routeKey.split(' ');
  return {
    version: '2.0',
    routeKey,
    rawPath: path.replace('{identity}', 'bot'),
    rawQueryString: '',
    headers: { 'content-type': 'application/json' },
    pathParameters: { identity: 'bot' },
    requestContext: {
      requestId: 'JKJaXmPLvHcESHA=',
      http: { method, path, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1' },
    },
    isBase64Encoded: false,
    ...(request === undefined ? {} : { body: JSON.stringify(request) }),
    ...more,
  };
}

const invocations = 'POST /v1/identities/{identity}/invocations';
const diagnoses = 'POST /v1/identities/{identity}/diagnoses';
const certificate = 'GET /v1/identities/{identity}/certificate';

/** Events that no request through the local gateway makes. */
function oddEvents(routeKey: string, request: unknown): Call[] {
  const changed = (title: string, more: object): Call => ({ title, event: eventOf(routeKey, request, more) });
  const body = JSON.stringify(request ?? {});
  return [
    changed('as API Gateway sends it', {}),
    changed('a body as base64', { body: Buffer.from(body).toString('base64'), isBase64Encoded: true }),
    changed('a body that is not base64', { body: '%', isBase64Encoded: true }),
    changed('a body that is an object', { body: {} }),
    changed('no path parameters', { pathParameters: undefined }),
    changed('an identity that is a number', { pathParameters: { identity: 1 } }),
    changed('no request context', { requestContext: undefined }),
    changed('a request id with blanks', { requestContext: { requestId: 'a b' } }),
    changed('another version of the payload', { version: '1.0' }),
    { title: 'null', event: null },
    { title: 'a string', event: 'event' },
    { title: 'a list', event: [] },
    { title: 'an empty object', event: {} },
  ];
}

/** Secrets Manager as far as these functions ask it: with the identities, or with one failure for all. */
async function secretsManager(identities: readonly RecordedIdentity[], failure?: { status: number; type: string }) {
  const byName = new Map(identities.map((identity) => [identity.name, identity]));
  const versions = (name: string) => ({
    [`00000000-0000-4000-9000-${name.padStart(12, '0').slice(0, 12)}`]: ['AWSCURRENT'],
  });
  const secrets = identities.map(({ name }) => ({
    Name: prefix + name,
    ARN: arnOf(name),
    SecretVersionsToStages: versions(name),
    RotationEnabled: name === 'open',
    ...(name === 'open' ? { NextRotationDate: 1_700_000_000, LastRotatedDate: 1_690_000_000 } : {}),
  }));
  const server = createServer(async (request, response) => {
    const asked = (await json(request)) as { SecretId?: string };
    const action = String(request.headers['x-amz-target']).split('.')[1];
    const name = /identities\/([a-z-]+?)(?:-AbCdEf)?$/.exec(asked.SecretId ?? '')?.[1] ?? '';
    const found = byName.get(name);
    const answer = (status: number, content: object) =>
      void response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(content));
    if (failure) return answer(failure.status, { __type: failure.type, message: 'Told by the store.' });
    if (action === 'ListSecrets') return answer(200, { SecretList: secrets });
    if (!found) return answer(400, { __type: 'ResourceNotFoundException', message: 'Not found.' });
    const secret = secrets.find(({ Name }) => Name === prefix + name);
    if (action === 'DescribeSecret') return answer(200, { ...secret, VersionIdsToStages: versions(name) });
    if (name === 'nowhere') return answer(400, { __type: 'AccessDeniedException', message: 'Told by the store.' });
    const [VersionId] = Object.keys(versions(name));
    return answer(200, { ...secret, VersionId, VersionStages: ['AWSCURRENT'], SecretString: documentOf(found) });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => void server.close().closeAllConnections());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    AWS_ENDPOINT_URL_SECRETS_MANAGER: url,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_MAX_ATTEMPTS: '1',
  };
}

it('the functions answer events as recorded', { timeout: 120_000 }, async () => {
  const { masks, customers, folder, identities } = await openGround();
  const directory = join(folder, 'identities');
  mkdirSync(directory, { mode: 0o700 });
  for (const identity of identities) writeFolder(directory, identity);
  // A connection for each call: how long a process waits between two events is the machine's affair.
  const request = { url: `https://${customerHost}:${customers.ports.api}/closes` };
  for (const body of [request, { ...request, probe: false }]) {
    masks.name(Buffer.from(JSON.stringify(body)).toString('base64'), 'the body as base64');
  }
  const store = await secretsManager(identities);
  const denied = await secretsManager([], { status: 400, type: 'AccessDeniedException' });
  const broken = await secretsManager([], { status: 500, type: 'InternalServiceError' });
  const away = { ...store, AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://127.0.0.1:${customers.ports.closed}` };
  const files = { COUNTERSIGN_IDENTITY_SOURCE: `directory:${directory}`, COUNTERSIGN_DOCS_URL: 'https://docs.test' };
  const one = (routeKey: string, body?: unknown): Call[] => [{ title: 'a call', event: eventOf(routeKey, body) }];
  const secret = { SecretId: arnOf('bot'), ClientRequestToken: '00000000-0000-4000-8000-000000000001' };
  const rotations: Call[] = [
    { title: 'null', event: null },
    { title: 'an empty object', event: {} },
    { title: 'an unknown step', event: { ...secret, Step: 'renewSecret' } },
    { title: 'no token', event: { ...secret, Step: 'createSecret', ClientRequestToken: undefined } },
    {
      title: 'a secret of another prefix',
      event: {
        ...secret,
        Step: 'createSecret',
        SecretId: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:other-AbCdEf',
      },
    },
    ...['createSecret', 'setSecret', 'testSecret', 'finishSecret'].map((Step) => ({
      title: `${Step} without rotation`,
      event: { ...secret, Step },
    })),
    { title: 'an unknown version', event: { ...secret, Step: 'createSecret', SecretId: arnOf('open') } },
    { title: 'a secret that is not there', event: { ...secret, Step: 'createSecret', SecretId: arnOf('absent') } },
  ];
  const inspection = [{ title: 'a schedule', event: {}, remainingMs: 300_000 }];
  const groups = [
    () => callsOf('invoke', store, oddEvents(invocations, request)),
    () => callsOf('diagnose', store, oddEvents(diagnoses, { ...request, probe: false })),
    () => callsOf('certificate', store, oddEvents(certificate, undefined)),
    () => callsOf('health', store, oddEvents('GET /v1/health', undefined)),
    () => callsOf('invoke', files, one(invocations, request), 'invoke from a directory'),
    () => callsOf('certificate', files, one(certificate), 'certificate from a directory'),
    () => callsOf('invoke', denied, one(invocations, request), 'invoke, access denied'),
    () => callsOf('diagnose', denied, one(diagnoses, request), 'diagnose, access denied'),
    () => callsOf('certificate', denied, one(certificate), 'certificate, access denied'),
    () => callsOf('invoke', broken, one(invocations, request), 'invoke, the store broken'),
    () => callsOf('invoke', away, one(invocations, request), 'invoke, the store away'),
    () => callsOf('certificate', away, one(certificate), 'certificate, the store away'),
    () => callsOf('rotate', store, rotations),
    () => callsOf('rotate', denied, rotations.slice(5, 6), 'rotate, access denied'),
    () => callsOf('inspection', store, inspection),
    () => callsOf('inspection', denied, inspection, 'inspection, access denied'),
    () => callsOf('inspection', away, inspection, 'inspection, the store away'),
  ];
  const sections: Section[][] = [];
  // Three processes at a time: most of them wait.
  const running = [0, 1, 2].map(async (first) => {
    for (let at = first; at < groups.length; at += 3) sections[at] = (await groups[at]?.()) ?? [];
  });
  await Promise.all(running);
  compareRecording('functions', sections.flat(), masks);
});
