// Who may call: the callers file, read as a whole or refused as a whole.
import { hash, timingSafeEqual, type X509Certificate } from 'node:crypto';
import { identityNamePattern } from '../../core/settings.ts';
import { namesOf, parseSubject, subjectKey } from './subject.ts';

export interface Caller {
  /** For lines. */
  readonly name: string;
  readonly identities: ReadonlySet<string> | '*';
  /** May read /metrics. */
  readonly metrics: boolean;
}

export interface Callers {
  /** Takes as long whichever token it is, and whether there is such a one. */
  byToken(token: string): Caller | undefined;
  /** The whole subject counts before the common name alone. Whether the certificate is trusted is not asked here. */
  byCertificate(certificate: X509Certificate): Caller | undefined;
  readonly needsClientCa: boolean;
}

export function mayUse({ identities }: Caller, identity: string): boolean {
  return identities === '*' || identities.has(identity);
}

const maxCallers = 1_000;
const keys = new Set(['name', 'subject', 'commonName', 'tokenSha256', 'identities', 'metrics']);

/** Throws an Error with one sentence that names the entry; `file` is for the sentence. */
export function parseCallers(text: string, file: string): Callers {
  const entries = readJson(text, file);
  if (!Array.isArray(entries) || entries.length === 0 || entries.length > maxCallers) {
    throw new Error(`${file} must be a list of 1 to ${maxCallers} callers.`);
  }
  const names = new Set<string>();
  const tokens: { readonly digest: Buffer; readonly caller: Caller }[] = [];
  const subjects = new Map<string, Caller>();
  const commonNames = new Map<string, Caller>();
  for (const [index, entry] of entries.entries()) {
    const refuse = (what: string): never => {
      throw new Error(`${file}: caller ${index + 1} ${what}.`);
    };
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) refuse('is not an object');
    const unknown = Object.keys(entry).find((key) => !keys.has(key));
    // Nothing but a plain name is quoted: a token may have slipped there.
    if (unknown !== undefined)
      refuse(`has ${/^[A-Za-z]{1,20}$/.test(unknown) ? `the key ${unknown}, which` : 'a key that'} no caller has`);
    const caller = readCaller(entry, refuse);
    if (names.has(caller.name)) refuse('has the name of another');
    names.add(caller.name);

    const { subject, commonName, tokenSha256 } = entry;
    if ([subject, commonName, tokenSha256].filter((one) => one !== undefined).length !== 1) {
      refuse('must have exactly one of subject, commonName and tokenSha256');
    }
    if (tokenSha256 !== undefined) {
      if (typeof tokenSha256 !== 'string' || !/^[0-9a-f]{64}$/i.test(tokenSha256)) {
        refuse('must have as its tokenSha256 the SHA-256 of the token, 64 hexadecimal digits');
      }
      const digest = Buffer.from(tokenSha256, 'hex');
      if (tokens.some((other) => other.digest.equals(digest))) refuse('has the token of another');
      tokens.push({ digest, caller });
    } else if (commonName !== undefined) {
      if (typeof commonName !== 'string' || commonName === '') refuse('must have a text as its commonName');
      if (commonNames.has(commonName)) refuse('has the commonName of another');
      commonNames.set(commonName, caller);
    } else {
      const parsed = typeof subject === 'string' ? parseSubject(subject) : undefined;
      if (parsed === undefined)
        throw refuse('must have as its subject a name such as CN=bot-runtime,O=Acme (RFC 4514)');
      if (subjects.has(subjectKey(parsed))) refuse('has the subject of another');
      subjects.set(subjectKey(parsed), caller);
    }
  }
  return {
    byToken(token) {
      const digest = hash('sha256', token, 'buffer');
      let found: Caller | undefined;
      for (const one of tokens) if (timingSafeEqual(one.digest, digest)) found = one.caller;
      return found;
    },
    byCertificate(certificate) {
      const { key = '', commonName = '' } = namesOf(certificate);
      return subjects.get(key) ?? commonNames.get(commonName);
    },
    needsClientCa: subjects.size + commonNames.size > 0,
  };
}

function readCaller(entry: Record<string, unknown>, refuse: (what: string) => never): Caller {
  const { name, identities, metrics = false } = entry;
  if (typeof name !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) {
    return refuse('must have a name of at most 64 letters, digits, dots, hyphens and underscores');
  }
  if (typeof metrics !== 'boolean') return refuse('must have true or false for metrics');
  if (identities === '*') return { name, identities, metrics };
  const isList =
    Array.isArray(identities) && identities.every((one) => typeof one === 'string' && identityNamePattern.test(one));
  if (!isList) return refuse('must have "*" or a list of names of identities for identities');
  return { name, identities: new Set(identities as string[]), metrics };
}

function readJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    // Never the parser's own words, which quote the file.
    throw new Error(`${file} is not JSON.`);
  }
}
