// Reads keys and certificates from files of any format: recognised by content, bounded, every fault a finding.
import { isEncryptedPem } from '../../core/x509/keys.ts';
import { decodeBase64, decodeText, type PemBlock, plainPem, readPem } from '../../core/x509/pem.ts';
import { Collector } from './collector.ts';
import type { AskPassphrase, Contents, InputFile } from './contents.ts';
import { readEncryptedPem } from './encrypted-key.ts';
import { refused } from './finding.ts';
import { javaKeystoreKind, readJavaKeystore } from './java-keystore.ts';
import { most } from './limits.ts';
import { readObjects } from './read-object.ts';

/**
 * PEM, DER, PKCS#8, PKCS#12, PKCS#7, JKS and JCEKS (docs/import.md), each key and certificate once. A fault in a file
 * is a finding and does not keep the rest from being read. Rejects only with an error of `passphrase`.
 */
export async function readFiles(files: readonly InputFile[], passphrase: AskPassphrase): Promise<Contents> {
  const collector = new Collector(passphrase);
  if (files.length > most.files) {
    collector.finding('too-many-files', 'files', `${files.length} files were given; ${most.files} is the most.`);
  }
  for (const file of files.slice(0, most.files)) await collector.attempt(() => readFile(file, collector));
  return collector.contents();
}

async function readFile({ name, bytes: given }: InputFile, collector: Collector): Promise<void> {
  if (given.length === 0) throw refused('file-empty', name, `${name} is empty.`);
  if (given.length > most.fileBytes) {
    const sentence = `${name} has ${given.length} bytes; ${most.fileBytes} is the most.`;
    throw refused('file-too-large', name, sentence);
  }
  const bytes = Buffer.from(given.buffer, given.byteOffset, given.length);
  const kind = javaKeystoreKind(bytes);
  if (kind) return await readJavaKeystore(bytes, kind, name, collector);
  const foreign = foreignFormat(bytes);
  if (foreign) throw refused('format-unsupported', name, `${name} is ${foreign}`);
  const text = plainPem(decodeText(bytes));
  if (text.includes('-----BEGIN ')) return await readBlocks(text, name, collector);
  const isSequence = bytes[0] === 0x30;
  // DER in base64 without BEGIN and END lines: every SEQUENCE of 64 bytes or more begins like this.
  const bare = /^M[EFGHI]/.test(text) && text.length > 80 ? decodeBase64(text) : undefined;
  if (bare) return await readObjects(bare, name, collector);
  if (isSequence) return await readObjects(bytes, name, collector);
  throw refused('format-unknown', name, `${name} is neither a key nor a certificate nor a keystore.`);
}

async function readBlocks(text: string, name: string, collector: Collector): Promise<void> {
  const blocks = readPem(text);
  if (blocks.length > most.objects) {
    throw refused('too-many-objects', name, `${name} holds more than ${most.objects} PEM blocks.`);
  }
  if (blocks.length === 0) throw refused('pem-damaged', name, `${name} holds a PEM block whose first line is damaged.`);
  for (const [index, block] of blocks.entries()) {
    const where = blocks.length > 1 ? `${name}, block ${index + 1}` : name;
    await collector.attempt(() => readBlock(block, where, collector));
  }
}

async function readBlock(block: PemBlock, where: string, collector: Collector): Promise<void> {
  const { label, bytes, hasEnd } = block;
  if (label.startsWith('OPENSSH ')) {
    const sentence = `${where} is a key in OpenSSH's own format; write it as PKCS#8 with ssh-keygen -p -m PKCS8.`;
    throw refused('format-unsupported', where, sentence);
  }
  if (label.startsWith('PGP ') || label.startsWith('SSH2 ')) {
    throw refused('format-unsupported', where, `${where} is a key for PGP or SSH, not for TLS.`);
  }
  if (!hasEnd) throw refused('pem-damaged', where, `${where} is a PEM block without its END line.`);
  if (!bytes) throw refused('pem-damaged', where, `${where} is a PEM block whose text is not base64.`);
  if (isEncryptedPem(block)) return await collector.object(where, () => readEncryptedPem(block, where, collector));
  // Of curves and Diffie-Hellman groups: servers keep them beside their key.
  if (label.endsWith('PARAMETERS')) return;
  await readObjects(bytes, where, collector);
}

const convert = 'convert it to PKCS#12 with the program that wrote it.';

/** A format that holds keys and cannot be read: the end of a sentence that begins with the name of the file. */
function foreignFormat(bytes: Buffer): string | undefined {
  const text = bytes.subarray(0, 256).toString('latin1');
  if (text.startsWith('PuTTY-User-Key-File-')) return 'a key of PuTTY, which is for SSH and not for TLS.';
  if (text.startsWith('PK\u0003\u0004')) return 'a ZIP archive; unpack it and give the files in it.';
  if (text.startsWith('\u001f\u008b')) return 'a gzip archive; unpack it and give the files in it.';
  if (/^\s*(<!doctype|<html)/i.test(text)) return 'an HTML page, perhaps an error page in place of the download.';
  if (/^\s*\{/.test(text)) return 'JSON; an identity document or a JWK is not imported, but keys and certificates are.';
  if (isBouncyCastle(bytes)) return `a BKS or UBER keystore of Bouncy Castle; ${convert}`;
  return undefined;
}

/** org.bouncycastle.jcajce.provider.keystore.bc: a version from 0 to 2, the length of the salt (20), the salt. */
function isBouncyCastle(bytes: Buffer): boolean {
  return bytes.length > 32 && bytes.readUInt32BE(0) <= 2 && bytes.readUInt32BE(4) === 20;
}
