// What the forms offer: the identities to choose from, and the endpoints that are known.
import { byId, el, show } from './elements.js';

/** @import { ConsoleState, IdentityState } from '../state.ts' */

/**
 * Never while somebody chooses: only what has changed is put in.
 * @param {ConsoleState} state
 * @param {IdentityState | undefined} identity
 * @param {boolean} isNewlyWanted whether it takes the place of what was chosen
 */
export function fillChoices({ identities }, identity, isNewlyWanted) {
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
