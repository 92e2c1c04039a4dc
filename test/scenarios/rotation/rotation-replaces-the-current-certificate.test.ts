// The four steps as Secrets Manager calls them, over the real SDK: what each leaves, and what is carried over.
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import { idempotencyTokenOf, openVersions, requestVersionOf } from '../../../core/versions/versions.ts';
import { call, expectUsable, openPipeline, prefix } from '../../support/rotation/rotation-pipeline.ts';

it('goes through the four steps', async () => {
  const pipeline = await openPipeline();
  const before = pipeline.document({
    note: { kept: [1, 'two'] },
    destinations: [{ host: '*.acme.example' }],
  }) as Record<string, string>;
  await pipeline.create('platform', before);
  const event = await pipeline.rotateSecret('platform');
  const { ClientRequestToken: token } = event;
  const request = requestVersionOf(token);
  const [first] = Object.keys(await pipeline.stages('platform')).filter((version) => version !== token);
  const rotate = pipeline.rotate();
  const step = (Step: string) => rotate({ Step, ...event }, call());

  await step('createSecret');
  expect(await pipeline.stages('platform')).toEqual({
    [first as string]: ['AWSCURRENT'],
    [token]: ['AWSPENDING'],
    [request]: ['COUNTERSIGN_REQUEST'],
  });
  const next = await pipeline.value('platform', { VersionStage: 'AWSPENDING' });
  expectUsable(next);
  expect(next.privateKey).not.toBe(before.privateKey);
  expect({ ...next, privateKey: '', certificate: '' }).toEqual({ ...before, privateKey: '', certificate: '' });
  expect(new X509Certificate(next.certificate).subject).toBe('CN=bot-platform');
  expect(await pipeline.value('platform', { VersionId: request })).toEqual({
    privateKey: next.privateKey,
    certificateRequest: expect.stringContaining('BEGIN CERTIFICATE REQUEST'),
    for: token,
    replaces: new X509Certificate(String(before.certificate)).fingerprint256,
  });
  expect(pipeline.bus.events).toEqual([]);

  await step('setSecret');
  const [pending] = pipeline.bus.events;
  const certificate = new X509Certificate(next.certificate);
  expect(pending).toMatchObject({
    bus: 'certificates',
    source: 'countersign',
    detailType: 'Certificate Pending',
    resources: [event.SecretId],
    detail: {
      identity: 'platform',
      version: token,
      certificate: {
        subject: 'CN=bot-platform',
        fingerprint256: certificate.fingerprint256,
        pin: expect.stringMatching(/^sha256\//),
        validFrom: certificate.validFromDate.toISOString(),
        validTo: certificate.validToDate.toISOString(),
        serialNumber: certificate.serialNumber,
      },
      chain: [next.certificate, next.intermediateCertificates, next.rootCertificate].join(''),
      current: { fingerprint256: new X509Certificate(before.certificate as string).fingerprint256 },
    },
  });

  await step('testSecret');
  expect(await pipeline.value('platform')).toEqual(before);
  await step('finishSecret');
  expect(await pipeline.stages('platform')).toEqual({ [first as string]: ['AWSPREVIOUS'], [token]: ['AWSCURRENT'] });
  expect(await pipeline.value('platform')).toEqual(next);
  expect(pipeline.bus.events.map(({ detailType }) => detailType)).toEqual([
    'Certificate Pending',
    'Certificate Activated',
  ]);
  expect(pipeline.bus.events[1]?.detail).toMatchObject({
    version: token,
    previous: { fingerprint256: new X509Certificate(before.certificate as string).fingerprint256 },
  });

  // Called again, as Secrets Manager does when it did not get the answer.
  for (const Step of ['createSecret', 'finishSecret']) await step(Step);
  expect(pipeline.bus.events).toHaveLength(2);
  expect(pipeline.authority.signed).toBe(1);

  expect(pipeline.lines.map(({ step: name, outcome }) => `${name} ${outcome}`)).toEqual([
    'createSecret issued',
    'setSecret announced',
    'testSecret tested',
    'finishSecret activated',
    'createSecret already-current',
    'finishSecret already-current',
  ]);
  expect(pipeline.lines[3]).toMatchObject({
    level: 'INFO',
    message: 'rotation',
    identity: 'platform',
    version: token,
    RotationSteps: 1,
    RotationsFinished: 1,
  });
  const told = JSON.stringify([pipeline.lines, pipeline.bus.events]);
  expect(told).not.toContain('PRIVATE KEY');
  expect(told).not.toContain(next.privateKey.split('\n')[1]);
});

it('derives the same ids for the same rotation, and others for another', () => {
  const token = 'f5a0c3a9-6c1e-4f0a-9a1b-0d6c2a1e7b11';
  const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  const all = [requestVersionOf(token), idempotencyTokenOf(token), requestVersionOf(`${token}1`)];
  for (const id of all) expect(id).toMatch(uuid);
  expect(new Set(all).size).toBe(3);
  expect(requestVersionOf(token)).toBe(all[0]);
});

const keyOf = (pem: string) => {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = createPrivateKey(pem);
  return `${type} ${details?.namedCurve ?? details?.modulusLength}`;
};

it.each([
  [{}, 'RSA_2048', 'rsa 2048'],
  [{}, 'EC_P256', 'ec prime256v1'],
  [{ keyAlgorithm: 'EC_P384' }, 'RSA_2048', 'ec secp384r1'],
  [{ keyAlgorithm: 'RSA_2048' }, 'EC_P256', 'rsa 2048'],
  [{ keyAlgorithm: 'RSA_3072' }, 'EC_P256', 'rsa 3072'],
] as const)('with %j and a key of %s today, the next one is %s', async (renewal, keyAlgorithm, expected) => {
  const pipeline = await openPipeline();
  const issuer = { kind: 'local', url: pipeline.authority.url };
  await pipeline.create('platform', pipeline.document({ renewal: { issuer, ...renewal } }, { keyAlgorithm }));
  await pipeline.run(await pipeline.rotateSecret('platform'));
  expect(keyOf((await pipeline.value('platform')).privateKey)).toBe(expected);
});

it('keeps the key with reuseKey, and uses subject and names of the renewal', async () => {
  const pipeline = await openPipeline();
  const renewal = {
    issuer: { kind: 'local', url: pipeline.authority.url },
    reuseKey: true,
    subject: 'CN=bots,O=Acme',
    names: ['dns:bots.acme.example'],
  };
  const before = pipeline.document({ renewal }) as Record<string, string>;
  await pipeline.create('platform', before);
  await pipeline.run(await pipeline.rotateSecret('platform'));
  const { privateKey, certificate } = await pipeline.value('platform');
  expect(privateKey).toBe(before.privateKey);
  const next = new X509Certificate(certificate);
  expect(next.subject).toBe('O=Acme\nCN=bots');
  expect(next.subjectAltName).toBe('DNS:bots.acme.example');
  expect(next.publicKey.equals(createPublicKey(createPrivateKey(before.privateKey as string)))).toBe(true);
  const [pending] = pipeline.bus.events;
  expect(pending?.detail.certificate.pin).toBe(pending?.detail.current.pin);
});

it('gives each certificate the life of the one before', async () => {
  const pipeline = await openPipeline();
  await pipeline.create('platform', pipeline.document());
  for (let count = 0; count < 3; count++) await pipeline.run(await pipeline.rotateSecret('platform'));
  const { validFromDate, validToDate } = new X509Certificate((await pipeline.value('platform')).certificate);
  const days = (validToDate.getTime() - validFromDate.getTime()) / 86_400_000;
  expect(Math.round(days)).toBe(60);
});

it('is the way out of a certificate that has expired', async () => {
  const pipeline = await openPipeline();
  await pipeline.create('platform', pipeline.document({}, { notAfter: new Date(Date.now() - 86_400_000) }));
  await pipeline.run(await pipeline.rotateSecret('platform'));
  const current = await pipeline.value('platform');
  expectUsable(current);
  expect(new X509Certificate(current.certificate).subject).toBe('CN=bot-platform');
});

it('makes the first certificate of a document without one', async () => {
  const pipeline = await openPipeline();
  const { renewal } = pipeline.document() as { renewal: object };
  await pipeline.create('acme', { renewal, destinations: [{ host: 'api.acme.example' }] });
  const event = await pipeline.rotateSecret('acme');
  await pipeline.run(event);
  const current = await pipeline.value('acme');
  expectUsable(current);
  expect(new X509Certificate(current.certificate).subject).toBe('CN=acme');
  expect(current.destinations).toEqual([{ host: 'api.acme.example' }]);
  expect(pipeline.bus.events[0]?.detail).not.toHaveProperty('current');
});

it('makes the first certificate of an empty secret, with the renewal of the settings', async () => {
  const pipeline = await openPipeline();
  const { renewal } = pipeline.document() as { renewal: object };
  await pipeline.create('platform', undefined);
  const event = await pipeline.rotateSecret('platform');
  await pipeline.run(event, { renewals: { platform: renewal } });
  expectUsable(await pipeline.value('platform'));
  expect(Object.values(await pipeline.stages('platform')).flat()).toEqual(['AWSCURRENT']);
  expect(pipeline.bus.events.map(({ detailType }) => detailType)).toEqual([
    'Certificate Pending',
    'Certificate Activated',
  ]);
  expect(pipeline.bus.events[1]?.detail).not.toHaveProperty('previous');
});

it('waits for a person to sign, and continues with the stored certificate', async () => {
  const pipeline = await openPipeline();
  const before = pipeline.document({ renewal: { issuer: { kind: 'manual' } } }) as Record<string, string>;
  await pipeline.create('platform', before);
  const event = await pipeline.rotateSecret('platform');
  await expect(pipeline.run(event)).rejects.toMatchObject({ code: 'signature-awaited' });
  const kept = await pipeline.value('platform', { VersionStage: 'COUNTERSIGN_REQUEST' });
  await expect(pipeline.run(event)).rejects.toMatchObject({ code: 'signature-awaited' });
  expect(await pipeline.value('platform', { VersionStage: 'COUNTERSIGN_REQUEST' })).toEqual(kept);

  // Not the test that Secrets Manager runs alone: this rotation has begun.
  await expect(pipeline.rotate()({ Step: 'testSecret', ...event }, call())).rejects.toMatchObject({
    code: 'rotation-refused',
    evidence: { reason: 'no-value' },
  });

  const signed = pipeline.authorities.platformIssuer.issue({
    commonName: 'bot-platform',
    usage: 'client',
    privateKey: kept.privateKey,
  });
  const document = JSON.stringify({ ...before, privateKey: kept.privateKey, certificate: signed.certificate });
  await openVersions({ prefix }).put(event.SecretId, {
    version: event.ClientRequestToken,
    document,
    stages: ['AWSPENDING'],
  });
  await pipeline.run(event);
  expect((await pipeline.value('platform')).certificate).toBe(signed.certificate);
  expect(
    Object.values(await pipeline.stages('platform'))
      .flat()
      .sort(),
  ).toEqual(['AWSCURRENT', 'AWSPREVIOUS']);
});

it('passes the test of a schedule that is set without rotating, if a rotation could start', async () => {
  const pipeline = await openPipeline();
  const { renewal, ...rest } = pipeline.document() as { renewal: object };
  await pipeline.create('platform', { ...rest, renewal });
  await pipeline.create('by-hand', rest);
  const test = async (identity: string) => {
    const event = await pipeline.rotateSecret(identity, { testOnly: true });
    return pipeline.rotate()({ Step: 'testSecret', ...event }, call());
  };
  await test('platform');
  expect(pipeline.lines.at(-1)).toMatchObject({ outcome: 'renewal-tested' });
  await expect(test('by-hand')).rejects.toMatchObject({
    code: 'renewal-unusable',
    evidence: { reason: 'renewal-missing' },
  });
  expect(pipeline.bus.events).toEqual([]);
});

it('passes that test for the empty secret of a new stack, and fails it if its settings have an invalid renewal', async () => {
  const pipeline = await openPipeline();
  await pipeline.create('platform', undefined);
  const event = await pipeline.rotateSecret('platform', { testOnly: true });
  const step = { Step: 'testSecret', ...event };
  await pipeline.rotate()(step, call());
  expect(pipeline.lines.at(-1)).toMatchObject({ level: 'INFO', outcome: 'nothing-to-test' });
  const renewals = { platform: { issuer: { kind: 'unknown' } } };
  await expect(pipeline.rotate({ renewals })(step, call())).rejects.toMatchObject({ code: 'renewal-unusable' });
  // A rotation that is to make the first certificate still says what is missing.
  await expect(pipeline.rotate()({ ...step, Step: 'createSecret' }, call())).rejects.toMatchObject({
    evidence: { reason: 'renewal-missing' },
  });
});
