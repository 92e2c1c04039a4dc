// The one-time token with which step-ca signs a first certificate: a JWT, signed with the key of a JWK provisioner.
import { randomBytes } from 'node:crypto';
import { calculateJwkThumbprint, compactDecrypt, importJWK, type JWK, SignJWT } from 'jose';
import { settingUnusable } from '../identity/unusable.ts';

export interface Provisioner {
  readonly name: string;
  /** Private JWK (RFC 7517) as JSON, or the `encryptedKey` of the provisioner as step-ca keeps it (RFC 7516, compact). */
  readonly key: string;
  /** For the encrypted form. */
  readonly password: string | undefined;
}

/** step-ca's own client gives a token five minutes. */
const lifetimeSeconds = 300;
/** smallstep writes 100,000 to 600,000 rounds; jose allows 10,000 unless told. */
const mostRounds = 1_000_000;

/**
 * Claims as step-ca checks them (its provisioner of type JWK): it finds the provisioner by issuer and key id, holds the
 * common name of the request against `sub` and its alternative names against `sans`, and takes each `jti` once. So the
 * `jti` is random: a token whose answer was lost could never be used again. `signUrl` must name the authority as its
 * `dnsNames` do. `now` is in milliseconds. Throws `renewal-unusable`, which never quotes the key.
 */
export async function oneTimeToken(
  provisioner: Provisioner,
  signUrl: string,
  { subject, names }: { readonly subject: string; readonly names: readonly string[] },
  now: number,
): Promise<string> {
  const jwk = await privateJwk(provisioner);
  const algorithm = algorithmOf(jwk);
  const issuedAt = Math.floor(now / 1000);
  try {
    const keyId = jwk.kid ?? (await calculateJwkThumbprint(jwk));
    return await new SignJWT({ sans: names.length > 0 ? [...names] : [subject] })
      .setProtectedHeader({ alg: algorithm, kid: keyId, typ: 'JWT' })
      .setIssuer(provisioner.name)
      .setAudience(signUrl)
      .setSubject(subject)
      .setJti(randomBytes(32).toString('hex'))
      .setIssuedAt(issuedAt)
      .setNotBefore(issuedAt)
      .setExpirationTime(issuedAt + lifetimeSeconds)
      .sign(await importJWK(jwk, algorithm));
  } catch {
    throw settingUnusable('renewal: issuer.provisionerKey cannot sign.');
  }
}

async function privateJwk({ key, password }: Provisioner): Promise<JWK> {
  const text = key.trim();
  const json = text.startsWith('{') ? text : await decrypted(text, password);
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    throw settingUnusable('renewal: issuer.provisionerKey is not a JWK.');
  }
  const jwk = (typeof parsed === 'object' && parsed !== null ? parsed : {}) as JWK;
  if (
    typeof jwk.kty !== 'string' ||
    typeof jwk.d !== 'string' ||
    (jwk.kid !== undefined && typeof jwk.kid !== 'string')
  ) {
    throw settingUnusable('renewal: issuer.provisionerKey must be a private JWK.');
  }
  return jwk;
}

async function decrypted(text: string, password: string | undefined): Promise<string> {
  if (password === undefined) {
    throw settingUnusable('renewal: issuer.provisionerKey is encrypted, and there is no issuer.provisionerPassword.');
  }
  try {
    const { plaintext } = await compactDecrypt(text, new TextEncoder().encode(password), {
      keyManagementAlgorithms: ['PBES2-HS256+A128KW', 'PBES2-HS384+A192KW', 'PBES2-HS512+A256KW'],
      maxPBES2Count: mostRounds,
    });
    return new TextDecoder().decode(plaintext);
  } catch {
    throw settingUnusable('renewal: issuer.provisionerKey cannot be decrypted with issuer.provisionerPassword.');
  }
}

/** RFC 7518, section 3.1, and RFC 8037: what the type of the key leaves to choose is read from its `alg`. */
function algorithmOf({ kty, crv, alg }: JWK): string {
  if (kty === 'EC' && crv === 'P-256') return 'ES256';
  if (kty === 'EC' && crv === 'P-384') return 'ES384';
  if (kty === 'EC' && crv === 'P-521') return 'ES512';
  if (kty === 'OKP' && crv === 'Ed25519') return 'EdDSA';
  if (kty === 'RSA') return typeof alg === 'string' && /^[RP]S(256|384|512)$/.test(alg) ? alg : 'RS256';
  throw settingUnusable('renewal: issuer.provisionerKey must be an EC, RSA or Ed25519 key.');
}
