// What a line says of a failure: its code, its step, and why, without a value of the caller's.
import type { CountersignError } from '../errors.ts';

export interface FailureFields {
  /** Code of the error table. */
  code: string;
  /** The failed step of the handshake, as text: it is a metric's dimension. */
  failedStep?: string;
  /** The alert that a rejection came with, where there was one. */
  alert?: string;
  /** The sentence that the caller was told. */
  detail?: string;
  reason?: string;
  where?: string;
  field?: string;
  certainty?: string;
  /** The identity's version that is unusable, or does not allow the destination. */
  version?: string;
}

/** Names out of a server's certificate may be as long as whoever made it liked. */
const maxDetail = 500;

/** A name somebody would give to a field or a header. Anything else in its place may be a secret that slipped there. */
const plainName = /^[A-Za-z][A-Za-z-]{0,31}$/;

/** Details are written for callers: sentences, names and codes. The only words of the caller's are the names it sent. */
export function failureFields(error: CountersignError): FailureFields {
  const fields: FailureFields = { code: error.code };
  if (error.step !== undefined) fields.failedStep = String(error.step);
  for (const key of ['alert', 'reason', 'where', 'field', 'certainty', 'version'] as const) {
    const value = error.evidence?.[key];
    if (typeof value === 'string' && (key !== 'field' || plainName.test(value))) fields[key] = value;
  }
  const isCallers = error.code === 'invalid-request';
  fields.detail = (isCallers ? withPlainNamesOnly(error.message) : error.message).slice(0, maxDetail);
  return fields;
}

function withPlainNamesOnly(sentence: string): string {
  return sentence.replaceAll(/"(?:[^"\\]|\\.)*"/g, (quoted) => (plainName.test(quoted.slice(1, -1)) ? quoted : '"…"'));
}
