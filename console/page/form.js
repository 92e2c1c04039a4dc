// What both forms share: errors beside their field, a button that is busy but keeps the focus, and a failure in the place of the answer.
import { Failure } from './ask.js';
import { el, facts, inOrder, mark, say } from './elements.js';
import { stepNames } from './findings.js';

/** @typedef {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} Field */

/**
 * Shows the sentence beside the field, or takes it away.
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
 * Whether it can be asked at all; the server has the last word.
 * @param {HTMLInputElement} field
 */
export function isUrlRight(field) {
  const url = field.value.trim();
  field.value = url;
  const sentence = wrongWithUrl(url);
  setError(field, sentence);
  return sentence === '';
}

/** @param {string} url */
function wrongWithUrl(url) {
  if (url === '') return 'Give the URL of the API.';
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== 'https:') return 'The URL must begin with https:// and name a host.';
  // Refused by the server as well; a password goes nowhere before that.
  if (parsed.username !== '' || parsed.password !== '')
    return 'Leave out everything up to the "@": credentials belong into a header.';
  return '';
}

/**
 * Where nothing is set up yet, or the caller may use nothing, there is none to choose.
 * @param {HTMLSelectElement} choice
 */
export function hasIdentity(choice) {
  setError(choice, choice.value === '' ? 'There is no identity that could be presented.' : '');
  return choice.value !== '';
}

/**
 * True when the failure is about one of the fields, and is told beside it.
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
 * @param {HTMLElement} [more] put at its end
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
      ['Worth repeating', retryable === undefined ? undefined : retryable ? 'yes' : 'no'],
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
 * The five steps on one line, as far as they went.
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
