// Renders a rotation: the previous, current and next certificate, and the button that starts a rotation.
import { lifeBar } from './chain.js';
import { el, facts, mark } from './elements.js';
import { endOf } from './timeline.js';
import { date, daysBetween, daysLeft, moment, sentence, urgency } from './words.js';

/** @import { ConsoleState, IdentityState, ProblemState, RotationState, VersionState } from '../state.ts' */

/**
 * @param {ConsoleState} state
 * @param {IdentityState} identity
 * @param {{ isAsked: boolean, trouble: string | undefined, onRotate: () => void }} button
 */
export function rotationPicture({ now, mayRotate }, identity, button) {
  const { rotation, previous, current, next } = identity;
  const isUnderWay = rotation?.isUnderWay === true || button.isAsked;
  const cards = el(
    'ol',
    { class: 'versions', 'aria-label': 'Versions of the certificate' },
    versionCard(
      'Previous',
      previous,
      now,
      'None: no rotation has finished yet.',
      'Kept for customers that do not trust the current one yet.',
    ),
    versionCard('Current', current, now, 'None.', 'Presented to customers.'),
    nextCard(next, now, isUnderWay),
  );
  if (!rotation) {
    const words =
      'There is no rotation here. Replace the files of the identity; the server loads them without a restart.';
    return [el('p', { class: 'lead' }, words), el('ol', { class: 'versions one' }, ...[...cards.children].slice(1, 2))];
  }
  return [
    el(
      'div',
      { class: 'rotation-bar' },
      el('p', { class: 'lead' }, scheduleWords(rotation, isUnderWay)),
      mayRotate && rotateButton(isUnderWay, button.onRotate, rotation.isEnabled),
    ),
    button.trouble !== undefined && el('p', { class: 'notice bad', role: 'alert' }, button.trouble),
    cards,
  ];
}

/**
 * @param {RotationState} rotation
 * @param {boolean} isUnderWay
 */
function scheduleWords({ isEnabled, schedule, nextAt, lastAt }, isUnderWay) {
  if (isUnderWay)
    return 'A rotation is in progress: the next certificate is created, announced and tested before it is used.';
  if (!isEnabled) return 'Rotation is not set up: replace the certificate manually.';
  const every = /^rate\((\d+) (\w+)\)$/.exec(schedule ?? '');
  const parts = [
    every
      ? `Replaced every ${every[1]} ${every[2]}`
      : schedule
        ? `Replaced on the schedule ${schedule}`
        : 'Rotation is set up',
    nextAt && `next by ${date(nextAt)}`,
    lastAt && `last on ${moment(lastAt)}`,
  ];
  return `${parts.filter(Boolean).join(', ')}.`;
}

/**
 * @param {boolean} isUnderWay
 * @param {() => void} onRotate
 * @param {boolean} isEnabled
 */
function rotateButton(isUnderWay, onRotate, isEnabled) {
  // Not `disabled`, which would lose the focus.
  const isOff = isUnderWay || !isEnabled;
  const button = el(
    'button',
    { type: 'button', class: 'primary', 'data-key': 'rotate', id: 'rotate', 'aria-disabled': isOff && 'true' },
    isUnderWay ? 'Rotating …' : 'Rotate now',
  );
  button.addEventListener('click', () => {
    if (!isOff) onRotate();
  });
  return button;
}

/**
 * @param {VersionState | undefined} next
 * @param {string} now
 * @param {boolean} isUnderWay
 */
function nextCard(next, now, isUnderWay) {
  const words = isUnderWay ? 'In progress …' : 'None: no rotation is in progress.';
  const card = versionCard('Next', next, now, words, 'Announced and tested, not presented yet.');
  if (isUnderWay) card.classList.add('busy');
  return card;
}

/**
 * @param {'Previous' | 'Current' | 'Next'} title
 * @param {VersionState | undefined} version
 * @param {string} now
 * @param {string} otherwise
 * @param {string} note
 */
function versionCard(title, version, now, otherwise, note) {
  const kind = title.toLowerCase();
  if (!version)
    return el('li', { class: `version ${kind} none` }, el('h3', {}, title), el('p', { class: 'hint' }, otherwise));
  const [leaf] = version.chain;
  if (!leaf) {
    const words = version.problem
      ? problemLine(version.problem)
      : el('p', {}, 'The certificate request was sent to the issuer; the certificate has not arrived yet.');
    return el('li', { class: `version ${kind}` }, el('h3', {}, title), words);
  }
  const end = endOf(version) ?? leaf.validTo;
  const days = daysBetween(now, end);
  return el(
    'li',
    { class: `version ${kind}` },
    el('h3', {}, title),
    lifeBar(leaf.validFrom, end, now),
    el(
      'p',
      { class: 'dates' },
      el('strong', { class: urgency(days) }, daysLeft(days)),
      el('span', {}, `until ${date(end)}`),
    ),
    version.problem && problemLine(version.problem),
    facts([
      ['SHA-256', el('code', {}, leaf.fingerprint256)],
      ['Valid from', date(leaf.validFrom)],
      ['Version', el('code', {}, version.version)],
    ]),
    el('p', { class: 'hint' }, version.problem ? 'Cannot be presented.' : note),
  );
}

/** @param {ProblemState} problem */
function problemLine({ detail }) {
  return el('p', { class: 'version-problem' }, mark('bad'), el('span', {}, sentence(detail)));
}
