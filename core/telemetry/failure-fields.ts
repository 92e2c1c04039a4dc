// The fields of a log line about a failure. They contain no value of the caller.
import type { CountersignError } from '../errors.ts';

export interface FailureFields {
  /** Code of the error table. */
  code: string;
  /** The failed step of the handshake, as text: it is a metric's dimension. */
  failedStep?: string;
  /** The TLS alert of a rejection. */
  alert?: string;
  /** The `detail` of the problem document. */
  detail?: string;
  reason?: string;
  where?: string;
  field?: string;
  certainty?: string;
  /** The identity's version that is unusable, or does not allow the destination. */
  version?: string;
}

/** Names in a server's certificate have no length limit. */
const maxDetail = 500;

/** A plausible name of a field or header. Anything else in its place may be a misplaced secret. */
const plainName = /^[A-Za-z][A-Za-z-]{0,31}$/;

/** Details contain sentences, names and codes. The only text of the caller in them is a name that it sent. */
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
