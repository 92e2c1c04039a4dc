// A passphrase in the encodings that the formats want.
import { refused } from './finding.ts';
import { most } from './limits.ts';

export interface Secret {
  /** PBES1, PBES2 and PBMAC1 (RFC 8018; RFC 9579, section 5), and what OpenSSL writes. */
  readonly utf8: Buffer;
  /** Java's own keystores: two octets for each char, the higher first. */
  readonly utf16: Buffer;
  /** PKCS#12 (RFC 7292, appendix B.1): the same with two octets of zero behind it. */
  readonly bmp: Buffer;
}

/** `undefined`: no passphrase at all, which in PKCS#12 is something else than the empty one. Throws `passphrase-wrong`. */
export function secretOf(passphrase: string | undefined, where: string): Secret {
  const utf8 = Buffer.from(passphrase ?? '');
  if (utf8.length > most.passphraseBytes) {
    const sentence = `The passphrase given for ${where} is longer than ${most.passphraseBytes} bytes.`;
    throw refused('passphrase-wrong', where, sentence);
  }
  const utf16 = Buffer.from(passphrase ?? '', 'utf16le').swap16();
  const bmp = passphrase === undefined ? Buffer.alloc(0) : Buffer.concat([utf16, Buffer.alloc(2)]);
  return { utf8, utf16, bmp };
}
