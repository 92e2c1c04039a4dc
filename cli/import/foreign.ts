// Names the formats that hold keys and are not read, so that whoever gives one is told what to do.

const convert = 'convert it to PKCS#12 with the program that wrote it.';

/** The end of a sentence that begins with the name of the file; undefined when it is none of them. */
export function foreignFormat(bytes: Buffer): string | undefined {
  const text = bytes.subarray(0, 256).toString('latin1');
  if (text.startsWith('PuTTY-User-Key-File-')) return 'a key of PuTTY, which is for SSH and not for TLS.';
  if (text.startsWith('PK\u0003\u0004')) return 'a ZIP archive; unpack it and give the files in it.';
  if (text.startsWith('\u001f\u008b')) return 'a gzip archive; unpack it and give the files in it.';
  if (/^\s*(<!doctype|<html)/i.test(text)) return 'an HTML page, perhaps an error page in place of the download.';
  if (/^\s*\{/.test(text)) return 'JSON; an identity document or a JWK is not imported, but keys and certificates are.';
  if (isBouncyCastle(bytes)) return `a BKS or UBER keystore of Bouncy Castle; ${convert}`;
  return undefined;
}

/** org.bouncycastle.jcajce.provider.keystore.bc: a version from 0 to 2, the length of the salt, which is 20, the salt. */
function isBouncyCastle(bytes: Buffer): boolean {
  return bytes.length > 32 && bytes.readUInt32BE(0) <= 2 && bytes.readUInt32BE(4) === 20;
}
