// The page: what the server knows is asked for every few seconds, and shown in the view that the address names.
import { addressOf, readAddress, views } from './address.js';
import { ask, Failure, hasToken } from './ask.js';
import { chainPicture } from './chain.js';
import { destinationList } from './destinations.js';
import { fillDiagnosis, runDiagnosis, setUpDiagnosis } from './diagnosis.js';
import { byId, el, say, show } from './elements.js';
import { eventList } from './events.js';
import { setUpInvocation } from './invocation.js';
import { rotationPicture } from './rotation.js';
import { timeline } from './timeline.js';
import { askForToken, setUpToken } from './token.js';
import { daysBetween } from './words.js';

/** @import { ConsoleState, IdentityState } from '../state.ts' */

const calmMs = 5_000;
/** While a rotation is under way. */
const watchfulMs = 600;

/** @type {ConsoleState | undefined} */
let state;
/** Why the last question had no answer. @type {Failure | undefined} */
let trouble;
let isTokenWanted = false;
/** The last that an address named: the links between the views keep it. @type {string | undefined} */
let followed;
/** Rotations that were asked for here, by identity, with the version that was current then. @type {Map<string, { version: string | undefined, isBegun: boolean }>} */
const asked = new Map();
/** @type {Map<string, string>} */
const rotationTroubles = new Map();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let questions = 0;

setUpToken(refresh);
setUpDiagnosis(refresh);
setUpInvocation(diagnose);
addEventListener('hashchange', () => {
  render();
  const title = document.querySelector(`#${readAddress().view} h1`);
  if (title instanceof HTMLElement && !title.contains(document.activeElement)) focusOn(title);
});
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') refresh();
});
byId('skip').addEventListener('click', (event) => {
  event.preventDefault();
  byId('main').focus();
});
await refresh();

async function refresh() {
  clearTimeout(timer);
  const question = ++questions;
  try {
    const answer = await ask('/console/api/state');
    // A younger question knows more.
    if (question !== questions) return;
    state = answer;
    trouble = undefined;
    isTokenWanted = false;
    noteRotations();
  } catch (thrown) {
    if (question !== questions) return;
    trouble = thrown instanceof Failure ? thrown : new Failure(String(thrown));
    if (trouble.status === 401) return wantToken();
  }
  render();
  clearTimeout(timer);
  if (document.visibilityState === 'visible') timer = setTimeout(refresh, isWatchful() ? watchfulMs : calmMs);
}

function wantToken() {
  state = undefined;
  isTokenWanted = true;
  render();
  askForToken();
}

function isWatchful() {
  return asked.size > 0 || state?.identities.some(({ rotation }) => rotation?.isUnderWay) === true;
}

/** A rotation that was begun here is over once another version is current, or once none is under way. */
function noteRotations() {
  for (const [name, { version, isBegun }] of asked) {
    const identity = state?.identities.find((one) => one.name === name);
    if (!isBegun || identity?.rotation?.isUnderWay) continue;
    asked.delete(name);
    const isReplaced = identity?.current !== undefined && identity.current.version !== version;
    say(
      isReplaced
        ? `The certificate of ${name} has been replaced.`
        : `The rotation of ${name} has ended without a new certificate.`,
    );
  }
}

function render() {
  const { view, identity: wanted } = readAddress();
  show(byId('trouble'), [trouble?.message, trouble?.status, isTokenWanted], troubleParts);
  byId('token').hidden = !isTokenWanted;
  byId('forget').hidden = !hasToken();
  byId('views').hidden = isTokenWanted;
  for (const one of views) byId(one).hidden = one !== view || isTokenWanted || !state;
  for (const link of document.querySelectorAll('[data-view]')) {
    if (link.getAttribute('data-view') === view) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `${byId(`${view}-title`).textContent} · Countersign`;
  if (!state) return;
  const { place, caller, identities, events } = state;
  byId('place').textContent = [place === 'local-cloud' ? 'local cloud' : 'this installation', caller && `as ${caller}`]
    .filter(Boolean)
    .join(', ');
  byId('events-link').hidden = events === undefined;
  const identity = identities.find(({ name }) => name === wanted) ?? identities[0];
  const isNewlyWanted = identity?.name === wanted && wanted !== followed;
  if (isNewlyWanted) follow(wanted);
  fillChoices(state, identity, isNewlyWanted);
  if (view === 'identities') renderIdentities(state, identity);
  if (view === 'events') show(byId('event-list'), events, () => eventList(events ?? []));
}

/** @param {string | undefined} name */
function follow(name) {
  followed = name;
  for (const view of /** @type {const} */ (['identities', 'diagnose', 'call'])) {
    document.querySelector(`[data-view=${view}]`)?.setAttribute('href', addressOf(view, name));
  }
}

function troubleParts() {
  if (!trouble || isTokenWanted) return [];
  const again = trouble.status === 0 ? ' It is asked again every few seconds.' : '';
  const old = state ? ' What is shown below may be out of date.' : '';
  return [el('p', { class: 'notice bad' }, `${trouble.message}${again}${old}`)];
}

/**
 * @param {ConsoleState} state
 * @param {IdentityState | undefined} identity
 */
function renderIdentities(state, identity) {
  const { now, identities } = state;
  // Days, not milliseconds: what is shown changes with them.
  const today = identities.map(({ current }) => current?.chain.map(({ validTo }) => daysBetween(now, validTo)));
  const lives = identities.map(({ name, current, next, problem }) => [name, current, next, problem]);
  show(byId('timeline'), [lives, today, identity?.name, state.furtherIdentities], () =>
    timeline(state, identity?.name),
  );
  const isAsked = identity !== undefined && asked.has(identity.name);
  const rotationTrouble = identity && rotationTroubles.get(identity.name);
  show(byId('identity'), [identity, today, isAsked, rotationTrouble], () =>
    identity ? identityParts(state, identity) : [],
  );
}

/**
 * @param {ConsoleState} state
 * @param {IdentityState} identity
 */
function identityParts(state, identity) {
  const { name, current, problem } = identity;
  const button = {
    isAsked: asked.has(name),
    trouble: rotationTroubles.get(name),
    onRotate: () => rotate(name, current?.version),
  };
  return [
    el('h2', { class: 'identity-name' }, name),
    problem && el('p', { class: 'notice bad' }, `${problem.detail} ${problem.hint ?? ''}`),
    el(
      'section',
      { class: 'card', 'aria-label': 'Rotation' },
      el('h2', {}, 'Rotation'),
      ...rotationPicture(state, identity, button),
    ),
    current &&
      current.chain.length > 0 &&
      el(
        'section',
        { class: 'card', 'aria-label': 'Chain' },
        el('h2', {}, 'Chain'),
        chainPicture(current.chain, state.now, 'client'),
      ),
    el(
      'section',
      { class: 'card', 'aria-label': 'Destinations' },
      el('h2', {}, 'Destinations'),
      ...destinationList(identity, (url) => diagnose(name, url)),
    ),
  ];
}

/**
 * @param {string} name
 * @param {string | undefined} version
 */
async function rotate(name, version) {
  asked.set(name, { version, isBegun: false });
  rotationTroubles.delete(name);
  render();
  say(`The rotation of ${name} begins.`);
  try {
    await ask(`/console/api/identities/${encodeURIComponent(name)}/rotations`, {});
    asked.set(name, { version, isBegun: true });
  } catch (thrown) {
    asked.delete(name);
    rotationTroubles.set(name, thrown instanceof Failure ? thrown.message : String(thrown));
  }
  await refresh();
}

/**
 * Goes to the form and sends it.
 * @param {string} identity
 * @param {string} url
 */
function diagnose(identity, url) {
  location.hash = addressOf('diagnose', identity);
  render();
  fillDiagnosis(identity, url);
  runDiagnosis();
}

/**
 * Never while somebody chooses: only what has changed is put in.
 * @param {ConsoleState} state
 * @param {IdentityState | undefined} identity
 * @param {boolean} isNewlyWanted whether it takes the place of what was chosen
 */
function fillChoices({ identities }, identity, isNewlyWanted) {
  const names = identities.map(({ name }) => name);
  for (const select of document.querySelectorAll('select[data-identities]')) {
    if (!(select instanceof HTMLSelectElement)) continue;
    const chosen = isNewlyWanted ? identity?.name : select.value || identity?.name;
    show(select, names, () => names.map((name) => el('option', { value: name }, name)));
    if (chosen !== undefined && names.includes(chosen)) select.value = chosen;
  }
  const exact = identities.flatMap(({ destinations }) => destinations.filter(({ host }) => !host.startsWith('*')));
  const urls = [
    ...new Set(
      exact.map(
        ({ host, port }) => `https://${host.includes(':') ? `[${host}]` : host}${port === 443 ? '' : `:${port}`}/`,
      ),
    ),
  ];
  show(byId('endpoints'), urls, () => urls.map((value) => el('option', { value })));
}

/** @param {HTMLElement} title */
function focusOn(title) {
  title.tabIndex = -1;
  title.focus();
}
