// Issuers that are slow, refuse, answer garbage or sign something else: each fails by its code, and the current
// certificate stays.
import { execFileSync } from 'node:child_process';
import { createPublicKey, randomBytes, X509Certificate } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it, onTestFinished } from 'vitest';
import { certificateRequest, newPrivateKey } from '../../../core/issuers/certificate-request.ts';
import { readCertificateFields, readCertificateRequest } from '../../../core/x509/certificate.ts';
import { encodeName } from '../../../core/x509/distinguished-name.ts';
import { type Authority, createAuthority, openAuthority } from '../../../local/authority/authority.ts';
import { failureOf } from '../../support/identity/identities.ts';
import { findPeer } from '../../support/peers.ts';
import { privateFolder } from '../../support/program.ts';
import { call, expectUsable, issuerThat, openPipeline } from '../../support/rotation/rotation-pipeline.ts';
import type { Authorities } from '../../support/stage.ts';

type Asked = NonNullable<ReturnType<typeof readCertificateRequest>>;

const day = 86_400_000;

/** What it answers to a request, as PEM. */
type Signing = (asked: Asked, authorities: Authorities) => string;

const sign: (more?: object) => Signing =
  (more = {}) =>
  ({ subject, publicKey, alternativeNames }, { platformIssuer }) => {
    const named = { subject, publicKey, ...(alternativeNames && { alternativeNames }), usage: 'client' as const };
    const { certificate, intermediates, root } = platformIssuer.certify({ ...named, ...more });
    return certificate + intermediates + root;
  };

const wrong: Record<string, [Signing, string]> = {
  nothing: [() => '', 'answer-malformed'],
  garbage: [() => randomBytes(500).toString('base64'), 'answer-malformed'],
  'a certificate of garbage': [
    () => `-----BEGIN CERTIFICATE-----\n${randomBytes(300).toString('base64')}\n-----END CERTIFICATE-----\n`,
    'answer-malformed',
  ],
  'a megabyte': [() => '-----BEGIN CERTIFICATE-----\n'.repeat(40_000), 'answer-too-large'],
  'a private key': [
    (_, { platformIssuer }) => platformIssuer.issue({ commonName: 'bot-platform' }).privateKey,
    'answer-malformed',
  ],
  "another key's certificate": [
    (_, { platformIssuer }) => platformIssuer.issue({ commonName: 'bot-platform', usage: 'client' }).certificate,
    'key-mismatch',
  ],
  'one that has expired': [sign({ notAfter: new Date(Date.now() - 1_000) }), 'expired'],
  'one that begins tomorrow': [sign({ notBefore: new Date(Date.now() + day) }), 'not-yet-valid'],
  'one that ends before the current one': [sign({ notAfter: new Date(Date.now() + day) }), 'valid-shorter'],
  'one without client authentication': [sign({ usage: 'server' }), 'no-client-authentication'],
  'one for another subject': [
    (asked, authorities) => {
      const other = authorities.platformIssuer.issue({ commonName: 'somebody-else', usage: 'client' }).certificate;
      return sign({ subject: subjectOf(other) })(asked, authorities);
    },
    'wrong-subject',
  ],
  'one with a weak signature': [sign({ signatureHash: 'sha1' }), 'weak-signature'],
  'one of an authority whose chain is not there': [
    ({ subject, publicKey }) =>
      createAuthority({ commonName: 'Unrelated Root' })
        .intermediate({ commonName: 'Unrelated Issuer' })
        .certify({ subject, publicKey, usage: 'client' }).certificate,
    'chain-incomplete',
  ],
};

/** An authority below the root that certifies names below O=Acme and no others. */
function constrained({ platformRoot }: Authorities): Authority {
  const folder = privateFolder();
  const made = platformRoot.intermediate({ commonName: 'Constrained Issuer' });
  const at = (name: string, text: string) => folder.write(name, text);
  const extensions = at(
    'extensions',
    'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nnameConstraints=critical,permitted;dirName:acme\n[acme]\nO=Acme\n',
  );
  const request = certificateRequest({ privateKey: made.privateKey, subject: 'CN=Constrained Issuer' });
  const signing = ['-CA', at('root.pem', platformRoot.certificate), '-CAkey', at('root.key', platformRoot.privateKey)];
  const certificate = execFileSync(
    findPeer('openssl') ?? '',
    [
      'x509',
      '-req',
      '-in',
      at('request', request),
      ...signing,
      '-set_serial',
      '7',
      '-days',
      '90',
      '-extfile',
      extensions,
    ],
    { encoding: 'utf8', stdio: 'pipe' },
  );
  return openAuthority(certificate, made.privateKey, certificate, platformRoot.certificate);
}

const byConstrained: Signing = (asked, authorities) =>
  sign()(asked, { ...authorities, platformIssuer: constrained(authorities) });

describe.skipIf(!findPeer('openssl'))('name constraints of an issuer (needs openssl)', () => {
  it('that exclude the certificate are found with OpenSSL', () => expectUnchanged(byConstrained, 'handshake-failed'));

  it('are found in a version put in by hand too, and allow what they permit', async () => {
    const pipeline = await openPipeline();
    const issuer = constrained(pipeline.authorities);
    const signed = (subject: string) => {
      const { certificate, intermediates, root } = issuer.certify({
        subject: encodeName(subject),
        publicKey: createPublicKey(privateKey),
        usage: 'client',
      });
      return { privateKey, certificate, intermediateCertificates: intermediates, rootCertificate: root };
    };
    const privateKey = await newPrivateKey('EC_P256');
    for (const [subject, reason] of [
      ['CN=bot,O=Other', 'handshake-failed'],
      ['CN=bot,O=Acme', undefined],
    ] as const) {
      await pipeline.create(`of-${reason ?? 'acme'}`, pipeline.document());
      const event = await pipeline.rotateSecret(`of-${reason ?? 'acme'}`);
      await pipeline.client.send(
        new PutSecretValueCommand({
          ...event,
          SecretString: JSON.stringify({ ...pipeline.document(), ...signed(subject) }),
          VersionStages: ['AWSPENDING'],
        }),
      );
      if (reason === undefined) await pipeline.run(event);
      else {
        const failure = await failureOf(() => pipeline.run(event));
        expect(failure).toMatchObject({ code: 'identity-unusable', evidence: { reason } });
        expect(failure.message).toMatch(/name constraints\.$/);
      }
    }
  });
});

function subjectOf(certificate: string): Buffer {
  const { raw } = new X509Certificate(certificate);
  const fields = readCertificateFields(raw);
  if (!fields) throw new Error('The certificate cannot be read.');
  return fields.subject;
}

async function expectUnchanged(signing: Signing, reason: string) {
  const pipeline = await openPipeline();
  await pipeline.create('platform', pipeline.document());
  const event = await pipeline.rotateSecret('platform');
  const before = await pipeline.value('platform');
  let requests: string[] = [];
  const issuer = issuerThat(async ({ certificateRequest }) => {
    requests = [...requests, certificateRequest];
    const asked = readCertificateRequest(certificateRequest);
    if (!asked) throw new Error('The request cannot be read.');
    return { certificates: signing(asked, pipeline.authorities) };
  });
  const rotate = pipeline.rotate(issuer);
  const step = { Step: 'createSecret', ...event };
  const failure = await failureOf(() => rotate(step, call()));
  expect(failure).toMatchObject({ code: 'issued-certificate-unusable', evidence: { reason } });
  expect(await pipeline.value('platform')).toEqual(before);
  // Asked again, it is asked for the same; once it answers as it should, the rotation goes on.
  await failureOf(() => rotate(step, call()));
  expect(new Set(requests).size).toBe(1);
  await pipeline.run(event);
  expectUsable(await pipeline.value('platform'));
  expect(
    Object.values(await pipeline.stages('platform'))
      .flat()
      .sort(),
  ).toEqual(['AWSCURRENT', 'AWSPREVIOUS']);
  const told = JSON.stringify(pipeline.lines);
  expect(told).not.toMatch(/PRIVATE KEY|BEGIN CERTIFICATE/);
}

it.each(Object.entries(wrong))('answers with %s', (_, [signing, reason]) => expectUnchanged(signing, reason));

it.each([
  ['out of order', (parts: string[]) => parts.toReversed().join('')],
  [
    'twice, with strangers',
    (parts: string[]) => [...parts, createAuthority({ commonName: 'Stranger' }).certificate, ...parts].join(''),
  ],
  ['without the root, which is known', (parts: string[]) => parts.slice(0, -1).join('')],
  ['alone, the issuers being known', (parts: string[]) => parts[0] ?? ''],
])('answers with the chain %s, which can be used', async (_, arrange) => {
  const pipeline = await openPipeline();
  await pipeline.create('platform', pipeline.document());
  const event = await pipeline.rotateSecret('platform');
  const issuer = issuerThat(async ({ certificateRequest }) => {
    const asked = readCertificateRequest(certificateRequest);
    const chain = asked ? sign()(asked, pipeline.authorities) : '';
    return { certificates: arrange(chain.split(/(?<=-----END CERTIFICATE-----\n)/)) };
  });
  await pipeline.run(event, issuer);
  const { certificate, intermediateCertificates, rootCertificate } = await pipeline.value('platform');
  const { platformIssuer } = pipeline.authorities;
  expect({ intermediateCertificates, rootCertificate }).toEqual({
    intermediateCertificates: platformIssuer.intermediates,
    rootCertificate: platformIssuer.root,
  });
  expect(new X509Certificate(certificate).verify(new X509Certificate(platformIssuer.certificate).publicKey)).toBe(true);
});

/** An authority over HTTP that does this with each request. */
async function startIssuer(answer: Parameters<typeof createServer>[1]): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/certificates`;
}

it.each([
  ['refuses', 'issuer-refused', (status: () => void) => status()],
  ['hangs until the time of the step is nearly over', 'issuer-unavailable', () => {}],
] as const)('%s', async (_, code, act) => {
  const pipeline = await openPipeline();
  const url = await startIssuer((_request, response) => act(() => void response.writeHead(403).end('No: s3cr3t')));
  await pipeline.create('platform', pipeline.document({ renewal: { issuer: { kind: 'local', url } } }));
  const event = await pipeline.rotateSecret('platform');
  const before = await pipeline.value('platform');
  // 10 s of it are kept for putting what was issued.
  const failure = await failureOf(() => pipeline.rotate()({ Step: 'createSecret', ...event }, call(10_200)));
  expect(failure.code).toBe(code);
  expect(failure.message).not.toContain('s3cr3t');
  expect(await pipeline.value('platform')).toEqual(before);
});

it('is not called for a document with unreadable destinations', async () => {
  const pipeline = await openPipeline();
  await pipeline.create('platform', pipeline.document({ destinations: [{ host: 'https://wrong' }] }));
  const failure = await failureOf(async () => pipeline.run(await pipeline.rotateSecret('platform')));
  expect(failure).toMatchObject({ code: 'identity-unusable', evidence: { reason: 'destinations-malformed' } });
  expect(pipeline.lines.at(-1)).toMatchObject({ step: 'createSecret', stage: 'AWSCURRENT' });
  expect(pipeline.authority.signed).toBe(0);
  expect(Object.keys(await pipeline.stages('platform'))).toHaveLength(2);
});

it.each([
  [{ issuer: { kind: 'unknown' } }, 'renewal-malformed'],
  [{}, 'renewal-malformed'],
  [undefined, 'renewal-missing'],
])('is not asked for a renewal that is %j', async (renewal, reason) => {
  const pipeline = await openPipeline();
  await pipeline.create('platform', pipeline.document({ renewal }));
  const failure = await failureOf(async () => pipeline.run(await pipeline.rotateSecret('platform')));
  expect(failure).toMatchObject({ code: 'renewal-unusable', evidence: { reason } });
});
