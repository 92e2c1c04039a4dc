// The real SDK over HTTP against a stand-in of AWS Private CA: what is sent, one certificate for one order, and what
// each fault is called.
import { X509Certificate } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { awsPrivateCaIssuer, type PrivateCaSettings } from '../../../core/issuers/aws-private-ca.ts';
import { certificateRequest, newPrivateKey } from '../../../core/issuers/certificate-request.ts';
import { usableParts } from '../../../core/issuers/check-issued.ts';
import type { SigningOrder } from '../../../core/issuers/issuer.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { failureOf } from '../../support/identity/identities.ts';
import {
  authorityArn,
  type Fault,
  type PrivateCa,
  type PrivateCaOptions,
  startPrivateCa,
} from '../../support/issuers/private-ca.ts';

const day = 86_400_000;
const privateKey = await newPrivateKey('EC_P256');
const request = certificateRequest({ privateKey, subject: 'CN=bot,O=Acme', names: ['dns:bot.acme.example'] });
const authority = createAuthority({ commonName: 'Root' }).intermediate({ commonName: 'Private CA' });

function orderOf(change: Partial<SigningOrder> = {}): SigningOrder {
  return {
    identity: 'bot',
    certificateRequest: request,
    idempotencyToken: 'a'.repeat(64),
    currentLifetimeDays: undefined,
    current: undefined,
    signal: new AbortController().signal,
    ...change,
  };
}

async function start(
  options: Partial<PrivateCaOptions> = {},
  settings: Partial<PrivateCaSettings> = {},
  attemptTimeoutMs = 5_000,
) {
  const ca = await startPrivateCa({ authority, ...options });
  vi.stubEnv('AWS_ENDPOINT_URL_ACM_PCA', ca.url);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  // The region is the authority's, not that of the function.
  vi.stubEnv('AWS_REGION', 'us-east-1');
  const certificateAuthorityArn = options.arn ?? authorityArn;
  const issuer = awsPrivateCaIssuer(
    { kind: 'aws-private-ca', certificateAuthorityArn, ...settings },
    { pollMs: 1, attemptTimeoutMs, ...(options.now ? { now: options.now } : {}) },
  );
  return { ca, issuer };
}

const operationsOf = ({ calls }: PrivateCa) => calls.map(({ operation }) => operation);
const issueOf = ({ calls }: PrivateCa) => calls.find(({ operation }) => operation === 'IssueCertificate')?.input;

describe('AWS Private CA', () => {
  it('returns a usable chain with the subject and the names of the request', async () => {
    const { ca, issuer } = await start();
    const issued = await issuer.issue(orderOf());
    const parts = usableParts(issued, { identity: 'bot', privateKey, certificateRequest: request, now: Date.now() });
    expect(parts.intermediateCertificates).toBe(authority.certificate);
    expect(parts.rootCertificate).toBe(authority.root);
    expect(new X509Certificate(parts.certificate).subjectAltName).toBe('DNS:bot.acme.example');
    expect(operationsOf(ca)).toEqual(['DescribeCertificateAuthority', 'IssueCertificate', 'GetCertificate']);
    expect(issueOf(ca)).toEqual({
      CertificateAuthorityArn: authorityArn,
      Csr: Buffer.from(request).toString('base64'),
      SigningAlgorithm: 'SHA256WITHECDSA',
      TemplateArn: 'arn:aws:acm-pca:::template/EndEntityClientAuthCertificate/V1',
      Validity: { Type: 'DAYS', Value: 90 },
      IdempotencyToken: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
  });

  it('is polled until the certificate is issued', async () => {
    const { ca, issuer } = await start({ pending: 4 });
    expect((await issuer.issue(orderOf())).certificates).toContain('BEGIN CERTIFICATE');
    expect(operationsOf(ca).filter((operation) => operation === 'GetCertificate')).toHaveLength(5);
  });

  it('signs once for one token within five minutes, and again later or for another token', async () => {
    const clock = { now: Date.now() };
    const { ca, issuer } = await start({ now: () => clock.now });
    const first = await issuer.issue(orderOf());
    clock.now += 299_000;
    expect(await issuer.issue(orderOf())).toEqual(first);
    expect(ca.signed()).toBe(1);
    await issuer.issue(orderOf({ idempotencyToken: 'b'.repeat(64) }));
    clock.now += 2_000;
    await issuer.issue(orderOf());
    expect(ca.signed()).toBe(3);
  });

  it('signs once if its response was lost', async () => {
    const { ca, issuer } = await start();
    ca.failNext('GetCertificate', { error: 'ResourceNotFoundException' });
    expect((await failureOf(() => issuer.issue(orderOf()))).code).toBe('issuer-refused');
    await issuer.issue(orderOf());
    expect(ca.signed()).toBe(1);
  });

  it.each([
    [{ keyAlgorithm: 'RSA_2048' }, 'SHA256WITHRSA'],
    [{ keyAlgorithm: 'RSA_4096' }, 'SHA256WITHRSA'],
    [{ keyAlgorithm: 'EC_P256' }, 'SHA256WITHECDSA'],
    [{ keyAlgorithm: 'EC_P384' }, 'SHA384WITHECDSA'],
  ] as const)('signs with the algorithm that fits its key: %j', async (key, algorithm) => {
    const { ca, issuer } = await start({ authority: createAuthority({ commonName: 'CA', ...key }) });
    await issuer.issue(orderOf());
    expect(issueOf(ca)?.SigningAlgorithm).toBe(algorithm);
  });

  it('is not asked for its key if the algorithm is given, which needs one permission less', async () => {
    const { ca, issuer } = await start({}, { signingAlgorithm: 'SHA512WITHECDSA' });
    await issuer.issue(orderOf());
    expect(operationsOf(ca)).toEqual(['IssueCertificate', 'GetCertificate']);
    expect(issueOf(ca)?.SigningAlgorithm).toBe('SHA512WITHECDSA');
  });

  it('is asked for as many days as the current certificate has, or as the renewal says', async () => {
    const first = await start();
    await first.issuer.issue(orderOf({ currentLifetimeDays: 397 }));
    expect(issueOf(first.ca)?.Validity).toEqual({ Type: 'DAYS', Value: 397 });
    const second = await start({}, { validityDays: 30 });
    await second.issuer.issue(orderOf({ currentLifetimeDays: 397 }));
    expect(issueOf(second.ca)?.Validity).toEqual({ Type: 'DAYS', Value: 30 });
  });

  it('has its template in the partition of the authority', async () => {
    const arn = 'arn:aws-cn:acm-pca:cn-north-1:111122223333:certificate-authority/11223344-1234-1122-2233-112233445566';
    const { ca, issuer } = await start({ arn });
    await issuer.issue(orderOf());
    expect(issueOf(ca)?.TemplateArn).toBe('arn:aws-cn:acm-pca:::template/EndEntityClientAuthCertificate/V1');
  });
});

describe('each failure has its own error', () => {
  const throttled: Fault = { error: 'ThrottlingException' };
  const quota: Fault = { error: 'LimitExceededException' };
  const broken: Fault = { error: 'InternalFailure', status: 500 };

  it.each<[string, Fault[], string, string]>([
    ['AccessDeniedException', [{ error: 'AccessDeniedException' }], 'issuer-refused', 'AccessDeniedException'],
    ['no such authority', [{ error: 'ResourceNotFoundException' }], 'issuer-refused', 'ResourceNotFoundException'],
    ['a wrong ARN', [{ error: 'InvalidArnException' }], 'renewal-unusable', 'InvalidArnException'],
    ['a disabled authority', [{ error: 'InvalidStateException' }], 'issuer-refused', 'InvalidStateException'],
    ['a request it does not read', [{ error: 'MalformedCSRException' }], 'issuer-refused', 'MalformedCSRException'],
    ['an argument', [{ error: 'InvalidArgsException' }], 'issuer-refused', 'InvalidArgsException'],
    ['a validity', [{ error: 'ValidationException' }], 'issuer-refused', 'ValidationException'],
    // The SDK takes it for throttling at first.
    ['a quota', [quota, quota, quota], 'issuer-refused', 'LimitExceededException'],
    ['throttled three times', [throttled, throttled, throttled], 'issuer-unavailable', 'ThrottlingException'],
    ['broken three times', [broken, broken, broken], 'issuer-unavailable', 'InternalFailure'],
    ['credentials', [{ error: 'UnrecognizedClientException' }], 'issuer-unavailable', 'UnrecognizedClientException'],
    ['cut off three times', ['cut', 'cut', 'cut'], 'issuer-unavailable', 'ECONNRESET'],
    ['something new', [{ error: 'BrandNewException' }], 'issuer-unavailable', 'BrandNewException'],
  ])('%s', async (_, faults, code, reason) => {
    const { ca, issuer } = await start();
    ca.failNext('IssueCertificate', ...faults);
    const failure = await failureOf(() => issuer.issue(orderOf()));
    expect([failure.code, failure.evidence?.reason]).toEqual([code, reason]);
    expect(failure.message).toMatch(/^[^\n]{10,200}\.$/);
    expect(ca.signed()).toBe(0);
  });

  it.each<[string, Fault[]]>([
    ['throttled twice', [throttled, throttled]],
    ['cut off', ['cut']],
    ['done, and the answer lost', ['lost']],
    ['broken', [broken]],
  ])('%s is retried, and one certificate is issued', async (_, faults) => {
    const { ca, issuer } = await start();
    ca.failNext('IssueCertificate', ...faults);
    ca.failNext('GetCertificate', ...faults);
    await issuer.issue(orderOf());
    expect(ca.signed()).toBe(1);
  });

  it('a hanging authority ends at the timeout', async () => {
    const { ca, issuer } = await start({}, {}, 500);
    ca.failNext('IssueCertificate', 'hang', 'hang', 'hang');
    const failure = await failureOf(() => issuer.issue(orderOf()));
    expect([failure.code, failure.retryable, failure.evidence]).toEqual([
      'issuer-unavailable',
      true,
      { reason: 'timeout' },
    ]);
  });

  it('a certificate that is never issued ends with the time of the rotation', async () => {
    const { ca, issuer } = await start({ pending: Number.POSITIVE_INFINITY });
    const rotation = new AbortController();
    const issuing = failureOf(() => issuer.issue(orderOf({ signal: rotation.signal })));
    await vi.waitUntil(() => operationsOf(ca).filter((operation) => operation === 'GetCertificate').length > 3);
    rotation.abort();
    expect((await issuing).evidence).toEqual({ reason: 'timeout' });
    expect(ca.signed()).toBe(1);
  });

  it('a response that is not JSON is not quoted', async () => {
    const { ca, issuer } = await start();
    ca.failNext('GetCertificate', 'garbage');
    const failure = await failureOf(() => issuer.issue(orderOf()));
    expect(failure.code).toBe('issuer-unavailable');
    expect(JSON.stringify([failure.message, failure.evidence, failure.hint])).not.toContain('SECRET');
    expect(failure.cause).toBeUndefined();
  });

  it.each(['DISABLED', 'EXPIRED', 'DELETED', 'PENDING_CERTIFICATE'])('an authority that is %s', async (status) => {
    const { ca, issuer } = await start({ status });
    const failure = await failureOf(() => issuer.issue(orderOf()));
    expect([failure.code, failure.evidence]).toEqual(['issuer-refused', { reason: `status-${status}` }]);
    const unasked = await start({ status }, { signingAlgorithm: 'SHA256WITHECDSA' });
    expect((await failureOf(() => unasked.issuer.issue(orderOf()))).evidence).toEqual({
      reason: 'InvalidStateException',
    });
    expect(ca.signed() + unasked.ca.signed()).toBe(0);
  });

  it('an authority that ends before the certificate would', async () => {
    const ending = createAuthority({ commonName: 'CA', notAfter: new Date(Date.now() + 80 * day) });
    const { ca, issuer } = await start({ authority: ending });
    const failure = await failureOf(() => issuer.issue(orderOf()));
    expect([failure.code, failure.evidence]).toEqual(['issuer-refused', { reason: 'authority-ends-first' }]);
    expect(ca.signed()).toBe(0);
  });

  it('an algorithm that does not fit the key', async () => {
    const { issuer } = await start({}, { signingAlgorithm: 'SHA256WITHRSA' });
    expect((await failureOf(() => issuer.issue(orderOf()))).evidence).toEqual({ reason: 'InvalidArgsException' });
  });

  it.each([
    '',
    'arn:aws:acm:eu-central-1:111122223333:certificate/11223344-1234-1122-2233-112233445566',
    `${authorityArn}/certificate/1`,
    authorityArn.replace('eu-central-1', 'evil.example#'),
    authorityArn.replace('aws', 'awful.'),
  ])('not the ARN of an authority: %j', async (certificateAuthorityArn) => {
    const failure = await failureOf(() => awsPrivateCaIssuer({ kind: 'aws-private-ca', certificateAuthorityArn }));
    expect([failure.code, failure.evidence]).toEqual(['renewal-unusable', { reason: 'authority-arn' }]);
  });
});
