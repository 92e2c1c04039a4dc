// The form that runs a diagnosis, and its five steps, shown one after the other.
import { ask } from './ask.js';
import { byId, el, mark, say } from './elements.js';
import { factsOf, knownStep, remedyList, shownBy, statusOf, stepNames, waitingStep } from './findings.js';
import { failureCard, fieldError, hasIdentity, isUrlRight, withBusyButton } from './form.js';
import { ms, verdictWords } from './words.js';

/** @import { Diagnosis } from '../../core/diagnosis/diagnosis.ts' */

/** Between two steps: slow enough to follow. */
const stepMs = 240;
const prefersCalm = matchMedia('(prefers-reduced-motion: reduce)');

let runs = 0;

/**
 * @param {() => void} onDone called when the server has a new verdict
 */
export function setUpDiagnosis(onDone) {
  const form = byId('diagnose-form');
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    run(onDone);
  });
}

/**
 * @param {string} identity
 * @param {string} url
 */
export function fillDiagnosis(identity, url) {
  const select = /** @type {HTMLSelectElement} */ (byId('diagnose-identity'));
  if ([...select.options].some(({ value }) => value === identity)) select.value = identity;
  /** @type {HTMLInputElement} */ (byId('diagnose-url')).value = url;
}

export function runDiagnosis() {
  /** @type {HTMLFormElement} */ (byId('diagnose-form')).requestSubmit();
}

/** @param {() => void} onDone */
async function run(onDone) {
  const url = /** @type {HTMLInputElement} */ (byId('diagnose-url'));
  const choice = /** @type {HTMLSelectElement} */ (byId('diagnose-identity'));
  const identity = choice.value;
  if (!isUrlRight(url) || !hasIdentity(choice)) return;
  const thisRun = ++runs;
  const isStale = () => thisRun !== runs;
  const result = byId('diagnosis');
  const steps = el(
    'ol',
    { class: 'steps', 'aria-label': 'The five steps' },
    ...stepNames.map((_, index) => waitingStep(index)),
  );
  steps.children[0]?.classList.add('lit');
  const banner = el('p', { class: 'banner waiting' }, 'Diagnosing …');
  const after = el('div', { class: 'after' });
  result.replaceChildren(el('div', { class: 'card result' }, banner, steps), after);
  result.setAttribute('aria-busy', 'true');
  say('Diagnosing.');
  try {
    /** @type {Diagnosis} */
    const diagnosis = await withBusyButton('diagnose-form', () => ask(pathOf(identity), requestOf(url.value)));
    if (isStale()) return;
    onDone();
    await lightUp(diagnosis, steps, isStale);
    if (isStale()) return;
    showVerdict(diagnosis, banner, after);
  } catch (thrown) {
    if (isStale()) return;
    if (!fieldError({ url }, thrown)) result.replaceChildren(failureCard(thrown));
    else result.replaceChildren();
  } finally {
    if (!isStale()) result.removeAttribute('aria-busy');
  }
}

/** @param {string} identity */
function pathOf(identity) {
  return `/v1/identities/${encodeURIComponent(identity)}/diagnoses`;
}

/** @param {string} url */
function requestOf(url) {
  const probe = /** @type {HTMLSelectElement} */ (byId('diagnose-probe')).value;
  if (probe === 'none') return { url, probe: false };
  if (probe === 'usual') return { url };
  const { pathname, search } = new URL(url);
  return { url, probe: { path: `${pathname}${search}` } };
}

/**
 * @param {Diagnosis} diagnosis
 * @param {HTMLOListElement} list
 * @param {() => boolean} isStale
 */
async function lightUp(diagnosis, list, isStale) {
  const known = factsOf(diagnosis);
  for (const [index, step] of diagnosis.steps.entries()) {
    if (index > 0 && step.status !== 'skipped' && !prefersCalm.matches) {
      list.children[index]?.classList.add('lit');
      await new Promise((resolve) => setTimeout(resolve, stepMs));
    }
    if (isStale()) return;
    list.children[index]?.replaceWith(knownStep(step, known[index]));
    if (step.status !== 'skipped') say(`Step ${step.step} ${statusOf(step.status).words}: ${step.name}.`);
  }
}

/**
 * @param {Diagnosis} diagnosis
 * @param {HTMLElement} banner
 * @param {HTMLElement} after
 */
function showVerdict(diagnosis, banner, after) {
  const { verdict, certainty, remedies, totalMs, url, identity, probe } = diagnosis;
  const [words, kind] = verdictWords(verdict);
  const unsaid = certainty === 'inferred' ? ' This is inferred: the server does not report it.' : '';
  banner.className = `banner ${kind}`;
  banner.replaceChildren(
    mark(kind),
    el(
      'span',
      {},
      el('strong', {}, `${words}.`),
      unsaid,
      el('span', { class: 'until' }, ` ${url} as ${identity.name}, ${ms(totalMs)} in total`),
    ),
  );
  const wantsPath = ['access-granted', 'access-unknown', 'not-mutual'].includes(verdict);
  const path = new URL(url).pathname;
  const isTried = path === '/' || path === probe?.path.split('?')[0];
  const hint =
    wantsPath &&
    !isTried &&
    'The path of the URL was not tested. If a GET request to it is harmless, choose that path as the probe.';
  const found = [
    hint ? el('p', { class: 'notice' }, hint) : undefined,
    remedyList(remedies),
    shownBy(diagnosis, new Date().toISOString()),
  ];
  after.replaceChildren(...found.filter((one) => one !== undefined));
  const todo = remedies.length > 0 ? ` ${remedies.length} ${remedies.length === 1 ? 'remedy' : 'remedies'}.` : '';
  say(`${words}.${unsaid}${todo}`);
}
