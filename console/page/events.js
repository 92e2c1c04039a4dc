// Lists the events of rotations, latest first.
import { addressOf } from './address.js';
import { el, mark } from './elements.js';
import { moment } from './words.js';

/** @import { EventState } from '../state.ts' */

/** @type {Readonly<Record<string, readonly ['good' | 'bad' | 'none', string]>>} */
const kinds = {
  'Certificate Pending': ['none', 'The next certificate exists. Customers that pin certificates can add it now.'],
  'Certificate Rejected': ['bad', 'Some customers do not accept the next certificate.'],
  'Certificate Activated': ['good', 'The next certificate is now the current one.'],
};

/** @param {readonly EventState[]} events */
export function eventList(events) {
  if (events.length === 0) return [el('p', { class: 'card empty' }, 'There are no events yet.')];
  return [el('ol', { class: 'events card' }, ...events.map(eventRow))];
}

/** @param {EventState} event */
function eventRow({ time, type, identity, rejectedBy = [] }) {
  const [kind, words] = (Object.hasOwn(kinds, type) ? kinds[type] : undefined) ?? ['none', ''];
  return el(
    'li',
    { class: 'event' },
    mark(kind),
    el(
      'div',
      {},
      el('p', {}, el('strong', {}, type), ' ', el('a', { href: addressOf('identities', identity) }, identity)),
      words !== '' && el('p', { class: 'hint' }, words),
      rejectedBy.length > 0 && el('p', { class: 'hint' }, `Rejected by ${rejectedBy.join(', ')}.`),
    ),
    el('time', { datetime: time }, moment(time)),
  );
}
