// The form that calls an API as a bot does, and the answer: status, timings as bars, headers, body, handshake.
import { ask } from './ask.js';
import { byId, el, facts, mark, say } from './elements.js';
import { failureCard, fieldError, isUrlRight, setError, withBusyButton } from './form.js';
import { counted, date, ms } from './words.js';

/** @import { Child } from './elements.js' */

/**
 * docs/api.md has every field.
 * @typedef {{
 *   readonly status: number, readonly headers: Readonly<Record<string, string | readonly string[]>>,
 *   readonly body: string, readonly bodyEncoding: 'utf8' | 'base64', readonly advice?: string,
 *   readonly handshake: {
 *     readonly protocol: string, readonly cipher: string, readonly connection: string,
 *     readonly server: { readonly subject: string, readonly issuer: string, readonly fingerprint256: string, readonly validTo: string },
 *     readonly client: { readonly fingerprint256: string, readonly validTo: string, readonly version: string, readonly stage: string },
 *   },
 *   readonly timings: { readonly identityMs: number, readonly dnsMs: number, readonly connectMs: number, readonly tlsMs: number, readonly firstByteMs: number, readonly totalMs: number },
 * }} Invocation
 */

/** Characters of a body that are shown; a page with more of them stands still. */
const mostShown = 200_000;

let runs = 0;

/** @param {(identity: string, url: string) => void} onDiagnose */
export function setUpInvocation(onDiagnose) {
  byId('call-form').addEventListener('submit', (event) => {
    event.preventDefault();
    run(onDiagnose);
  });
}

/** @param {(identity: string, url: string) => void} onDiagnose */
async function run(onDiagnose) {
  const url = field('call-url');
  const identity = /** @type {HTMLSelectElement} */ (byId('call-identity')).value;
  const request = readForm(url);
  if (!request) return;
  const thisRun = ++runs;
  const result = byId('answer');
  result.replaceChildren(el('div', { class: 'card result' }, el('p', { class: 'banner waiting' }, 'Calling …')));
  say('Calling.');
  try {
    /** @type {Invocation} */
    const answer = await withBusyButton('call-form', () =>
      ask(`/v1/identities/${encodeURIComponent(identity)}/invocations`, request),
    );
    if (thisRun !== runs) return;
    result.replaceChildren(...answerParts(answer));
    say(`The API answered with HTTP ${answer.status} after ${ms(answer.timings.totalMs)}.`);
  } catch (thrown) {
    if (thisRun !== runs) return;
    if (fieldError(url, thrown)) return result.replaceChildren();
    const button = el('button', { type: 'button', class: 'plain' }, 'Diagnose this endpoint');
    button.addEventListener('click', () => onDiagnose(identity, `${new URL(url.value).origin}/`));
    result.replaceChildren(failureCard(thrown, button));
  }
}

/**
 * @param {string} id
 * @returns {HTMLInputElement}
 */
function field(id) {
  return byId(id);
}

/**
 * Undefined when something is wrong, which is told beside its field.
 * @param {HTMLInputElement} url
 */
function readForm(url) {
  for (const id of ['call-method', 'call-headers', 'call-timeout']) setError(field(id));
  if (!isUrlRight(url)) return undefined;
  const method = field('call-method').value.trim();
  if (method === '') return void setError(field('call-method'), 'Give a method.');
  const headers = readHeaders(field('call-headers').value);
  if (typeof headers === 'number')
    return void setError(field('call-headers'), `Line ${headers} is not a name, a colon and a value.`);
  const timeoutMs = Number(field('call-timeout').value);
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > 28_000) {
    return void setError(field('call-timeout'), 'The time limit must be a whole number from 1 to 28000.');
  }
  const body = field('call-body').value;
  return {
    url: url.value,
    method,
    timeoutMs,
    ...(Object.keys(headers).length > 0 && { headers }),
    ...(body !== '' && { body }),
    ...(field('call-mutual').checked && { requireMutual: true }),
  };
}

/**
 * @param {string} text
 * @returns {Record<string, string | string[]> | number} the number of a line that is none
 */
function readHeaders(text) {
  /** @type {Map<string, string[]>} */
  const headers = new Map();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const [, name = '', value = ''] = /^([^\s:]+):(.*)$/.exec(line.trim()) ?? [];
    if (name === '') return index + 1;
    headers.set(name, [...(headers.get(name) ?? []), value.trim()]);
  }
  return Object.fromEntries(
    [...headers].map(([name, values]) => [name, values.length === 1 ? (values[0] ?? '') : values]),
  );
}

/**
 * @param {Invocation} answer
 * @returns {Node[]}
 */
function answerParts(answer) {
  const { status, headers, timings, handshake, advice } = answer;
  const kind = status < 400 ? 'good' : 'warn';
  const { protocol, cipher, connection, server, client } = handshake;
  const rows = Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((one) => /** @type {const} */ ([name, one])),
  );
  return [
    el(
      'div',
      { class: 'card result' },
      el(
        'p',
        { class: `banner ${kind}` },
        mark(kind),
        el(
          'span',
          {},
          el('strong', {}, `HTTP ${status}`),
          el('span', { class: 'until' }, ` ${connection} connection, ${ms(timings.totalMs)} in all`),
        ),
      ),
      advice !== undefined && el('p', { class: 'notice warn' }, advice),
      el('h2', {}, 'Body'),
      bodyOf(answer),
    ),
    el('div', { class: 'card' }, el('h2', {}, 'Timings'), waterfall(timings)),
    el(
      'div',
      { class: 'card' },
      el('h2', {}, 'Handshake'),
      facts([
        ['Protocol', `${protocol}, ${cipher}`],
        ['Server', `${server.subject}, issued by ${server.issuer}, until ${date(server.validTo)}`],
        [
          'Presented',
          el(
            'span',
            {},
            `${client.stage}, until ${date(client.validTo)}, SHA-256 `,
            el('code', {}, client.fingerprint256),
          ),
        ],
      ]),
    ),
    el('details', { class: 'card more' }, el('summary', {}, counted(rows.length, 'header', 'headers')), facts(rows)),
  ];
}

/**
 * @param {Invocation} answer
 * @returns {Child}
 */
function bodyOf({ body, bodyEncoding, headers }) {
  if (body === '') return el('p', { class: 'hint' }, 'The answer has no body.');
  const text = bodyEncoding === 'utf8' ? readable(body, String(headers['content-type'] ?? '')) : body;
  const isCut = text.length > mostShown;
  const words = [
    bodyEncoding === 'base64' && 'These are bytes, in base64.',
    isCut && `The first ${mostShown.toLocaleString('en')} of ${text.length.toLocaleString('en')} characters.`,
  ].filter(Boolean);
  return el(
    'div',
    {},
    words.length > 0 && el('p', { class: 'hint' }, words.join(' ')),
    el(
      'pre',
      { class: 'body', tabindex: '0', role: 'region', 'aria-label': 'Body of the answer' },
      text.slice(0, mostShown),
    ),
  );
}

/**
 * JSON with its lines; numbers stay as they were written wherever parsing would change them.
 * @param {string} text
 * @param {string} contentType
 */
function readable(text, contentType) {
  if (!/json/i.test(contentType) || text.length > mostShown) return text;
  try {
    const parsed = JSON.parse(text);
    return JSON.stringify(parsed) === text.trim() ? JSON.stringify(parsed, undefined, 2) : text;
  } catch {
    return text;
  }
}

/** @param {Invocation['timings']} timings */
function waterfall({ identityMs, dnsMs, connectMs, tlsMs, firstByteMs, totalMs }) {
  const parts = /** @type {const} */ ([
    ['identity', identityMs],
    ['name', dnsMs],
    ['TCP', connectMs],
    ['TLS', tlsMs],
    ['first byte', firstByteMs],
  ]);
  const known = parts.reduce((sum, [, took]) => sum + took, 0);
  const whole = Math.max(totalMs, known, 0.001);
  let begun = 0;
  const rows = [...parts, /** @type {const} */ (['the rest', Math.max(0, totalMs - known)])].map(([name, took]) => {
    const bar = el('span', { class: 'time-bar', 'aria-hidden': 'true' }, el('span', {}));
    bar.style.setProperty('--from', `${((begun / whole) * 100).toFixed(2)}%`);
    bar.style.setProperty('--length', `${((took / whole) * 100).toFixed(2)}%`);
    begun += took;
    return el('li', {}, el('span', { class: 'time-name' }, name), bar, el('span', { class: 'time-ms' }, ms(took)));
  });
  return el('ol', { class: 'times' }, ...rows);
}
