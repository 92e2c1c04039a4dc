// Fills the forms with the identities, and with the endpoints of the destinations as suggestions.
import { byId, el, show } from './elements.js';

/** @import { ConsoleState, IdentityState } from '../state.ts' */

/**
 * Replaces only lists that have changed, so that an open list is not closed.
 * @param {ConsoleState} state
 * @param {IdentityState | undefined} identity
 * @param {boolean} isNewlyWanted whether the address has just selected it, which overrides the choice in the form
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
