// When a renewal without Secrets Manager is due.
import { describe, expect, it } from 'vitest';
import { renewalDueAt } from '../../../core/rotation/renew.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { documentOf } from '../../support/stage.ts';

const day = 86_400_000;
const start = Date.UTC(2026, 0, 1);
const dates = (from: number, to: number) => ({
  notBefore: new Date(start + from * day),
  notAfter: new Date(start + to * day),
});

/** A document with a certificate of 90 days; its issuer ends on day `issuerEnds`. */
function documentUntil(issuerEnds: number): string {
  const root = createAuthority({ commonName: 'Root', ...dates(-10, 4_000) });
  const issuer = root.intermediate({ commonName: 'Issuer', ...dates(-10, issuerEnds) });
  return documentOf(issuer.issue({ commonName: 'bot', usage: 'client', ...dates(0, 90) }), []);
}

const dueDay = (document: string, beforeDays?: number) =>
  (renewalDueAt(document, beforeDays === undefined ? {} : { beforeDays }) - start) / day;

describe('a renewal is due', () => {
  it('after two thirds of the life, or by beforeDays', () => {
    const document = documentUntil(3_000);
    expect(dueDay(document)).toBe(60);
    expect(dueDay(document, 20)).toBe(70);
  });

  it('earlier if the chain ends earlier, but never in the first third', () => {
    const document = documentUntil(30);
    expect(dueDay(document)).toBe(20);
    expect(dueDay(document, 20)).toBe(10);
    expect(dueDay(document, 3_000)).toBe(10);
  });

  it('at once without a certificate', () => {
    expect(renewalDueAt('{"renewal":{}}', {})).toBe(0);
  });
});
