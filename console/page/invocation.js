// The form that calls an API as a bot does.
import { answerParts } from './answer.js';
import { ask, Failure } from './ask.js';
import { byId, el, say } from './elements.js';
import { failureCard, fieldError, hasIdentity, isUrlRight, setError, withBusyButton } from './form.js';
import { ms } from './words.js';

/** @import { Invocation } from './answer.js' */

let runs = 0;

/** @param {(identity: string, url: string) => void} onDiagnose */
export function setUpInvocation(onDiagnose) {
  byId('call-form').addEventListener('submit', (event) => {
    event.preventDefault();
    run(onDiagnose);
  });
}

/** @param {(identity: string, url: string) => void} onDiagnose */
async function run(onDiagnose) {
  const url = field('call-url');
  const choice = /** @type {HTMLSelectElement} */ (byId('call-identity'));
  const identity = choice.value;
  const request = readForm(url);
  if (!request || !hasIdentity(choice)) return;
  const thisRun = ++runs;
  const result = byId('answer');
  result.replaceChildren(el('div', { class: 'card result' }, el('p', { class: 'banner waiting' }, 'Calling …')));
  say('Calling.');
  try {
    /** @type {Invocation} */
    const answer = await withBusyButton('call-form', () =>
      ask(`/v1/identities/${encodeURIComponent(identity)}/invocations`, request),
    );
    if (thisRun !== runs) return;
    result.replaceChildren(...answerParts(answer));
    say(`The API responded with HTTP ${answer.status} after ${ms(answer.timings.totalMs)}.`);
  } catch (thrown) {
    if (thisRun !== runs) return;
    if (fieldError(fieldsOf(url), thrown)) return result.replaceChildren();
    if (!(thrown instanceof Failure) || !thrown.diagnosis) return result.replaceChildren(failureCard(thrown));
    const button = el('button', { type: 'button', class: 'plain' }, 'Diagnose this endpoint');
    button.addEventListener('click', () => onDiagnose(identity, `${new URL(url.value).origin}/`));
    result.replaceChildren(failureCard(thrown, button));
  }
}

/**
 * @param {string} id
 * @returns {HTMLInputElement}
 */
function field(id) {
  return byId(id);
}

/**
 * By field name of the request.
 * @param {HTMLInputElement} url
 */
function fieldsOf(url) {
  return {
    url,
    method: field('call-method'),
    headers: field('call-headers'),
    body: field('call-body'),
    timeoutMs: field('call-timeout'),
  };
}

/**
 * Undefined, with an error next to the field, if an input is invalid.
 * @param {HTMLInputElement} url
 */
function readForm(url) {
  for (const id of ['call-method', 'call-headers', 'call-body', 'call-timeout']) setError(field(id));
  if (!isUrlRight(url)) return undefined;
  const method = field('call-method').value.trim();
  if (method === '') return void setError(field('call-method'), 'Enter a method.');
  const headers = readHeaders(field('call-headers').value);
  if (typeof headers === 'number')
    return void setError(field('call-headers'), `Line ${headers} must be a name, a colon and a value.`);
  const timeoutMs = Number(field('call-timeout').value);
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > 28_000) {
    return void setError(field('call-timeout'), 'The time limit must be a whole number from 1 to 28000.');
  }
  const body = field('call-body').value;
  return {
    url: url.value,
    method,
    timeoutMs,
    ...(Object.keys(headers).length > 0 && { headers }),
    ...(body !== '' && { body }),
    ...(field('call-mutual').checked && { requireMutual: true }),
  };
}

/**
 * @param {string} text
 * @returns {Record<string, string | string[]> | number} or the number of an invalid line
 */
function readHeaders(text) {
  /** By lower-case name: a repeated header is one header with two values. */
  const headers = /** @type {Map<string, { readonly name: string, readonly values: string[] }>} */ (new Map());
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const [, name = '', value = ''] = /^([^\s:]+):(.*)$/.exec(line.trim()) ?? [];
    if (name === '') return index + 1;
    const known = headers.get(name.toLowerCase()) ?? { name, values: [] };
    known.values.push(value.trim());
    headers.set(name.toLowerCase(), known);
  }
  return Object.fromEntries(
    [...headers.values()].map(({ name, values }) => [name, values.length === 1 ? (values[0] ?? '') : values]),
  );
}
