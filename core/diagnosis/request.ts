// The diagnosis request: which endpoint, within what time, and which harmless request shows that access is granted.
import { isOriginForm } from '../destination/target.ts';
import { checkMembers, invalidRequest, parseFields, readTimeout, readUrl } from '../json-request.ts';

/**
 * Read-only and repeatable (RFC 9110, sections 9.2.1 and 9.2.2): any caller can ask for a diagnosis at any time.
 */
const harmlessMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

interface RequestedProbe {
  readonly method: string;
  readonly path: string;
}

export interface DiagnosisRequest {
  /** A name that an identity can have. */
  readonly identity: string;
  readonly url: string;
  /** `none`: not a byte is sent after the handshake. Undefined: whatever the destination has, else `GET /`. */
  readonly probe: RequestedProbe | 'none' | undefined;
  readonly timeoutMs: number;
}

/** A URL and a path have 8,192 each. */
const mostLength = 64 * 1024;

/** docs/api.md has a row for each. */
export const knownDiagnosisFields: ReadonlySet<string> = new Set(['url', 'probe', 'timeoutMs']);
const knownProbeFields: ReadonlySet<string> = new Set(['method', 'path']);

/**
 * Parses the JSON body of a request. Throws `invalid-request`, whose evidence names the field.
 * @param remainingMs milliseconds that the platform has left for the diagnosis
 */
export function parseDiagnosisRequest(
  identity: string,
  text: string,
  remainingMs = Number.POSITIVE_INFINITY,
): DiagnosisRequest {
  if (text.length > mostLength) throw invalidRequest('body', `A diagnosis takes at most ${mostLength} characters.`);
  const fields = parseFields(text);
  const probe = checkMembers(text, knownDiagnosisFields).get('probe');
  return checkDiagnosisRequest(identity, fields, remainingMs, probe && text.slice(probe.start, probe.end));
}

/**
 * Checks fields that are values already. `probeText` is the JSON of the field `probe`, if there is one. Throws as
 * above.
 */
export function checkDiagnosisRequest(
  identity: string,
  { url, probe, timeoutMs }: Readonly<Record<string, unknown>>,
  remainingMs = Number.POSITIVE_INFINITY,
  probeText?: string,
): DiagnosisRequest {
  return {
    identity,
    url: readUrl(url),
    probe: readProbe(probe, probeText),
    timeoutMs: readTimeout(timeoutMs, remainingMs),
  };
}

function readProbe(value: unknown, text: string | undefined): DiagnosisRequest['probe'] {
  if (value === undefined) return undefined;
  if (value === false) return 'none';
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidRequest('probe', 'The field "probe" must be an object with "method" and "path", or false for none.');
  }
  if (text !== undefined) checkMembers(text, knownProbeFields);
  const { method = 'GET', path } = value as { method?: unknown; path?: unknown };
  if (typeof method !== 'string' || !harmlessMethods.has(method)) {
    throw invalidRequest('probe', 'The method of the probe must be GET, HEAD or OPTIONS: a diagnosis changes nothing.');
  }
  if (typeof path !== 'string' || path.length > 8192 || !isOriginForm(path)) {
    throw invalidRequest('probe', 'The path of the probe must begin with "/" and hold only what a URL may hold there.');
  }
  return { method, path };
}
