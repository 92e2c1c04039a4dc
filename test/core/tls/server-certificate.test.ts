import { X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import { checkName } from '../../../core/tls/server-certificate.ts';
import { createAuthority } from '../../../local/authority/authority.ts';

const authority = createAuthority({ commonName: 'Root' });
const carries = (pattern: string, name: string) => {
  const { certificate } = authority.issue({ commonName: 'server', names: [pattern], usage: 'server' });
  try {
    checkName(new X509Certificate(certificate), name);
    return true;
  } catch {
    return false;
  }
};

// RFC 9525, section 6.3.
it.each(['f*.example.com', '*f.example.com', 'f*o.example.com'])(
  'the partial wildcard %s matches no name',
  (pattern) => {
    expect(carries('*.example.com', 'foo.example.com')).toBe(true);
    expect(['foo', 'f', 'ff', 'fo'].map((label) => carries(pattern, `${label}.example.com`))).not.toContain(true);
  },
);
