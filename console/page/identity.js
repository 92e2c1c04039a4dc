// One identity: its rotation, its chain, its destinations.
import { chainPicture } from './chain.js';
import { destinationList } from './destinations.js';
import { el } from './elements.js';
import { rotationPicture } from './rotation.js';
import { sentence } from './words.js';

/** @import { ConsoleState, IdentityState } from '../state.ts' */
/** @import { Child } from './elements.js' */

/**
 * What can be done with it, and what came of it.
 * @typedef {{
 *   readonly isAsked: boolean, readonly trouble: string | undefined,
 *   onRotate(): void, onDiagnose(url: string): void,
 * }} Doings
 */

/**
 * @param {ConsoleState} state
 * @param {IdentityState} identity
 * @param {Doings} doings
 */
export function identityParts(state, identity, doings) {
  const { name, current, problem } = identity;
  return [
    el('h2', { class: 'identity-name' }, name),
    problem && el('p', { class: 'notice bad' }, `${sentence(problem.detail)} ${problem.hint ?? ''}`),
    part('Rotation', ...rotationPicture(state, identity, doings)),
    current && current.chain.length > 0 && part('Chain', chainPicture(current.chain, state.now, 'client')),
    part('Destinations', ...destinationList(identity, doings.onDiagnose)),
  ];
}

/**
 * @param {string} title
 * @param {...Child} children
 */
function part(title, ...children) {
  return el('section', { class: 'card', 'aria-label': title }, el('h2', {}, title), ...children);
}
