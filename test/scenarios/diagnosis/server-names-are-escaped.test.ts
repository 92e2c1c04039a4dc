// A server chooses the names in its certificates: no character of theirs steers a terminal, and none of any length
// fills an answer.
import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { asCountersignError, type CountersignError } from '../../../core/errors.ts';
import { checkName } from '../../../core/tls/server-certificate.ts';
import { outsideDates, verificationFailure } from '../../../core/tls/verification-failure.ts';
import { codes, findings, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { ecKey, type HostileCertificate, hostile, pemOf } from '../../support/diagnosis/hostile-certificate.ts';
import { serveTls } from '../../support/servers.ts';

const trial = useDiagnosing();
const own = ecKey();
const authority = ecKey();
const of = (fields: Partial<HostileCertificate>) =>
  hostile({ subject: 'api', issuer: 'Evil', key: own.publicKey, signer: authority.privateKey, ...fields });
const steering = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const evil = '\u202egnp.elpmaxe\u202c\u009b31m\u2028';

function thrownBy(check: () => void): CountersignError {
  try {
    check();
  } catch (thrown) {
    return asCountersignError(thrown);
  }
  return expect.fail('It passed.');
}

describe('an error of a call escapes', () => {
  const said = ({ message, evidence }: CountersignError) => [message, JSON.stringify(evidence)].join(' ');

  it('a subject', () => {
    const leaf = new X509Certificate(of({ subject: evil, issuer: evil }));
    const untrusted = Object.assign(new Error('untrusted'), { code: 'CERT_UNTRUSTED' });
    for (const error of [
      outsideDates(leaf, Date.now()),
      verificationFailure(untrusted, { chain: [leaf], serverRoots: undefined, now: Date.now() }),
    ]) {
      expect(said(error)).toMatch(/\\+E2\\+80\\+AEgnp\.elpmaxe/);
      expect(said(error)).not.toMatch(steering);
    }
  });

  it('the names that a certificate is for', () => {
    const names = [Buffer.from('x\u009by'), ...Array.from({ length: 30 }, () => Buffer.alloc(4800, 1))];
    const error = thrownBy(() => checkName(new X509Certificate(of({ names })), 'localhost'));
    expect(error.code).toBe('server-certificate-name-mismatch');
    expect(error.evidence?.names).toHaveLength(20);
    expect(said(error)).not.toMatch(steering);
    expect(said(error).length).toBeLessThan(2 * 20 * 300);
  });
});

it('a diagnosis escapes the same names', async () => {
  const names = Array.from({ length: 19 }, () => Buffer.alloc(4800, 1));
  const leaf = of({ subject: evil, issuer: evil, names, notAfter: '250201000000Z' });
  const privateKey = own.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const { port } = await serveTls({ ...trial.server, certificate: pemOf(leaf), privateKey }, () => {});
  const diagnosis = await trial.diagnose(port);
  expect(codes(diagnosis)).toContain('server-certificate-name-mismatch');
  expect(findings(diagnosis)[0]?.detail).toContain('202');
  const answer = JSON.stringify(diagnosis);
  expect(answer).not.toMatch(steering);
  expect(answer.length).toBeLessThan(40_000);
});
