// The `destinations` of an identity document, checked and brought into the one form that the guard compares.
import { X509Certificate } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import * as v from 'valibot';
import { oids } from '../x509/oids.ts';
import { isTrustedFor, readPem } from '../x509/pem.ts';
import { isOriginForm, parseAuthority } from './target.ts';

const hostWords = 'must be "*", "*." and a domain, a host name, or an address in its usual form, without a port';
const serverNameWords = 'must be a host name';
const rootsWords = 'must be PEM certificates';
const pinWords = 'must be "sha256/" and the base64 of 32 bytes';
const pinsWords = 'must be a list of at least one pin; leave it out to pin nothing';
const portWords = 'must be a whole number from 1 to 65535';
const tlsWords = 'must be "TLSv1.2" or "TLSv1.3"';
const statusWords = 'must be an HTTP status from 200 to 599';
const pathWords = 'must begin with "/" and hold only what a URL may hold there';
const methodWords = 'must be an HTTP method other than CONNECT';

/** RFC 9110, section 5.6.2: token. */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/;

/**
 * 43 digits of which the last carries 4 bits, and the padding: only one spelling of each hash, so pins compare as text.
 */
const pin = /^sha256\/[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

const probeSchema = v.strictObject(
  {
    method: v.exactOptional(
      v.pipe(
        v.string(methodWords),
        v.check((method) => token.test(method) && method !== 'CONNECT', methodWords),
      ),
      'GET',
    ),
    path: v.pipe(v.string(pathWords), v.check(isOriginForm, pathWords)),
    expectStatus: v.exactOptional(
      v.pipe(
        v.number(statusWords),
        v.check((status) => Number.isInteger(status) && status >= 200 && status <= 599, statusWords),
      ),
      200,
    ),
  },
  objectWords,
);

const destinationSchema = v.pipe(
  // Strict: a slip in the name of serverPins or requireMutual must not switch it off.
  v.strictObject(
    {
      host: normalised(normaliseHost, hostWords),
      port: v.exactOptional(
        v.pipe(
          v.number(portWords),
          v.check((port) => Number.isInteger(port) && port >= 1 && port <= 65_535, portWords),
        ),
        443,
      ),
      serverName: v.exactOptional(normalised(normaliseName, serverNameWords)),
      serverRoots: v.exactOptional(
        v.pipe(
          v.string(rootsWords),
          v.check(areTrusted, 'must not contain a TRUSTED CERTIFICATE that is not trusted for servers'),
          normalised(normaliseRoots, rootsWords),
        ),
      ),
      serverPins: v.exactOptional(
        v.pipe(v.array(v.pipe(v.string(pinWords), v.regex(pin, pinWords)), pinsWords), v.minLength(1, pinsWords)),
      ),
      minTlsVersion: v.exactOptional(v.picklist(['TLSv1.2', 'TLSv1.3'], tlsWords), 'TLSv1.2'),
      maxTlsVersion: v.exactOptional(v.picklist(['TLSv1.2', 'TLSv1.3'], tlsWords), 'TLSv1.3'),
      requireMutual: v.exactOptional(v.boolean('must be true or false'), false),
      network: v.exactOptional(
        v.picklist(['public', 'private', 'loopback'], 'must be "public", "private" or "loopback"'),
        'public',
      ),
      probe: v.exactOptional(probeSchema),
    },
    objectWords,
  ),
  v.check(
    ({ minTlsVersion, maxTlsVersion }) => minTlsVersion <= maxTlsVersion,
    'must not have a minTlsVersion above its maxTlsVersion',
  ),
);

/**
 * Absent: any public host on port 443. The result is `readonly Destination[]`. An issue's message is the end of a
 * sentence, which issueSentence completes; no message holds a value of the document.
 */
export const destinationsSchema = v.optional(
  v.pipe(
    v.array(destinationSchema, 'must be a list'),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      const seen = new Set<string>();
      for (const [key, destination] of dataset.value.entries()) {
        const place = `${destination.host} ${destination.port}`;
        if (seen.has(place)) {
          const item = { type: 'array', origin: 'value', input: dataset.value, key, value: destination } as const;
          addIssue({ message: 'has the host and port of an earlier destination', path: [item] });
        }
        seen.add(place);
      }
    }),
  ),
  [{ host: '*' }],
);

/** `destinations[2].port must be a whole number from 1 to 65535.` `root` is put before the issue's own path. */
export function issueSentence(issue: v.BaseIssue<unknown>, root = ''): string {
  let path = root;
  for (const { key } of issue.path ?? []) {
    if (typeof key === 'number') path += `[${key}]`;
    else if (/^[A-Za-z][A-Za-z0-9]{0,63}$/.test(String(key))) path += path ? `.${key}` : key;
    else path += `[${JSON.stringify(String(key).slice(0, 64))}]`;
  }
  return `${path} ${issue.message}.`.trimStart();
}

/** A strict object's three complaints, told apart by what valibot says it expected. */
export function objectWords({ expected }: { readonly expected: string | null }): string {
  if (expected === 'never') return 'is not a known setting';
  return expected === 'Object' ? 'must be an object' : 'is missing';
}

/** A string that `normalise` brings into its one form, or refuses with undefined. */
function normalised(normalise: (value: string) => string | undefined, words: string) {
  return v.pipe(v.string(words), v.transform(normalise), v.string(words));
}

function normaliseHost(value: string): string | undefined {
  if (value === '*') return value;
  if (value.startsWith('*.')) {
    const domain = normaliseName(value.slice(2));
    return domain === undefined ? undefined : `*.${domain}`;
  }
  if (isIPv6(value) || (value.startsWith('[') && value.endsWith(']'))) {
    return parseAuthority(value.startsWith('[') ? value : `[${value}]`)?.host;
  }
  // 010.0.0.1 is 8.0.0.1 to the URL standard and 10.0.0.1 to a reader: only the plain form is clear.
  return isIPv4(value) ? value : normaliseName(value);
}

function normaliseName(value: string): string | undefined {
  if (value.includes(':')) return undefined;
  const authority = parseAuthority(value);
  return authority && !authority.isAddress ? authority.host : undefined;
}

function areTrusted(pem: string): boolean {
  return readPem(pem).every((block) => isTrustedFor(block, oids.serverAuth));
}

/** The certificates alone, without what stands between them; undefined unless there is one and each can be read. */
function normaliseRoots(value: string): string | undefined {
  const blocks = readPem(value);
  const isUsable = blocks.every(({ label, text }) => label === 'CERTIFICATE' && isCertificate(text));
  return isUsable && blocks.length > 0 ? blocks.map(({ text }) => text).join('') : undefined;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}
