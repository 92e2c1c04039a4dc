// Which hosts a server certificate is for, compared with Node's own rule.
import { X509Certificate } from 'node:crypto';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { checkName } from '../../../core/tls/server-certificate.ts';
import { createAuthorities } from '../../support/stage.ts';

const { customerRoot } = createAuthorities();

function isFor(name: string, certificate: X509Certificate): boolean {
  try {
    checkName(certificate, name);
    return true;
  } catch {
    return false;
  }
}

describe('a host with an underscore', () => {
  it.each([
    ['pay_api.example.com', '*.example.com', true],
    ['PAY_api.example.com', '*.EXAMPLE.com', true],
    ['api.my_zone.example.com', '*.my_zone.example.com', true],
    ['pay_api.example.com', 'pay_api.example.com', true],
    ['a.pay_api.example.com', '*.example.com', false],
    ['pay_api.com', '*.com', false],
    ['pay_api.example.com', '*.example.org', false],
    ['pay_api.example.com', 'pay-api.example.com', false],
    ['_.example.com', '*.example.com', true],
  ])('%s and a certificate for %s: %s', (host, name, isExpected) => {
    const { certificate } = customerRoot.issue({ commonName: 'api', names: [name], usage: 'server' });
    const parsed = new X509Certificate(certificate);
    expect(isFor(host, parsed)).toBe(isExpected);
    const peer = { subject: {}, subjectaltname: parsed.subjectAltName } as PeerCertificate;
    expect(checkServerIdentity(host, peer) === undefined).toBe(isExpected);
  });
});
