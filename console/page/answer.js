// Renders the answer of a call: status, body, timings, headers and handshake.
import { el, facts, mark } from './elements.js';
import { counted, date, ms } from './words.js';

/** @import { Child } from './elements.js' */

/**
 * docs/api.md has every field.
 * @typedef {{
 *   readonly status: number, readonly headers: Readonly<Record<string, string | readonly string[]>>,
 *   readonly body: string, readonly bodyEncoding: 'utf8' | 'base64', readonly advice?: string,
 *   readonly handshake: {
 *     readonly protocol: string, readonly cipher: string, readonly connection: string,
 *     readonly server: {
 *       readonly subject: string, readonly issuer: string, readonly fingerprint256: string, readonly validTo: string,
 *     },
 *     readonly clientCertificateRequested: boolean | 'unknown',
 *     readonly client?: {
 *       readonly fingerprint256: string, readonly validTo: string, readonly version: string, readonly stage: string,
 *     },
 *   },
 *   readonly timings: {
 *     readonly identityMs: number, readonly dnsMs: number, readonly connectMs: number, readonly tlsMs: number,
 *     readonly firstByteMs: number, readonly totalMs: number,
 *   },
 * }} Invocation
 */

/** Characters of a body that are shown: more would freeze the page. */
const mostShown = 200_000;

/**
 * @param {Invocation} answer
 * @returns {Node[]}
 */
export function answerParts(answer) {
  const { status, headers, timings, handshake, advice } = answer;
  const kind = status < 400 ? 'good' : 'warn';
  const { protocol, cipher, connection, server } = handshake;
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
          el('span', { class: 'until' }, ` ${connection} connection, ${ms(timings.totalMs)} in total`),
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
        ['Presented', presented(handshake)],
      ]),
    ),
    el('details', { class: 'card more' }, el('summary', {}, counted(rows.length, 'header', 'headers')), facts(rows)),
  ];
}

/**
 * @param {Invocation['handshake']} handshake
 * @returns {Node}
 */
function presented({ client, clientCertificateRequested: requested }) {
  if (client) {
    const { stage, validTo, fingerprint256 } = client;
    return el('span', {}, `${stage}, until ${date(validTo)}, SHA-256 `, el('code', {}, fingerprint256));
  }
  const why =
    requested === true
      ? 'the server accepts no signature algorithm of its key'
      : `the server did not ask for one${requested === false ? '' : ', or accepts no signature algorithm of its key'}`;
  return el('span', {}, `no client certificate: ${why}`);
}

/**
 * @param {Invocation} answer
 * @returns {Child}
 */
function bodyOf({ body, bodyEncoding, headers }) {
  if (body === '') return el('p', { class: 'hint' }, 'The response has no body.');
  const text = bodyEncoding === 'utf8' ? readable(body, String(headers['content-type'] ?? '')) : body;
  const isCut = text.length > mostShown;
  const words = [
    bodyEncoding === 'base64' && 'The body is binary; it is shown in base64.',
    isCut && `The first ${mostShown.toLocaleString('en')} of ${text.length.toLocaleString('en')} characters.`,
  ].filter(Boolean);
  return el(
    'div',
    {},
    words.length > 0 && el('p', { class: 'hint' }, words.join(' ')),
    el(
      'pre',
      { class: 'body', tabindex: '0', role: 'region', 'aria-label': 'Body of the response' },
      text.slice(0, mostShown),
    ),
  );
}

/**
 * Indents JSON, unless parsing it would change a number.
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
