// The identity document: keys, defaults and errors; docs/identities.md lists each reason.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseDocument } from '../../../core/identity/document.ts';
import { unusableReasons } from '../../../core/identity/unusable.ts';
import { failureOf } from '../../support/identity/identities.ts';

const keys = { privateKey: 'k', certificate: 'c', intermediateCertificates: 'i', rootCertificate: 'r' };

describe('the identity document', () => {
  it('keeps unknown keys and gives absent ones their default', () => {
    const { intermediateCertificates: _, ...rest } = keys;
    const document = parseDocument(JSON.stringify({ ...rest, renewal: { issuer: 'x' }, note: 7 }));
    expect(document.intermediateCertificates).toBe('');
    expect(document.renewal).toEqual({ issuer: 'x' });
    expect(document.note).toBe(7);
    expect(document.destinations).toMatchObject([{ host: '*', port: 443, network: 'public' }]);
  });

  it.each([
    ['destination', 'destinations'],
    ['Destinations', 'destinations'],
    ['destinatons', 'destinations'],
    ['private_key', 'privateKey'],
    ['private-key', 'privateKey'],
    ['INTERMEDIATE_CERTIFICATES', 'intermediateCertificates'],
    ['rootCertificates', 'rootCertificate'],
    ['renewals', 'renewal'],
  ])('rejects %s: a typing error must not allow every host', async (key, meant) => {
    const failure = await failureOf(() => parseDocument(JSON.stringify({ ...keys, [key]: [] })));
    expect(failure.code).toBe('identity-unusable');
    expect(failure.evidence).toEqual({ reason: 'document-malformed', where: key });
    expect(failure.message).toBe(`"${key}" is not a key of the document; is "${meant}" meant?`);
  });

  it.each([
    'dest',
    'certificateArn',
    'owner',
    '',
    '__proto__',
    'privateKeyId2',
    'de-sti-na-tion-sets',
    'r'.repeat(9_999),
  ])('allows %.20s, which is not a misspelled key', (key) => {
    const text = `{${JSON.stringify(key)}: 1, ${JSON.stringify(keys).slice(1)}`;
    expect(parseDocument(text).certificate).toBe('c');
  });

  it('shares the default destinations, so that many identities do not each keep a list', () => {
    const text = JSON.stringify(keys);
    expect(parseDocument(text).destinations).toBe(parseDocument(text).destinations);
  });

  it('ignores a byte order mark', () => {
    expect(parseDocument(`\uFEFF${JSON.stringify(keys)}`).certificate).toBe('c');
  });

  it.each([
    ['SECRET-not-json', 'document-malformed', 'The identity document is not JSON.'],
    ['["SECRET"]', 'document-malformed', 'The identity document must be a JSON object.'],
    ['"SECRET"', 'document-malformed', 'The identity document must be a JSON object.'],
    ['null', 'document-malformed', 'The identity document must be a JSON object.'],
    [JSON.stringify({ ...keys, privateKey: undefined }), 'document-malformed', 'privateKey is missing.'],
    [JSON.stringify({ ...keys, privateKey: '' }), 'document-malformed', 'privateKey must not be empty.'],
    [JSON.stringify({ ...keys, certificate: ['SECRET'] }), 'document-malformed', 'certificate must be PEM text.'],
    [JSON.stringify({ ...keys, rootCertificate: null }), 'document-malformed', 'rootCertificate must be PEM text.'],
    [JSON.stringify({ ...keys, destinations: 'SECRET' }), 'destinations-malformed', 'destinations must be a list.'],
    [
      JSON.stringify({ ...keys, destinations: [{ host: 'a.example', port: 'SECRET' }] }),
      'destinations-malformed',
      'destinations[0].port must be a whole number from 1 to 65535.',
    ],
    [
      JSON.stringify({ ...keys, note: 'é'.repeat(33_000) }),
      'document-too-large',
      /has 66\d{3} bytes; 65536 is the most/,
    ],
  ])('rejects %.40s', async (text, reason, sentence) => {
    const failure = await failureOf(() => parseDocument(text));
    expect(failure.code).toBe('identity-unusable');
    expect(failure.evidence?.reason).toBe(reason);
    expect(failure.message).toMatch(sentence);
    expect(JSON.stringify([failure.message, failure.evidence, String(failure.cause)])).not.toContain('SECRET');
  });
});

it('docs/identities.md lists every reason for identity-unusable', () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../../docs/identities.md'), 'utf8');
  const table = page.slice(page.indexOf('| `evidence.reason` |'), page.indexOf('Not checked:'));
  const listed = table.split('\n').flatMap((row) => row.split('|')[1]?.match(/`([a-z-]+)`/g) ?? []);
  expect(listed).toEqual(unusableReasons.map((reason) => `\`${reason}\``));
});
