// The key of a provisioner comes out of a document that a person wrote: what cannot sign is said, and never quoted.
import { generateKeyPairSync } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, importJWK, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { stepCaIssuer } from '../../../core/issuers/step-ca.ts';
import { oneTimeToken } from '../../../core/issuers/step-ca-token.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { failureOf } from '../../support/issuers/orders.ts';
import { createProvisioner, encryptedKey } from '../../support/issuers/smallstep.ts';

const url = 'https://ca.platform.example/1.0/sign';
const asked = { subject: 'bot', names: ['bot.example', '192.0.2.7'] };
const now = Date.UTC(2026, 10, 22, 12);
const jwk = (key: { export(options: { format: 'jwk' }): object }) => JSON.stringify(key.export({ format: 'jwk' }));
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

describe('a token', () => {
  it('has the claims that step-ca checks, by the clock that is given', async () => {
    const provisioner = await createProvisioner();
    const token = await oneTimeToken({ ...provisioner, password: undefined }, url, asked, now);
    const { payload } = await jwtVerify(token, await importJWK(provisioner.publicKey, 'ES256'), {
      currentDate: new Date(now),
    });
    const seconds = now / 1000;
    expect(payload).toEqual({
      ...{ iss: 'countersign', aud: url, sub: 'bot', sans: asked.names },
      ...{ iat: seconds, nbf: seconds, exp: seconds + 300, jti: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'ES256', kid: provisioner.publicKey.kid, typ: 'JWT' });
  });

  it('has the subject as its name where none was asked for, and the thumbprint of a key without an id', async () => {
    const token = await oneTimeToken(of(jwk(privateKey)), url, { subject: 'bot', names: [] }, now);
    expect(decodeJwt(token).sans).toEqual(['bot']);
    expect(decodeProtectedHeader(token).kid).toMatch(/^[\w-]{43}$/);
  });
});

describe('a key is refused', () => {
  it.each([
    ['that is public', jwk(publicKey)],
    [
      'that is shared',
      JSON.stringify({ kty: 'oct', k: 'c2VjcmV0LXNlY3JldC1zZWNyZXQ', d: 'c2VjcmV0LXNlY3JldC1zZWNyZXQ' }),
    ],
    ['that agrees and does not sign', jwk(generateKeyPairSync('x25519').privateKey)],
    ['on a curve that JWT does not know', jwk(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey)],
    ['of RSA that is too short', jwk(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey)],
    [
      'with halves of two',
      JSON.stringify({ ...privateKey.export({ format: 'jwk' }), x: publicKey.export({ format: 'jwk' }).y }),
    ],
    ['whose id is no text', JSON.stringify({ ...privateKey.export({ format: 'jwk' }), kid: { a: 1 } })],
    ['without its point, and so without an id', '{"kty":"EC","crv":"P-256","d":"SECRET"}'],
    ['of RSA without its modulus', '{"kty":"RSA","d":"SECRET"}'],
    ['of Edwards without its point', '{"kty":"OKP","crv":"Ed25519","d":"SECRET"}'],
    ['that is null', '{"kty":null}'],
    ['that is PEM', privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()],
    ['that is cut off', jwk(privateKey).slice(0, -20)],
  ])('%s', async (_, key) => {
    const { d = key } = (key.startsWith('{"') && key.endsWith('}') ? JSON.parse(key) : {}) as { d?: string };
    const error = await failureOf(oneTimeToken(of(key), url, asked, now), [d]);
    expect(error.code).toBe('renewal-unusable');
  });

  it('that needs more than a million rounds to decrypt', async () => {
    const provisioner = await createProvisioner();
    const [header = '', ...rest] = (await encryptedKey(provisioner, 'password')).split('.');
    const rounds = { ...JSON.parse(Buffer.from(header, 'base64url').toString()), p2c: 2_000_000_000 };
    const key = [Buffer.from(JSON.stringify(rounds)).toString('base64url'), ...rest].join('.');
    const error = await failureOf(oneTimeToken({ ...of(key), password: 'password' }, url, asked, now), [key]);
    expect(error.code).toBe('renewal-unusable');
  });

  it.each([{ provisioner: 'countersign' }, { provisionerKey: jwk(privateKey) }, { provisionerPassword: 'password' }])(
    'an incomplete provisioner is rejected before anything is sent',
    async (half) => {
      const roots = createAuthority({ commonName: 'Root' }).certificate;
      const issuer = async () => stepCaIssuer({ kind: 'step-ca', url: 'https://localhost', roots, ...half });
      expect((await failureOf(issuer(), [jwk(privateKey)])).code).toBe('renewal-unusable');
    },
  );
});

function of(key: string) {
  return { name: 'countersign', key, password: undefined };
}
