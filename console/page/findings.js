// Renders a diagnosis: a row for each step, the remedies, and the data that the server sent.
import { chainPicture } from './chain.js';
import { el, facts, mark } from './elements.js';
import { ms } from './words.js';

/** @import { Diagnosis, Finding, Remedy, StepReport } from '../../core/diagnosis/diagnosis.ts' */
/** @import { Child } from './elements.js' */

export const stepNames = [
  'request the endpoint',
  'server presents its certificate',
  'verify the server',
  'send the client certificate',
  'server verifies the client',
];

/** @type {Readonly<Record<string, { readonly kind: 'good' | 'bad' | 'warn' | 'none', readonly words: string }>>} */
const statuses = {
  passed: { kind: 'good', words: 'passed' },
  failed: { kind: 'bad', words: 'failed' },
  warning: { kind: 'warn', words: 'passed with a warning' },
  skipped: { kind: 'none', words: 'skipped' },
  unknown: { kind: 'warn', words: 'result unknown' },
};

/** @param {string} status */
export function statusOf(status) {
  return statuses[status] ?? { kind: /** @type {const} */ ('none'), words: status };
}

/**
 * A step whose result has not arrived.
 * @param {number} index
 */
export function waitingStep(index) {
  return el(
    'li',
    { class: 'step waiting' },
    el('span', { class: 'ball', 'aria-hidden': 'true' }, String(index + 1)),
    el(
      'div',
      { class: 'step-in' },
      el('p', { class: 'step-name' }, el('span', { class: 'step-title' }, stepNames[index])),
    ),
  );
}

/**
 * @param {StepReport} step
 * @param {string | undefined} fact
 */
export function knownStep({ name, status, durationMs, findings }, fact) {
  const { kind, words } = statusOf(status);
  return el(
    'li',
    { class: `step ${kind}` },
    el('span', { class: 'ball', 'aria-hidden': 'true' }, mark(kind)),
    el(
      'div',
      { class: 'step-in' },
      el(
        'p',
        { class: 'step-name' },
        el('span', { class: 'step-title' }, name),
        el('span', { class: `step-status ${kind}` }, ` ${words}`),
        status !== 'skipped' && el('span', { class: 'step-time' }, ` ${ms(durationMs)}`),
      ),
      fact !== undefined && fact !== '' && el('p', { class: 'step-fact' }, fact),
      ...findings.map(findingRow),
    ),
  );
}

/** @param {Finding} finding */
function findingRow({ code, severity, detail, certainty }) {
  return el(
    'p',
    { class: `finding ${severity}` },
    el('code', {}, code),
    certainty === 'inferred' && el('span', { class: 'chip' }, 'inferred'),
    ` ${detail}`,
  );
}

/**
 * One line of facts for each step; undefined for a step without facts.
 * @param {Diagnosis} diagnosis
 */
export function factsOf({ server, request, client, probe, identity, steps }) {
  const leaf = server?.chain[0];
  const ours = client?.chain[0];
  const asked = request?.asked === false ? 'not requested' : issuersOf(request?.acceptableIssuers ?? []);
  const known = [
    server?.address,
    leaf && [leaf.subject, server?.protocol, server?.cipher].filter(Boolean).join(', '),
    leaf && `issued by ${leaf.issuer}, valid to ${leaf.validTo.slice(0, 10)}`,
    ours && request?.asked !== undefined ? `${ours.subject}, ${identity.stage ?? ''}: ${asked}` : undefined,
    probe?.status === undefined ? undefined : `${probe.method} ${probe.path.split('?')[0]}: HTTP ${probe.status}`,
  ];
  return known.map((fact, index) => (steps[index]?.status === 'skipped' && index !== 3 ? undefined : fact));
}

/** @param {readonly string[]} issuers */
function issuersOf(issuers) {
  if (issuers.length === 0) return 'any issuer is accepted';
  return `issuers ${issuers.slice(0, 2).join('; ')}${issuers.length > 2 ? ` and ${issuers.length - 2} more` : ''}`;
}

/** @param {readonly Remedy[]} remedies */
export function remedyList(remedies) {
  if (remedies.length === 0) return undefined;
  const rows = remedies.map(({ who, do: what, directive, server, tried }) =>
    el(
      'li',
      { class: 'remedy' },
      el('span', { class: 'who' }, who),
      el(
        'div',
        {},
        el(
          'p',
          {},
          what,
          tried !== undefined && ` (${tried === 'worked' ? 'tested: it works' : 'tested: it did not help'})`,
        ),
        directive !== undefined &&
          el('pre', { tabindex: '0', 'aria-label': `Configuration of ${server ?? 'the server'}` }, directive),
      ),
    ),
  );
  return el('div', { class: 'card' }, el('h2', {}, 'What to do'), el('ul', { class: 'remedies' }, ...rows));
}

/**
 * @param {Diagnosis} diagnosis
 * @param {string} now
 */
export function shownBy({ server, request }, now) {
  if (!server || server.chain.length === 0) return undefined;
  const issuers = request?.acceptableIssuers ?? [];
  const count = request?.acceptableIssuerCount ?? issuers.length;
  return el(
    'details',
    { class: 'card more', 'data-key': 'shown' },
    el('summary', {}, 'What the server sent'),
    chainPicture(
      server.builtChain.length > 0 ? server.builtChain : server.chain,
      now,
      'server',
      isRooted(server.builtChain),
    ),
    facts([
      ['Address', server.address],
      ['Protocol', [server.protocol, server.cipher].filter(Boolean).join(', ')],
      ['Key exchange', server.keyExchange],
      ['Names', server.chain[0]?.names?.join(', ')],
      ['Software', server.software],
      ['Stapled OCSP', server.stapledOcsp],
      ['Requests a client certificate', request?.asked === undefined ? undefined : request.asked ? 'yes' : 'no'],
      ['Accepts issuers', request?.asked ? acceptedIssuers(issuers, count) : undefined],
      ['Accepts signatures', request?.signatureAlgorithms.join(', ')],
    ]),
  );
}

/** @param {readonly { readonly subject: string, readonly issuer: string }[]} chain */
function isRooted(chain) {
  const last = chain.at(-1);
  return last !== undefined && last.subject === last.issuer;
}

/**
 * @param {readonly string[]} issuers
 * @param {number} count
 * @returns {Child}
 */
function acceptedIssuers(issuers, count) {
  if (count === 0) return 'any';
  const rows = issuers.slice(0, 20).map((name) => el('li', {}, name));
  if (count > rows.length) rows.push(el('li', {}, `and ${count - rows.length} more`));
  return el('ul', { class: 'plain-list' }, ...rows);
}
