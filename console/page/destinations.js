// Lists the destinations of an identity with their last verdicts, and a button that diagnoses each.
import { el, mark } from './elements.js';
import { moment, verdictWords } from './words.js';

/** @import { DestinationState, IdentityState, VerdictState } from '../state.ts' */

/**
 * @param {IdentityState} identity
 * @param {(url: string) => void} onDiagnose
 */
export function destinationList({ destinations }, onDiagnose) {
  if (destinations.length === 0)
    return [
      el('p', { class: 'empty' }, 'No destinations are configured: this identity cannot be used for any endpoint.'),
    ];
  return [
    el('ul', { class: 'destinations' }, ...destinations.map((destination) => destinationRow(destination, onDiagnose))),
  ];
}

/**
 * @param {DestinationState} destination
 * @param {(url: string) => void} onDiagnose
 */
function destinationRow(destination, onDiagnose) {
  const { host, port, verdicts } = destination;
  const isExact = !host.startsWith('*');
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return el(
    'li',
    { class: 'destination' },
    el(
      'div',
      { class: 'destination-place' },
      el('p', { class: 'name' }, isExact ? place : host === '*' ? `any host, port ${port}` : place),
      el('p', { class: 'chips' }, ...chipsOf(destination).map((words) => el('span', { class: 'chip' }, words))),
    ),
    el('div', { class: 'destination-verdicts' }, ...verdictRows(verdicts, isExact)),
    isExact && diagnoseButton(place, onDiagnose),
  );
}

/** @param {DestinationState} destination */
function chipsOf({ network, requireMutual, isPinned, hasOwnRoots, probe }) {
  return [
    network !== 'public' && `${network} network`,
    hasOwnRoots && 'own server roots',
    isPinned && 'pinned',
    requireMutual && 'mutual TLS required',
    probe && `probe ${probe}`,
  ].filter((words) => typeof words === 'string');
}

/**
 * @param {readonly VerdictState[]} verdicts
 * @param {boolean} isExact
 */
function verdictRows(verdicts, isExact) {
  if (verdicts.length === 0) return [el('p', { class: 'verdict none' }, mark('none'), 'not diagnosed yet')];
  return verdicts.map(({ host, port, verdict, certainty, failedStep, at }) => {
    const [words, kind] = verdictWords(verdict);
    const step = failedStep === undefined ? '' : `step ${failedStep}, `;
    const unsaid = certainty === 'inferred' ? 'inferred, ' : '';
    const where = isExact ? '' : `${host}:${port}, `;
    return el(
      'p',
      { class: `verdict ${kind}` },
      mark(kind),
      el('span', {}, words, el('span', { class: 'until' }, ` ${where}${step}${unsaid}${moment(at)}`)),
    );
  });
}

/**
 * @param {string} place
 * @param {(url: string) => void} onDiagnose
 */
function diagnoseButton(place, onDiagnose) {
  const name = el('span', { class: 'unseen' }, ` ${place}`);
  const button = el('button', { type: 'button', class: 'plain', 'data-key': `diagnose ${place}` }, 'Diagnose', name);
  button.addEventListener('click', () => onDiagnose(`https://${place}/`));
  return button;
}
