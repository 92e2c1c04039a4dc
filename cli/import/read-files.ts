// Reads keys and certificates out of files, whatever they are called: told by content, bounded, every fault a finding.
import { readBer } from './ber.ts';
import { Collector } from './collector.ts';
import type { AskPassphrase, Contents, InputFile } from './contents.ts';
import { isEncrypted, readEncryptedPem } from './encrypted-key.ts';
import { refused } from './finding.ts';
import { foreignFormat } from './foreign.ts';
import { javaKeystoreKind, readJavaKeystore } from './java-keystore.ts';
import { most } from './limits.ts';
import { fromBase64, type PemBlock, pemBlocks, textOf } from './pem.ts';
import { readObjects } from './read-object.ts';

/**
 * PEM, DER, PKCS#8, PKCS#12, PKCS#7, JKS and JCEKS (docs/import.md), each key and certificate once. Never throws for what is
 * in a file: each fault is a finding, and what is whole is read all the same. What `passphrase` throws is thrown on.
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
  const text = textOf(bytes);
  if (text.includes('-----BEGIN ')) return await readPem(text, name, collector);
  const isSequence = bytes[0] === 0x30;
  // DER in base64 without the lines around it: every SEQUENCE of 64 bytes and more begins so, and hardly a word does.
  const bare = /^M[EFGHI]/.test(text) && text.length > 80 ? fromBase64(text) : undefined;
  if (bare) return await readObjects(bare, name, collector);
  if (isSequence) return await readObjects(bytes, name, collector);
  throw refused('format-unknown', name, `${name} is neither a key nor a certificate nor a keystore.`);
}

async function readPem(text: string, name: string, collector: Collector): Promise<void> {
  const blocks = pemBlocks(text, name, most.objects);
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
  if (isEncrypted(block)) return await collector.object(where, () => readEncryptedPem(block, where, collector));
  // OpenSSL's TRUSTED CERTIFICATE has its trust settings behind the certificate.
  if (label === 'TRUSTED CERTIFICATE') return await collector.object(where, () => readTrusted(bytes, where, collector));
  await readObjects(bytes, where, collector);
}

function readTrusted(bytes: Buffer, where: string, collector: Collector): void {
  const node = readBer(bytes, where);
  if (!node) throw refused('certificate-damaged', where, `${where} holds a certificate that cannot be read.`);
  collector.certificate(node.whole, where);
}
