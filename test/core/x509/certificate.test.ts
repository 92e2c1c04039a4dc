// Dates that cannot be read are recognised by their text: Node returns arbitrary Dates for them.
import { X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import { hasReadableDates, inDates } from '../../../core/x509/certificate.ts';
import { createAuthority } from '../../../local/authority/authority.ts';

const authority = createAuthority({ commonName: 'Authority' });
const dates = { notBefore: new Date('2020-01-01T00:00:00Z'), notAfter: new Date('2049-12-31T23:59:59Z') };
const sound = new X509Certificate(authority.issue({ commonName: 'sound', ...dates }).certificate);

function withDate(date: string, instead: string): X509Certificate {
  const der = Buffer.from(sound.raw);
  der.write(instead, der.indexOf(date), 'latin1');
  return new X509Certificate(der);
}

it('usage fields are read as authorities write them', () => {
  expect(hasReadableDates(sound)).toBe(true);
  expect(inDates(sound, Date.parse('2030-01-01'))).toBe(true);
});

it.each([
  ['200101000000Z', 'XX0101000000Z'],
  ['491231235959Z', '49XX31235959Z'],
  ['491231235959Z', '4912312359\u0000\u0000Z'],
])('usage fields are unreadable with %s as %j, at every read', (date, instead) => {
  // Once in thousands of times the Date is a valid one: none of these may be taken for it.
  for (let time = 0; time < 5_000; time++) {
    const certificate = withDate(date, instead);
    expect(hasReadableDates(certificate)).toBe(false);
    expect(inDates(certificate, Date.parse('2030-01-01'))).toBe(false);
  }
});
