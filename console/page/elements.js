// Creates elements. Content is always inserted as text, never as HTML, so that remote data cannot change the page.

/** @typedef {Node | string | undefined | false} Child */
/** @typedef {Readonly<Record<string, string | number | boolean | undefined>>} Attributes */

const directionControls = /[\u202a-\u202e\u2066-\u2069]/g;

/**
 * `true` sets an attribute without a value; `false` and `undefined` leave it out.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  fill(element, attributes, children);
  return element;
}

/**
 * @param {string} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  fill(element, attributes, children);
  return element;
}

/**
 * @param {Element} element
 * @param {Attributes} attributes
 * @param {readonly Child[]} children
 */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children) {
    if (child === undefined || child === false) continue;
    element.append(typeof child === 'string' ? inOrder(child) : child);
  }
}

/**
 * Escapes the characters that change the text direction, which could reorder the text next to a remote name
 * (Unicode TR 36, section 2.5; CVE-2021-42574). They are shown as in JSON: `\\u202e`.
 * @param {string} text
 */
export function inOrder(text) {
  return text.replace(directionControls, (one) => `\\u${one.charCodeAt(0).toString(16)}`);
}

/**
 * Throws if the page has no element with this id.
 * @template {HTMLElement} [Kind=HTMLElement]
 * @param {string} id
 * @returns {Kind}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no element ${id}.`);
  return /** @type {Kind} */ (element);
}

/** @type {WeakMap<Element, string>} */
const shown = new WeakMap();

/**
 * Replaces the children of the container if their data has changed. Keeps the focus and open details: `data-key` names
 * the same element before and after.
 * @param {HTMLElement} container
 * @param {unknown} data JSON
 * @param {() => Child[]} make
 * @returns {boolean} whether anything changed
 */
export function show(container, data, make) {
  const text = JSON.stringify(data) ?? '';
  if (shown.get(container) === text) return false;
  shown.set(container, text);
  const focused = container.contains(document.activeElement) ? document.activeElement : undefined;
  const key = focused instanceof HTMLElement ? focused.dataset.key : undefined;
  const open = new Set([...container.querySelectorAll('details[open]')].map((one) => one.getAttribute('data-key')));
  container.replaceChildren(...make().filter((child) => child !== undefined && child !== false));
  for (const details of container.querySelectorAll('details')) {
    if (open.has(details.dataset.key ?? '')) details.open = true;
  }
  if (key === undefined) return true;
  const again = [...container.querySelectorAll('[data-key]')].find((one) => one.getAttribute('data-key') === key);
  if (again instanceof HTMLElement) again.focus({ preventScroll: true });
  return true;
}

/**
 * Announces text to screen readers, also if it is the same as before.
 * @param {string} words
 */
export function say(words) {
  const said = byId('said');
  const text = inOrder(words);
  said.textContent = said.textContent === text ? `${text}\u00a0` : text;
}

/**
 * A symbol; the meaning must be in words next to it.
 * @param {'good' | 'bad' | 'warn' | 'none'} kind
 */
export function mark(kind) {
  const paths = { good: 'M3.5 8.5l3 3 6-7', bad: 'M4.5 4.5l7 7m0-7l-7 7', warn: 'M8 3.5v5.5m0 3v.1', none: 'M4.5 8h7' };
  return svg(
    'svg',
    { class: `mark ${kind}`, viewBox: '0 0 16 16', 'aria-hidden': 'true' },
    svg('path', { d: paths[kind] }),
  );
}

/**
 * @param {readonly (readonly [string, Child])[]} rows rows without a value are left out
 */
export function facts(rows) {
  const list = el('dl', { class: 'facts' });
  for (const [name, value] of rows) {
    if (value !== undefined && value !== '' && value !== false) {
      list.append(el('div', {}, el('dt', {}, name), el('dd', {}, value)));
    }
  }
  return list;
}
