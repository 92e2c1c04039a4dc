// Documents damaged in thousands of ways: each is an unusable identity or the same one, and no other error occurs.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CountersignError } from '../../../core/errors.ts';
import { checkIdentity } from '../../../core/identity/check.ts';
import { makeChain, makeKeys, store } from '../../support/identity/identities.ts';

const now = Date.now();
const keys = makeKeys(makeChain());

/** The code that checking ends in; anything but a CountersignError goes on to fail the test. */
function codeOf(document: object | string): string {
  try {
    checkIdentity('platform', store(document), now);
    return 'usable';
  } catch (thrown) {
    if (thrown instanceof CountersignError) return thrown.code;
    throw thrown;
  }
}

function flipBit(pem: string, position: number): string {
  const [begin = '', ...lines] = pem.trimEnd().split('\n');
  const end = lines.pop();
  const der = Buffer.from(lines.join(''), 'base64');
  const at = position % (der.length * 8);
  der[at >> 3] = (der[at >> 3] as number) ^ (1 << (at & 7));
  return `${begin}\n${der.toString('base64').replace(/.{64}/g, '$&\n')}\n${end}\n`;
}

describe('a damaged document', () => {
  it('with one changed bit in one certificate is unusable, and causes no other error', () => {
    const key = fc.constantFrom('certificate', 'intermediateCertificates', 'rootCertificate');
    fc.assert(
      fc.property(key, fc.nat(), (name, position) => {
        expect(codeOf({ ...keys, [name]: flipBit(keys[name], position) })).toBe('identity-unusable');
      }),
      { numRuns: 2_000 },
    );
  });

  it('with one changed bit in the key is unusable, or has the same key', () => {
    fc.assert(
      fc.property(fc.nat(), (position) => {
        expect(['identity-unusable', 'usable']).toContain(
          codeOf({ ...keys, privateKey: flipBit(keys.privateKey, position) }),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('made of any JSON or any text is unusable', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        expect(codeOf(text)).toBe('identity-unusable');
      }),
      { numRuns: 300 },
    );
  });

  it('with any value under any key is unusable or still valid', () => {
    const name = fc.constantFrom(...Object.keys(keys), 'destinations', 'renewal', '__proto__');
    fc.assert(
      fc.property(name, fc.jsonValue(), (key, value) => {
        const text = JSON.stringify(keys).replace(/}$/, `,${JSON.stringify(key)}:${JSON.stringify(value)}}`);
        expect(['identity-unusable', 'usable']).toContain(codeOf(text));
      }),
      { numRuns: 300 },
    );
  });
});
