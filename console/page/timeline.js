// The time line of identities by days to expiry, the earliest first; near days get more space than distant ones.
import { addressOf } from './address.js';
import { el, mark } from './elements.js';
import { counted, date, daysBetween, daysLeft, sentence, urgency } from './words.js';

/** @import { ConsoleState, IdentityState, VersionState } from '../state.ts' */

/** Days, and their labels. */
const ticks = /** @type {const} */ ([
  [0, 'today'],
  [7, '7 days'],
  [30, '30 days'],
  [90, '90 days'],
  [365, '1 year'],
  [1095, '3 years'],
]);

/**
 * The time at which the first certificate of the chain expires.
 * @param {VersionState | undefined} version
 */
export function endOf(version) {
  const ends = version?.chain.map(({ validTo }) => validTo) ?? [];
  return ends.length === 0
    ? undefined
    : ends.reduce((first, one) => (Date.parse(one) < Date.parse(first) ? one : first));
}

/**
 * @param {ConsoleState} state
 * @param {string | undefined} selected
 */
export function timeline({ identities, now, furtherIdentities, caller }, selected) {
  if (identities.length === 0) {
    const words = caller ? 'You are not allowed to use any identity.' : 'There is no identity yet.';
    return [el('p', { class: 'card empty' }, words)];
  }
  const rows = identities
    .map((identity) => ({ identity, end: endOf(identity.current) }))
    .sort((one, other) => Date.parse(one.end ?? '1970-01-01') - Date.parse(other.end ?? '1970-01-01'));
  const furthest = Math.max(90, ...rows.map(({ end }) => (end ? daysBetween(now, end) : 0)));
  const last = ticks.find(([days]) => days >= furthest)?.[0] ?? furthest;
  const axis = el('div', { class: 'axis', 'aria-hidden': 'true' });
  for (const [days, words] of ticks.filter(([days]) => days <= last)) {
    const tick = el('span', { class: days === last ? 'axis-tick last' : 'axis-tick' }, el('span', {}, words));
    tick.style.setProperty('--at', at(days, last));
    axis.append(tick);
  }
  const list = el('ol', { class: 'lives' }, ...rows.map((row) => life(row, now, last, selected)));
  const more =
    furtherIdentities > 0 &&
    `${counted(furtherIdentities, 'further identity is', 'further identities are')} not shown.`;
  return [
    el(
      'div',
      { class: 'card' },
      el('h2', {}, 'Days to expiry'),
      el('div', { class: 'timeline' }, list, axis),
      more && el('p', { class: 'hint' }, more),
    ),
  ];
}

/**
 * @param {{ identity: IdentityState, end: string | undefined }} row
 * @param {string} now
 * @param {number} last
 * @param {string | undefined} selected
 */
function life({ identity, end }, now, last, selected) {
  const { name, current, next, problem } = identity;
  const days = end === undefined ? -1 : daysBetween(now, end);
  const trouble = problem ?? current?.problem;
  const kind = trouble ? 'bad' : urgency(days);
  const bar = el('span', { class: `bar ${kind}` });
  bar.style.setProperty('--at', at(days, last));
  const track = el('span', { class: 'track', 'aria-hidden': 'true' }, bar);
  const nextEnd = endOf(next);
  if (nextEnd) {
    const dot = el('span', { class: 'next-end' });
    dot.style.setProperty('--at', at(daysBetween(now, nextEnd), last));
    track.append(dot);
  }
  const isSelected = name === selected;
  const link = el(
    'a',
    { href: addressOf('identities', name), 'data-key': `identity ${name}`, 'aria-current': isSelected && 'true' },
    name,
  );
  const words = end === undefined ? 'cannot be read' : daysLeft(days);
  return el(
    'li',
    { class: isSelected ? 'life selected' : 'life' },
    el('span', { class: 'life-name' }, link),
    track,
    el(
      'span',
      { class: `life-days ${kind}` },
      mark(kind),
      el(
        'span',
        { class: 'life-words' },
        el('strong', {}, words),
        end !== undefined && el('span', { class: 'until' }, ` ${days < 0 ? 'on' : 'until'} ${date(end)}`),
      ),
    ),
    trouble && el('p', { class: 'life-problem' }, sentence(trouble.detail)),
  );
}

/**
 * @param {number} days
 * @param {number} last
 */
function at(days, last) {
  const place = Math.log1p(Math.max(0, days) / 7) / Math.log1p(last / 7);
  return `${(Math.min(1, place) * 100).toFixed(2)}%`;
}
