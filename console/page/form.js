// Shared by both forms: field errors, a busy button that keeps the focus, and the card of a failed request.
import { Failure } from './ask.js';
import { el, facts, inOrder, mark, say } from './elements.js';
import { stepNames } from './findings.js';

/** @typedef {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} Field */

/**
 * Shows the error next to the field, or removes it.
 * @param {Field} field
 * @param {string} [sentence]
 */
export function setError(field, sentence = '') {
  const place = document.getElementById(`${field.id}-error`);
  if (place) place.textContent = inOrder(sentence);
  if (sentence === '') field.removeAttribute('aria-invalid');
  else field.setAttribute('aria-invalid', 'true');
  if (sentence === '') return;
  const folded = field.closest('details');
  if (folded) folded.open = true;
  field.focus();
  say(sentence);
}

/**
 * Whether the URL can be sent; the server validates it again.
 * @param {HTMLInputElement} field
 */
export function isUrlRight(field) {
  const url = field.value.trim();
  field.value = url;
  const sentence = urlError(url);
  setError(field, sentence);
  return sentence === '';
}

/** @param {string} url */
function urlError(url) {
  if (url === '') return 'Enter the URL of the API.';
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== 'https:') return 'The URL must begin with https:// and name a host.';
  // The server rejects it, too, but a password must not be sent at all.
  if (parsed.username !== '' || parsed.password !== '')
    return 'Remove everything up to the "@": credentials must be sent in a header.';
  return '';
}

/**
 * False, with an error, if there is no identity or the caller can use none.
 * @param {HTMLSelectElement} choice
 */
export function hasIdentity(choice) {
  setError(choice, choice.value === '' ? 'There is no identity to choose.' : '');
  return choice.value !== '';
}

/**
 * Shows the failure next to its field. False if it concerns no field.
 * @param {Readonly<Record<string, Field>>} fields by their name in the request
 * @param {unknown} thrown
 */
export function fieldError(fields, thrown) {
  if (!(thrown instanceof Failure) || thrown.code !== 'invalid-request') return false;
  const named = /** @type {{ field?: unknown } | undefined} */ (thrown.evidence)?.field;
  if (typeof named !== 'string' || !Object.hasOwn(fields, named)) return false;
  setError(/** @type {Field} */ (fields[named]), thrown.message);
  return true;
}

/**
 * @template Result
 * @param {string} formId
 * @param {() => Promise<Result>} work
 */
export async function withBusyButton(formId, work) {
  const button = document.querySelector(`#${formId} button[type=submit]`);
  button?.classList.add('working');
  try {
    return await work();
  } finally {
    button?.classList.remove('working');
  }
}

/**
 * @param {unknown} thrown
 * @param {HTMLElement} [more] added at the end
 */
export function failureCard(thrown, more) {
  const failure = thrown instanceof Failure ? thrown : new Failure(String(thrown));
  const { message, code, step, hint, retryable, evidence, requestId, status } = failure;
  say(message);
  return el(
    'div',
    { class: 'card result failure' },
    el('p', { class: 'banner bad' }, mark('bad'), el('strong', {}, message)),
    step !== undefined && stepStrip(step),
    hint !== undefined && el('p', {}, el('strong', {}, 'What to do: '), hint),
    facts([
      ['Code', code && el('code', {}, code)],
      ['Status', status > 0 ? `HTTP ${status}` : undefined],
      ['Retryable', retryable === undefined ? undefined : retryable ? 'yes' : 'no'],
      ...evidenceRows(evidence),
      ['Request', requestId && el('code', {}, requestId)],
    ]),
    more,
  );
}

/**
 * @param {object | undefined} evidence
 * @returns {[string, string][]}
 */
function evidenceRows(evidence) {
  return Object.entries(evidence ?? {}).map(([name, value]) => [
    name,
    typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
      ? String(value)
      : JSON.stringify(value),
  ]);
}

/**
 * The five steps on one line, up to the one that failed.
 * @param {number} failed
 */
function stepStrip(failed) {
  const balls = stepNames.map((name, index) => {
    const kind = index + 1 < failed ? 'good' : index + 1 === failed ? 'bad' : 'none';
    const words = { good: 'passed', bad: 'failed', none: 'not reached' }[kind];
    return el(
      'li',
      { class: `strip-step ${kind}` },
      el('span', { class: 'ball', 'aria-hidden': 'true' }, mark(kind)),
      el(
        'span',
        { class: 'strip-in' },
        el('span', { class: 'strip-name' }, name),
        el('span', { class: 'unseen' }, ` ${words}`),
      ),
    );
  });
  return el('ol', { class: 'strip', 'aria-label': `Step ${failed} of 5 failed` }, ...balls);
}
