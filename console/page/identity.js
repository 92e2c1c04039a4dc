// Renders one identity: its rotation, chain and destinations.
import { chainPicture } from './chain.js';
import { destinationList } from './destinations.js';
import { el } from './elements.js';
import { rotationPicture } from './rotation.js';
import { sentence } from './words.js';

/** @import { ConsoleState, IdentityState } from '../state.ts' */
/** @import { Child } from './elements.js' */

/**
 * The actions on an identity, and the result of the last rotation request.
 * @typedef {{
 *   readonly isAsked: boolean, readonly trouble: string | undefined,
 *   onRotate(): void, onDiagnose(url: string): void,
 * }} Actions
 */

/**
 * @param {ConsoleState} state
 * @param {IdentityState} identity
 * @param {Actions} actions
 */
export function identityParts(state, identity, actions) {
  const { name, current, problem } = identity;
  return [
    el('h2', { class: 'identity-name' }, name),
    problem && el('p', { class: 'notice bad' }, `${sentence(problem.detail)} ${problem.hint ?? ''}`),
    part('Rotation', ...rotationPicture(state, identity, actions)),
    current && current.chain.length > 0 && part('Chain', chainPicture(current.chain, state.now, 'client')),
    part('Destinations', ...destinationList(identity, actions.onDiagnose)),
  ];
}

/**
 * @param {string} title
 * @param {...Child} children
 */
function part(title, ...children) {
  return el('section', { class: 'card', 'aria-label': title }, el('h2', {}, title), ...children);
}
