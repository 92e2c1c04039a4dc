// PEM and PKCS#7: the blocks of a text, and the certificates of a PKCS#7 structure.
import {
  type BerElement,
  derElement,
  derObjectIdentifier,
  derSetOf,
  oidOf,
  readBer,
  readOnlyBer,
  tag,
  X509Error,
} from './der.ts';
import { oids } from './oids.ts';

export interface PemBlock {
  /** The text after BEGIN, for keys and certificates by their content: `CERTIFICATE`, `EC PRIVATE KEY`, … */
  readonly label: string;
  /** From BEGIN to END, in lines of 64 characters; as it was found if it has headers or is damaged. */
  readonly text: string;
  /** RFC 1421's headers (`dek-info`), with names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** The octets; undefined if the text between the lines is not base64. */
  readonly bytes: Buffer | undefined;
  /** False if the END line is missing; `text` and `bytes` then reach up to the next block. */
  readonly hasEnd: boolean;
  /** Of OpenSSL's label `TRUSTED CERTIFICATE`; `text` does not have them. */
  readonly trust?: TrustSettings;
}

/** OpenSSL's X509_CERT_AUX: the purposes that `openssl x509 -addtrust` and `-addreject` set, as object identifiers. */
interface TrustSettings {
  /** Undefined: all purposes. */
  readonly trusted: readonly (string | undefined)[] | undefined;
  readonly rejected: readonly (string | undefined)[];
  /** The block with its label and settings. */
  readonly text: string;
}

/**
 * False if the trust settings of the block reject the purpose, or trust others only (OpenSSL's X509_check_trust).
 * @param purpose `oids.serverAuth` or `oids.clientAuth`
 */
export function isTrustedFor({ trust }: PemBlock, purpose: string): boolean {
  const isNamed = (list: readonly (string | undefined)[]) =>
    list.includes(purpose) || list.includes(oids.anyExtendedKeyUsage);
  return trust === undefined || (!isNamed(trust.rejected) && (trust.trusted === undefined || isNamed(trust.trusted)));
}

const beginLine = /-----BEGIN ([A-Z0-9 .#]{1,64})-----/g;

/**
 * The blocks in their order, undamaged or not; text around them is ignored. Line breaks may be spelled out or missing,
 * and the text may be base64 of PEM. PKCS#7 becomes one block for each certificate. Throws nothing.
 */
export function readPem(given: string): PemBlock[] {
  const text = plainPem(given);
  const starts = [...text.matchAll(beginLine)];
  return starts.flatMap((match, index) => {
    const label = match[1] as string;
    const endLine = `-----END ${label}-----`;
    const from = match.index + match[0].length;
    const upTo = starts[index + 1]?.index ?? text.length;
    const end = text.slice(from, upTo).indexOf(endLine);
    const stop = end === -1 ? upTo : from + end;
    const body = readBody(text.slice(from, stop));
    if (end !== -1 && body.bytes && body.headers.size === 0) return canonicalBlocks(label, body.bytes);
    const block = `${text.slice(match.index, stop)}${end === -1 ? '' : `${endLine}\n`}`;
    // A copy, not a slice: V8 keeps the text that a slice was cut from in memory.
    const copy = Buffer.from(block, 'latin1').toString('latin1');
    return [{ label, text: copy, ...body, hasEnd: end !== -1 }];
  });
}

/**
 * The blocks, one after the other, as OpenSSL and Node read them, with trust settings. A file without PEM is returned
 * as text.
 */
export function canonicalPem(file: Buffer | string): string {
  const text = typeof file === 'string' ? file : decodeText(file);
  const blocks = readPem(text);
  return blocks.length > 0 ? blocks.map((block) => block.trust?.text ?? block.text).join('') : text;
}

/** `where` names the text in the sentence. Throws X509Error `pem-malformed`: a block has no END line. */
export function pemBlocks(text: string, where: string): PemBlock[] {
  const blocks = readPem(text);
  if (blocks.every(({ hasEnd }) => hasEnd)) return blocks;
  throw new X509Error('pem-malformed', where, `${where} holds a PEM block that does not end.`);
}

/** The text that every program reads: OpenSSL and Node know fewer labels, and each wants lines. */
function canonicalBlocks(label: string, bytes: Buffer): PemBlock[] {
  const blockOf = (name: string, der: Buffer): PemBlock => {
    return { label: name, text: writePem(name, der), headers: new Map(), bytes: der, hasEnd: true };
  };
  if (/PRIVATE KEY$/.test(label)) return [blockOf(keyLabel(label, bytes), bytes)];
  if (!/^(TRUSTED |X509 )?CERTIFICATE$|^CMS$|^PKCS ?#?7/.test(label)) return [blockOf(label, bytes)];
  const certificates = certificatesIn(label, bytes);
  if (certificates === undefined) return [blockOf(label, bytes)];
  const rest = label.startsWith('TRUSTED') ? bytes.subarray(certificates[0]?.length) : undefined;
  const trust = rest?.length ? { trust: { ...trustSettings(rest), text: writePem(label, bytes) } } : {};
  return certificates.map((der) => ({ ...blockOf('CERTIFICATE', der), ...trust }));
}

/** OpenSSL writes them after the certificate. Settings that cannot be read trust no purpose. */
function trustSettings(bytes: Buffer): Omit<TrustSettings, 'text'> {
  let settings: BerElement | undefined;
  try {
    settings = readOnlyBer(bytes, 'TRUSTED CERTIFICATE');
  } catch {}
  if (settings?.tag !== tag.sequence) return { trusted: [], rejected: [] };
  const listOf = (kind: number) => settings.children.find((field) => field.tag === kind)?.children.map(oidOf);
  return { trusted: listOf(tag.sequence), rejected: listOf(tag.context0) ?? [] };
}

/** Undefined if there is no certificate where the label promises one. */
function certificatesIn(label: string, bytes: Buffer): readonly Buffer[] | undefined {
  const isPkcs7 = bytes[contentStart(bytes)] === tag.objectIdentifier;
  if (!isPkcs7 && !label.startsWith('TRUSTED')) return label.endsWith('CERTIFICATE') ? [bytes] : undefined;
  try {
    const node = readBer(bytes, label);
    const certificates = node && (isPkcs7 ? readPkcs7(node) : [node.whole]);
    return certificates?.length ? certificates : undefined;
  } catch {
    return undefined;
  }
}

const keyLabels = new Map<number | undefined, string>([
  [tag.sequence, 'PRIVATE KEY'],
  [tag.integer, 'RSA PRIVATE KEY'],
  [tag.octetString, 'EC PRIVATE KEY'],
]);

/** Programs write PKCS#8 under the labels of the older forms. All three forms begin with a version of one octet. */
function keyLabel(label: string, bytes: Buffer): string {
  if (!/^((RSA|EC|ANY) )?PRIVATE KEY$/.test(label)) return label;
  const start = contentStart(bytes);
  return (bytes[start] === tag.integer && keyLabels.get(bytes[start + 3])) || label;
}

/** Where the content of the first element begins. */
function contentStart(bytes: Buffer): number {
  const length = bytes[1] ?? 0;
  return 2 + (length > 0x80 ? length - 0x80 : 0);
}

const header = /^([A-Za-z][A-Za-z0-9-]{0,63}):(.*)$/;

function readBody(text: string): Pick<PemBlock, 'headers' | 'bytes'> {
  const headers = new Map<string, string>();
  const body: string[] = [];
  // On one line, a header ends at the next space.
  const isFlat = !/[\r\n]/.test(text.trim());
  const lines = isFlat ? text.replace(/: +/g, ':').split(/\s/) : text.split(/\r\n|\r|\n/);
  for (const line of lines.map(withoutQuotes)) {
    const match = body.length === 0 ? header.exec(line) : null;
    if (match) headers.set((match[1] as string).toLowerCase(), (match[2] as string).trim());
    else if (line !== '') body.push(line);
  }
  return { headers, bytes: decodeBase64(body.join('')) };
}

/** Lines that a program wrote as strings to be joined: `"MIIB…" +`, or with a comma. */
function withoutQuotes(line: string): string {
  return line
    .trim()
    .replace(/["']\s{0,8}[+.,;]?$/, '')
    .replace(/^["']/, '');
}

/** DER of one block as Node writes it. `readPem` reads any other. */
export function canonicalBytes(block: string): Buffer {
  return Buffer.from(block.replaceAll(/-----[^-]+-----/g, ''), 'base64');
}

/** One block with lines of 64 characters. */
export function writePem(label: string, der: Buffer): string {
  const lines = der.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

/**
 * DER of each certificate, in their order; undefined if the content is not a SignedData. Signatures are not verified:
 * each certificate has its own.
 */
export function readPkcs7(file: BerElement): readonly Buffer[] | undefined {
  const [type, content] = file.children;
  if (oidOf(type) !== oids.signedData) return undefined;
  const [signedData] = content?.children ?? [];
  // The fields before it are a version, a set and a sequence; `[1]` after it holds revocation lists.
  const certificates = signedData?.children.find((field) => field.tag === tag.context0)?.children ?? [];
  return certificates.filter((each) => each.tag === tag.sequence).map(({ whole }) => whole);
}

/** DER of a file that holds these certificates (DER). Windows and Java take it as a chain. */
export function writePkcs7(certificates: readonly Buffer[]): Buffer {
  const version1 = Buffer.of(tag.integer, 0x01, 0x01);
  // A SET OF is sorted in DER (X.690, section 11.6): the file does not keep the order of the chain.
  const sorted = certificates.toSorted(Buffer.compare);
  const content = derElement(
    tag.sequence,
    version1,
    derSetOf([]),
    derElement(tag.sequence, derObjectIdentifier(oids.data)),
    derElement(tag.context0, ...sorted),
    derSetOf([]),
  );
  return derElement(tag.sequence, derObjectIdentifier(oids.signedData), derElement(tag.context0, content));
}

/** A file as text. PowerShell and the editors of Windows write UTF-16, with or without a byte order mark. */
export function decodeText(bytes: Buffer): string {
  const [first, second, third] = bytes;
  if (first === 0xff && second === 0xfe) return bytes.toString('utf16le', 2);
  if (first === 0xfe && second === 0xff) return decodeBigEndian(bytes.subarray(2));
  if (first === 0xef && second === 0xbb && third === 0xbf) return bytes.toString('utf8', 3);
  const dashes = bytes.subarray(0, 512).indexOf('-\0-\0');
  if (dashes === -1) return bytes.toString('utf8');
  return dashes % 2 === 0 ? bytes.toString('utf16le') : decodeBigEndian(bytes);
}

function decodeBigEndian(bytes: Buffer): string {
  return Buffer.from(bytes.subarray(0, bytes.length & ~1))
    .swap16()
    .toString('utf16le');
}

const begin = '-----BEGIN ';
/** A secret that was encoded by hand is often encoded twice. */
const maxEncodings = 3;

/**
 * The text with real line breaks and without base64 around PEM. The backslash, the backquote, `%` and `&` are not
 * base64, so nothing of a key or certificate is lost. Text without PEM is returned as it is.
 */
export function plainPem(text: string): string {
  const found = decodeBase64Pem(text);
  const plain = found.includes('-----BEGIN%20') || found.includes('-----BEGIN+') ? decodeUrl(found) : found;
  if (!plain.includes(begin)) return text;
  return /[\\`%&]/.test(plain) ? decodeEscapes(plain) : plain;
}

function decodeEscapes(text: string): string {
  return text
    .replace(/\\{1,8}(?:[rnt\r\n]|u000[ad]|x0[ad]|01[25])|`[rnt]|%0[ad]|&#(?:10|13|x[ad]);/gi, '\n')
    .replace(/\\{1,8}(?:u002f|x2f)|\\{1,8}\/|%2f/gi, '/')
    .replace(/\\{1,8}(?:u002b|x2b)|%2b/gi, '+')
    .replace(/\\{1,8}(?:u003d|x3d)|%3d/gi, '=');
}

/** `encodeURIComponent`, nginx's $ssl_client_escaped_cert, and the form encoding, where a space is `+`. */
function decodeUrl(text: string): string {
  const spaced = text.includes('-----BEGIN+') ? text.replaceAll('+', ' ') : text;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return text;
  }
}

/** Base64 of a text that begins with `-----BEGIN`, as a value in YAML. */
const encodedPem = /LS0tLS1CRUdJTi[A-Za-z0-9+/]*(?:\s+[A-Za-z0-9+/]+)*={0,2}/g;

function decodeBase64Pem(text: string): string {
  let plain = text;
  for (let count = 0; count < maxEncodings && !plain.includes(begin); count += 1) {
    const whole = decodeBase64(plain.replace(/^\s*["']|["']\s*$/g, ''));
    if (!whole) break;
    plain = decodeText(whole);
  }
  if (plain.includes(begin)) return plain;
  return text.replace(encodedPem, (run) => `${Buffer.from(run, 'base64').toString('latin1')}\n`);
}

/** White space is ignored. Undefined if the text is empty or has any other character that is not base64. */
export function decodeBase64(text: string): Buffer | undefined {
  const digits = text.replaceAll(/\s/g, '');
  if (digits === '' || !/^[A-Za-z0-9+/]*={0,2}$/.test(digits)) return undefined;
  return Buffer.from(digits, 'base64');
}
