// Sends requests to the server, with the token if there is one and a time limit.

/** Never written to storage, a cookie or the address. */
let token = '';

/** @param {string} value */
export function setToken(value) {
  token = value;
}

export function hasToken() {
  return token !== '';
}

/** A call can take 28 s. */
const timeoutMs = 35_000;

/** Why there is no answer. `status` is 0 without an HTTP response. */
export class Failure extends Error {
  /**
   * @param {string} message
   * @param {{ status?: number, code?: string, step?: number, hint?: string, retryable?: boolean, evidence?: object,
   * diagnosis?: object, requestId?: string }} more
   */
  constructor(message, more = {}) {
    super(message);
    this.status = more.status ?? 0;
    this.code = more.code;
    this.step = more.step;
    this.hint = more.hint;
    this.retryable = more.retryable;
    this.evidence = more.evidence;
    this.diagnosis = more.diagnosis;
    this.requestId = more.requestId;
  }
}

/**
 * Returns the JSON of the answer; throws a Failure.
 * @param {string} path on this origin
 * @param {object} [body] sent with POST; without it, GET
 * @returns {Promise<any>}
 */
export async function ask(path, body) {
  /** @type {Record<string, string>} */
  const headers = { accept: 'application/json' };
  if (token !== '') headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  const response = await reach(path, {
    method: body === undefined ? 'GET' : 'POST',
    headers,
    cache: 'no-store',
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text().catch(() => {
    throw new Failure('The connection was closed before the response was complete.', { status: response.status });
  });
  const answer = parse(text);
  if (response.ok && answer !== undefined) return answer;
  throw failureOf(response.status, answer);
}

/**
 * @param {string} path
 * @param {RequestInit} init
 */
async function reach(path, init) {
  try {
    return await fetch(path, init);
  } catch (thrown) {
    const isLate = thrown instanceof DOMException && thrown.name === 'TimeoutError';
    throw new Failure(isLate ? 'The server has not responded within 35 seconds.' : 'The server cannot be reached.');
  }
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * `answer` is a problem document, the `{ message }` of a gateway, or anything else.
 * @param {number} status
 * @param {any} answer
 */
function failureOf(status, answer) {
  const { detail, message, code, step, hint, retryable, evidence, diagnosis, requestId } = answer ?? {};
  const words = [detail, message].find((one) => typeof one === 'string');
  if (status < 400) return new Failure('The server responded with something that is not JSON.', { status });
  const known = { status, code, step, hint, retryable, evidence, diagnosis, requestId };
  return new Failure(words ?? `The server responded with HTTP ${status}.`, known);
}
