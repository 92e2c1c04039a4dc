// Polls the state of the server every few seconds and renders the view that the address selects.
import { addressOf, readAddress, views } from './address.js';
import { ask, Failure, hasToken } from './ask.js';
import { fillChoices } from './choices.js';
import { fillDiagnosis, runDiagnosis, setUpDiagnosis } from './diagnosis.js';
import { byId, el, inOrder, say, show } from './elements.js';
import { eventList } from './events.js';
import { identityParts } from './identity.js';
import { setUpInvocation } from './invocation.js';
import { timeline } from './timeline.js';
import { askForToken, setUpToken, tokenTaken } from './token.js';
import { daysBetween } from './words.js';

/** @import { ConsoleState, IdentityState } from '../state.ts' */
/** @import { Actions } from './identity.js' */

const pollMs = 5_000;
/** During a rotation. */
const rotationPollMs = 600;

/** @type {ConsoleState | undefined} */
let state;
/** Why the last request failed. @type {Failure | undefined} */
let trouble;
let isTokenWanted = false;
/** The identity that the address selected last; the links between the views keep it. @type {string | undefined} */
let followed;
/**
 * Rotations started on this page, by identity, with the version that was current before.
 * @type {Map<string, { version: string | undefined, isBegun: boolean }>}
 */
const asked = new Map();
/** @type {Map<string, string>} */
const rotationTroubles = new Map();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let requests = 0;

setUpToken(refresh);
setUpDiagnosis(refresh);
setUpInvocation(diagnose);
addEventListener('hashchange', () => {
  render();
  if (!isTokenWanted) focusOnTitle();
});
document.addEventListener('visibilitychange', () => {
  // Do not disturb the input of a token.
  if (document.visibilityState === 'visible' && !isTokenWanted) refresh();
});
byId('skip').addEventListener('click', (event) => {
  event.preventDefault();
  byId('main').focus();
});
await refresh();

async function refresh() {
  clearTimeout(timer);
  const request = ++requests;
  const wasTokenWanted = isTokenWanted;
  try {
    const answer = await ask('/console/api/state');
    // A later request was sent meanwhile.
    if (request !== requests) return;
    state = answer;
    trouble = undefined;
    isTokenWanted = false;
    noteRotations();
  } catch (thrown) {
    if (request !== requests) return;
    trouble = thrown instanceof Failure ? thrown : new Failure(String(thrown));
    if (trouble.status === 401) return wantToken();
  }
  render();
  if (wasTokenWanted && !isTokenWanted) {
    tokenTaken();
    focusOnTitle();
  }
  clearTimeout(timer);
  if (document.visibilityState === 'visible') timer = setTimeout(refresh, isRotating() ? rotationPollMs : pollMs);
}

function wantToken() {
  state = undefined;
  isTokenWanted = true;
  render();
  clear();
  askForToken();
}

/** Only a caller with a valid token can see the data. */
function clear() {
  for (const id of ['timeline', 'identity', 'event-list', 'endpoints', 'diagnose-identity', 'call-identity'])
    show(byId(id), undefined, () => []);
  for (const id of ['diagnosis', 'answer', 'place']) byId(id).replaceChildren();
}

function isRotating() {
  return asked.size > 0 || state?.identities.some(({ rotation }) => rotation?.isUnderWay) === true;
}

/** A rotation that this page started ends when the current version changes, or when none is in progress. */
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
  byId('forget').hidden = !hasToken() || isTokenWanted;
  byId('views').hidden = isTokenWanted;
  for (const one of views) byId(one).hidden = one !== view || isTokenWanted;
  for (const link of document.querySelectorAll('[data-view]')) {
    if (link.getAttribute('data-view') === view) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `${byId(`${view}-title`).textContent} · Countersign`;
  if (!state) return;
  const { place, caller, identities, events } = state;
  const words = [place === 'local-cloud' ? 'local cloud' : 'this installation', caller && `as ${caller}`];
  byId('place').textContent = inOrder(words.filter(Boolean).join(', '));
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
  const again = trouble.status === 0 ? ' The page tries again every few seconds.' : '';
  const old = state ? ' The data below may be out of date.' : '';
  return [el('p', { class: 'notice bad' }, `${trouble.message}${again}${old}`)];
}

/**
 * @param {ConsoleState} state
 * @param {IdentityState | undefined} identity
 */
function renderIdentities(state, identity) {
  const { now, identities } = state;
  // In days, so that the view is rendered again only when a shown number changes.
  const today = identities.map(({ current }) => current?.chain.map(({ validTo }) => daysBetween(now, validTo)));
  const lives = identities.map(({ name, current, next, problem }) => [name, current, next, problem]);
  show(byId('timeline'), [lives, today, identity?.name, state.furtherIdentities], () =>
    timeline(state, identity?.name),
  );
  const isAsked = identity !== undefined && asked.has(identity.name);
  const rotationTrouble = identity && rotationTroubles.get(identity.name);
  show(byId('identity'), [identity, today, isAsked, rotationTrouble], () =>
    identity ? identityParts(state, identity, actionsOf(identity)) : [],
  );
}

/**
 * @param {IdentityState} identity
 * @returns {Actions}
 */
function actionsOf({ name, current }) {
  return {
    isAsked: asked.has(name),
    trouble: rotationTroubles.get(name),
    onRotate: () => rotate(name, current?.version),
    onDiagnose: (url) => diagnose(name, url),
  };
}

/**
 * @param {string} name
 * @param {string | undefined} version
 */
async function rotate(name, version) {
  asked.set(name, { version, isBegun: false });
  rotationTroubles.delete(name);
  render();
  say(`Starting the rotation of ${name}.`);
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
 * Opens the form and submits it.
 * @param {string} identity
 * @param {string} url
 */
function diagnose(identity, url) {
  location.hash = addressOf('diagnose', identity);
  render();
  fillDiagnosis(identity, url);
  runDiagnosis();
}

/** So that screen readers announce the new view. */
function focusOnTitle() {
  const title = byId(`${readAddress().view}-title`);
  title.tabIndex = -1;
  title.focus();
}
