// The callers file: who can call, and what each caller is allowed to use. A file with any error is rejected as a whole.
import { hash, timingSafeEqual, type X509Certificate } from 'node:crypto';
import { consoleRoutes } from '../../console/routes.ts';
import { CountersignError } from '../../core/errors.ts';
import { identityNamePattern } from '../../core/settings.ts';
import { readCertificateFields } from '../../core/x509/certificate.ts';
import {
  attributeName,
  exactKey,
  parseName,
  type RelativeName,
  readRelativeNames,
} from '../../core/x509/distinguished-name.ts';
import type { RouteMatch } from '../../listener/route.ts';
import { serveRoutes } from '../http/serve-routes.ts';

export interface Caller {
  /** For the log. */
  readonly name: string;
  readonly identities: ReadonlySet<string> | '*';
  /** Whether the caller can read /metrics. */
  readonly metrics: boolean;
}

export interface Callers {
  /** Takes the same time for every token, known or not. */
  byToken(token: string): Caller | undefined;
  /** An entry for the whole subject wins over one for the common name. The certificate must be verified already. */
  byCertificate(certificate: X509Certificate): Caller | undefined;
  /** Whether an entry names a subject or a common name. */
  readonly needsClientCa: boolean;
}

export function mayUse({ identities }: Caller, identity: string): boolean {
  return identities === '*' || identities.has(identity);
}

/** Throws `caller-forbidden`. Without authentication, `caller` is undefined and every route is allowed. */
export function requireAllowed(caller: Caller | undefined, route: RouteMatch): void {
  if (caller === undefined) return;
  if (route.routeKey === serveRoutes.metrics) {
    if (caller.metrics) return;
    throw new CountersignError('caller-forbidden', `Caller ${caller.name} is not allowed to read the metrics.`, {
      evidence: { reason: 'metrics' },
      hint: 'The operator of this installation must give the caller "metrics": true.',
    });
  }
  // The console shows each caller only the identities that it can use.
  if (route.routeKey === consoleRoutes.state) return;
  const identity = route.pathParameters?.identity;
  // A route without an identity is denied unless it is listed above.
  if (identity !== undefined && mayUse(caller, identity)) return;
  throw new CountersignError('caller-forbidden', `Caller ${caller.name} is not allowed to use that identity.`, {
    evidence: { reason: 'identity' },
  });
}

const maxCallers = 1_000;
const keys = new Set(['name', 'subject', 'commonName', 'tokenSha256', 'identities', 'metrics']);

/**
 * @param file its name, for the error
 * Throws an Error with one sentence that names the entry and quotes nothing that could be a token.
 */
export function parseCallers(text: string, file: string): Callers {
  const entries = parseJson(text, file);
  if (!Array.isArray(entries) || entries.length === 0 || entries.length > maxCallers) {
    throw new Error(`${file} must be a list of 1 to ${maxCallers} callers.`);
  }
  const names = new Set<string>();
  const tokens: { readonly digest: Buffer; readonly caller: Caller }[] = [];
  const subjects = new Map<string, Caller>();
  const commonNames = new Map<string, Caller>();
  for (const [index, entry] of entries.entries()) {
    const reject = (what: string): never => {
      throw new Error(`${file}: caller ${index + 1} ${what}.`);
    };
    const caller = parseCaller(entry, reject);
    if (names.has(caller.name)) reject('has the same name as another caller');
    names.add(caller.name);

    const { subject, commonName, tokenSha256 } = entry;
    if ([subject, commonName, tokenSha256].filter((one) => one !== undefined).length !== 1) {
      reject('must have exactly one of subject, commonName and tokenSha256');
    }
    if (tokenSha256 !== undefined) {
      if (typeof tokenSha256 !== 'string' || !/^[0-9a-f]{64}$/i.test(tokenSha256)) {
        reject('must have a tokenSha256 of 64 hexadecimal digits: the SHA-256 of the token');
      }
      const digest = Buffer.from(tokenSha256, 'hex');
      if (tokens.some((other) => other.digest.equals(digest))) reject('has the same token as another caller');
      tokens.push({ digest, caller });
    } else if (commonName !== undefined) {
      if (typeof commonName !== 'string' || commonName === '') reject('must have a non-empty string as commonName');
      if (commonNames.has(commonName)) reject('has the same commonName as another caller');
      commonNames.set(commonName, caller);
    } else {
      const key = typeof subject === 'string' ? subjectKey(subject) : undefined;
      if (key === undefined) throw reject('must have a subject such as CN=bot-runtime,O=Acme (RFC 4514)');
      if (subjects.has(key)) reject('has the same subject as another caller');
      subjects.set(key, caller);
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

function parseCaller(entry: unknown, reject: (what: string) => never): Caller {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return reject('is not an object');
  const unknown = Object.keys(entry).find((key) => !keys.has(key));
  if (unknown !== undefined) {
    // Quoted only if it is a plain word: a token may be there by mistake.
    reject(`has ${/^[A-Za-z]{1,20}$/.test(unknown) ? `an unknown key: ${unknown}` : 'an unknown key'}`);
  }
  const { name, identities, metrics = false } = entry as Record<string, unknown>;
  if (typeof name !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) {
    return reject('must have a name of at most 64 letters, digits, dots, hyphens and underscores');
  }
  if (typeof metrics !== 'boolean') return reject('must have true or false for metrics');
  if (identities === '*') return { name, identities, metrics };
  const isList =
    Array.isArray(identities) && identities.every((one) => typeof one === 'string' && identityNamePattern.test(one));
  if (!isList) return reject('must have "*" or a list of identity names for identities');
  return { name, identities: new Set(identities as string[]), metrics };
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    // Without the parser's message, which quotes the file.
    throw new Error(`${file} is not JSON.`);
  }
}

/** Looks up a subject (RFC 4514); values are case-sensitive. Undefined if `text` is not a distinguished name. */
export function subjectKey(text: string): string | undefined {
  try {
    return exactKey(parseName(text));
  } catch {
    return undefined;
  }
}

interface SubjectNames {
  readonly key?: string;
  readonly commonName?: string;
}

const namesByCertificate = new WeakMap<X509Certificate, SubjectNames>();

/** `key` is the subjectKey(). Computed once for each certificate: every request of a connection needs it. */
export function namesOf(certificate: X509Certificate): SubjectNames {
  const before = namesByCertificate.get(certificate);
  if (before !== undefined) return before;
  const subject = readCertificateFields(certificate.raw)?.subject;
  const parts = (subject && readRelativeNames(subject)) ?? [];
  const commonName = commonNameOf(parts);
  const names = {
    ...(parts.length > 0 && { key: exactKey(parts) }),
    ...(commonName !== undefined && { commonName }),
  };
  namesByCertificate.set(certificate, names);
  return names;
}

/** Undefined unless there is exactly one common name. */
function commonNameOf(parts: readonly RelativeName[]): string | undefined {
  const names = parts.flat().filter((attribute) => attributeName(attribute) === 'CN');
  return names.length === 1 ? names[0]?.text : undefined;
}
