// Formats dates, times, names and verdicts for the whole page.

const day = 86_400_000;
const dates = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
const times = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});

/**
 * `20 Feb 2027`, in UTC like the dates of a certificate.
 * @param {string} iso
 */
export function date(iso) {
  return dates.format(new Date(iso));
}

/**
 * In the time zone of the browser.
 * @param {string} iso
 */
export function moment(iso) {
  return times.format(new Date(iso));
}

/**
 * Whole days from one moment to another, rounded down: 0 with half a day left, -1 just after the end.
 * @param {string} from
 * @param {string} to
 */
export function daysBetween(from, to) {
  return Math.floor((Date.parse(to) - Date.parse(from)) / day);
}

/** @param {number} days */
export function daysLeft(days) {
  if (days < -1) return `expired ${counted(-days - 1, 'day', 'days')} ago`;
  if (days < 0) return 'expired';
  if (days === 0) return 'less than a day';
  return days === 1 ? '1 day' : `${days.toLocaleString('en')} days`;
}

/** @param {number} days */
export function urgency(days) {
  if (days < 7) return 'bad';
  return days < 30 ? 'warn' : 'good';
}

/** @param {number} value */
export function ms(value) {
  return value >= 10_000 ? `${(value / 1000).toFixed(1)} s` : `${value.toFixed(1)} ms`;
}

/**
 * The common name in a distinguished name (RFC 4514), or the whole name.
 * @param {string} name
 */
export function commonName(name) {
  const found = /(?:^|[,+])CN=((?:\\.|[^,+\\])*)/i.exec(name)?.[1];
  return found ? found.replace(/\\([,+"\\<>;=# ])/g, '$1') : name || 'no name';
}

/**
 * Starts with a capital: some error details begin with the name of a key.
 * @param {string} words
 */
export function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} many
 */
export function counted(count, one, many) {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}

/** @type {Readonly<Record<string, readonly [string, 'good' | 'bad' | 'warn']>>} */
const verdicts = {
  'access-granted': ['Access is granted', 'good'],
  'access-refused': ['The server rejects the client certificate', 'bad'],
  'access-unknown': ['It is not known whether the server accepts the client certificate', 'warn'],
  'not-mutual': ['The server does not verify the client: this is not mutual TLS', 'warn'],
  'server-not-trusted': ['The server is not trusted', 'bad'],
  unreachable: ['A TLS connection cannot be opened', 'bad'],
  'identity-unusable': ['The identity cannot be used', 'bad'],
};

/**
 * @param {string} verdict
 * @returns {readonly [string, 'good' | 'bad' | 'warn']}
 */
export function verdictWords(verdict) {
  return Object.hasOwn(verdicts, verdict) ? (verdicts[verdict] ?? [verdict, 'warn']) : [verdict, 'warn'];
}
