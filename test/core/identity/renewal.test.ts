// `renewal` of an identity document: an error names the key and never quotes the value.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { keyAlgorithms, parseRenewal } from '../../../core/identity/renewal.ts';
import { failureOf } from '../../support/identity/identities.ts';

const manual = { issuer: { kind: 'manual' } };
const aws = (more: object) => ({ issuer: { kind: 'aws-private-ca', certificateAuthorityArn: 'arn:…', ...more } });
const est = { kind: 'est', url: 'https://est.localhost:8443', roots: '-----BEGIN CERTIFICATE-----' };

describe('a renewal', () => {
  it('replaces the key and blocks on rejection by default', () => {
    expect(parseRenewal(manual)).toEqual({ ...manual, reuseKey: false, onRejection: 'block' });
  });

  it.each(keyAlgorithms)('can request a key of %s', (keyAlgorithm) => {
    expect(parseRenewal({ ...manual, keyAlgorithm }).keyAlgorithm).toBe(keyAlgorithm);
  });

  it.each<[unknown, string]>([
    [undefined, 'must be an object'],
    [null, 'must be an object'],
    ['SECRET', 'must be an object'],
    [['SECRET'], 'issuer is missing'],
    [{}, 'issuer is missing'],
    [{ issuer: 'SECRET' }, 'issuer must be an object'],
    [{ issuer: {} }, 'issuer.kind must be aws-private-ca, step-ca, est, manual or local'],
    [{ issuer: { kind: 'SECRET' } }, 'issuer.kind must be aws-private-ca, step-ca, est, manual or local'],
    [{ issuer: { kind: 'manual', url: 'SECRET' } }, 'issuer.url is not a known setting'],
    [{ issuer: { kind: 'local' } }, 'issuer.url is missing'],
    [{ issuer: { kind: 'local', url: 7 } }, 'issuer.url must be text'],
    [{ issuer: { kind: 'aws-private-ca' } }, 'issuer.certificateAuthorityArn is missing'],
    ...[0, -1, 1.5, 3651, Number.NaN, '90'].map((validityDays): [unknown, string] => [
      aws({ validityDays }),
      'issuer.validityDays must be a whole number of days from 1 to 3650',
    ]),
    ...[
      'arn:aws:acm-pca:::template/EndEntityCertificate/V1',
      'arn:aws:acm-pca:::template/SubordinateCACertificate_PathLen0/V1',
      'arn:aws:acm-pca:::template/EndEntityClientAuthCertificate/V1/../SubordinateCACertificate_PathLen0/V1',
      'EndEntityClientAuthCertificate/V1',
    ].map((templateArn): [object, string] => [
      aws({ templateArn }),
      'issuer.templateArn must name an EndEntityClientAuthCertificate template: the role of the rotation function allows no other',
    ]),
    [
      aws({ signingAlgorithm: 'SECRET' }),
      'issuer.signingAlgorithm must be one of SHA256WITHECDSA, SHA384WITHECDSA, SHA512WITHECDSA, SHA256WITHRSA, SHA384WITHRSA, SHA512WITHRSA',
    ],
    [{ issuer: { ...est, url: 'http://SECRET' } }, 'issuer.url must be an https URL'],
    [{ issuer: { ...est, pasword: 'SECRET' } }, 'issuer.pasword is not a known setting'],
    [{ ...manual, reusekey: true }, 'reusekey is not a known setting'],
    [{ ...manual, reuseKey: 'SECRET' }, 'reuseKey must be true or false'],
    [
      { ...manual, keyAlgorithm: 'SECRET' },
      'keyAlgorithm must be one of EC_P256, EC_P384, RSA_2048, RSA_3072, RSA_4096',
    ],
    [{ ...manual, subject: '' }, 'subject must not be empty'],
    [{ ...manual, names: 'SECRET' }, 'names must be a list'],
    [{ ...manual, names: ['dns:a', 7] }, 'names[1] must be text'],
    [{ ...manual, onRejection: 'SECRET' }, 'onRejection must be "block" or "proceed"'],
  ])('%j is rejected', async (renewal, words) => {
    const failure = await failureOf(() => parseRenewal(renewal));
    expect([failure.code, failure.message]).toEqual(['renewal-unusable', `renewal: ${words}.`]);
    expect(failure.evidence).toEqual({ reason: 'renewal-malformed' });
  });

  it('has each of its members in docs/identities.md', () => {
    const page = readFileSync(join(import.meta.dirname, '../../../docs/identities.md'), 'utf8');
    const rows = [...(page.split('## `renewal`')[1]?.split('\n## ')[0] ?? '').matchAll(/^\| `(\w+)` \|/gm)];
    expect(rows.map(([, key]) => key)).toEqual([
      'issuer',
      'keyAlgorithm',
      'reuseKey',
      'subject',
      'names',
      'beforeDays',
      'onRejection',
    ]);
  });
});
