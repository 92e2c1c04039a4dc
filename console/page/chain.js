// Draws a certificate chain, from the root down to the leaf.
import { el, facts, svg } from './elements.js';
import { commonName, date, daysBetween, daysLeft, urgency } from './words.js';

/** @import { CertificateReport } from '../../core/diagnosis/diagnosis.ts' */

/** A longer chain is drawn from top to bottom. */
const mostAbreast = 4;

/**
 * @param {readonly CertificateReport[]} chain leaf first
 * @param {string} now ISO 8601
 * @param {'client' | 'server'} side
 * @param {boolean} [endsAtRoot] whether the last certificate is the root
 */
export function chainPicture(chain, now, side, endsAtRoot = true) {
  const links = [...chain].reverse().map((certificate, index) => {
    const isLeaf = index === chain.length - 1;
    const isRoot = !isLeaf && index === 0 && endsAtRoot;
    return el(
      'li',
      { class: 'link' },
      certificateCard(certificate, now, roleOf(isLeaf, isRoot, side)),
      !isLeaf && arrow(),
    );
  });
  const kind = chain.length > mostAbreast ? 'chain long' : 'chain';
  return el('ol', { class: kind, 'aria-label': 'Chain, from the issuer down to the certificate' }, ...links);
}

/** @typedef {{ readonly title: string, readonly icon: string, readonly note: string }} Role */

/**
 * @param {boolean} isLeaf
 * @param {boolean} isRoot
 * @param {'client' | 'server'} side
 * @returns {Role}
 */
function roleOf(isLeaf, isRoot, side) {
  const isClient = side === 'client';
  if (isLeaf) {
    const title = isClient ? 'Client certificate' : 'Server certificate';
    return { title, icon: 'leaf', note: isClient ? 'presented to the server' : 'presented by the server' };
  }
  if (isRoot)
    return {
      title: 'Root',
      icon: 'root',
      note: isClient ? 'never sent: the customer trusts it' : 'sent by the server, or trusted here',
    };
  return {
    title: 'Intermediate',
    icon: 'intermediate',
    note: isClient ? 'sent with the certificate' : 'sent with the certificate',
  };
}

/**
 * @param {CertificateReport} certificate
 * @param {string} now
 * @param {Role} role
 */
function certificateCard({ subject, validFrom, validTo, key, signature, fingerprint256 }, now, { title, icon, note }) {
  const days = daysBetween(now, validTo);
  const name = commonName(subject);
  return el(
    'div',
    { class: `certificate ${icon}` },
    el('p', { class: 'role' }, roleIcon(icon), el('span', {}, title)),
    el('p', { class: 'name' }, name),
    subject !== `CN=${name}` && el('p', { class: 'subject' }, subject),
    lifeBar(validFrom, validTo, now),
    el(
      'p',
      { class: 'dates' },
      el('strong', { class: urgency(days) }, daysLeft(days)),
      el('span', {}, `${date(validFrom)} to ${date(validTo)}`),
    ),
    facts([
      ['Key', key],
      ['Signature', signature],
      ['SHA-256', el('code', {}, fingerprint256)],
    ]),
    el('p', { class: 'hint' }, note),
  );
}

/**
 * A bar of how much of the validity period has passed.
 * @param {string} from
 * @param {string} to
 * @param {string} now
 */
export function lifeBar(from, to, now) {
  const whole = Date.parse(to) - Date.parse(from);
  const spent = Math.min(1, Math.max(0, (Date.parse(now) - Date.parse(from)) / whole));
  const bar = el('span', { class: `spent ${urgency(daysBetween(now, to))}` });
  bar.style.setProperty('--at', `${(spent * 100).toFixed(1)}%`);
  return el('span', { class: 'lifebar', 'aria-hidden': 'true' }, bar);
}

function arrow() {
  return el(
    'span',
    { class: 'signs' },
    el('span', {}, 'signs'),
    svg('svg', { viewBox: '0 0 40 12', 'aria-hidden': 'true' }, svg('path', { d: 'M1 6h36m-5-5l6 5-6 5' })),
  );
}

/** @param {string} icon */
function roleIcon(icon) {
  /** @type {Readonly<Record<string, string>>} */
  const paths = {
    root: 'M8 1.5l5.5 2v4c0 3.3-2.3 5.6-5.5 7-3.2-1.4-5.5-3.7-5.5-7v-4z',
    intermediate: 'M6.8 9.2l2.4-2.4M7 5l1.6-1.6a2.6 2.6 0 013.9 3.7L11 8.8M9 11l-1.6 1.6a2.6 2.6 0 01-3.9-3.7L5 7.2',
    leaf: 'M3.5 1.5h6l3 3v10h-9zM6 7.5h4M6 10.5h4',
  };
  return svg('svg', { class: 'icon', viewBox: '0 0 16 16', 'aria-hidden': 'true' }, svg('path', { d: paths[icon] }));
}
