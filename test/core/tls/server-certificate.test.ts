// Which names a server certificate is for. Names with an underscore are compared with Node's own rule.
import { X509Certificate } from 'node:crypto';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { checkName } from '../../../core/tls/server-certificate.ts';
import { createAuthority } from '../../../local/authority/authority.ts';

const authority = createAuthority({ commonName: 'Root' });

function certificateFor(pattern: string): X509Certificate {
  return new X509Certificate(authority.issue({ commonName: 'server', names: [pattern], usage: 'server' }).certificate);
}

function isFor(name: string, certificate: X509Certificate): boolean {
  try {
    checkName(certificate, name);
    return true;
  } catch {
    return false;
  }
}

// RFC 9525, section 6.3.
it.each(['f*.example.com', '*f.example.com', 'f*o.example.com'])(
  'the partial wildcard %s matches no name',
  (pattern) => {
    expect(isFor('foo.example.com', certificateFor('*.example.com'))).toBe(true);
    const partial = certificateFor(pattern);
    expect(['foo', 'f', 'ff', 'fo'].map((label) => isFor(`${label}.example.com`, partial))).not.toContain(true);
  },
);

describe('a host with an underscore is compared as Node compares it', () => {
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
    const certificate = certificateFor(name);
    expect(isFor(host, certificate)).toBe(isExpected);
    const peer = { subject: {}, subjectaltname: certificate.subjectAltName } as PeerCertificate;
    expect(checkServerIdentity(host, peer) === undefined).toBe(isExpected);
  });
});
