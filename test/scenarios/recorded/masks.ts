// What differs from run to run, each value under a name of its own: the same value has the same name within a section.

/** Members whose value is a measured time; limits such as `timeoutMs` are compared. */
const durations = [
  'identityMs',
  'dnsMs',
  'connectMs',
  'tlsMs',
  'firstByteMs',
  'totalMs',
  'durationMs',
  'diagnosisMs',
  'rotationMs',
  'tookMs',
  'servedMs',
  'replacedInMs',
].join('|');

const patterns: readonly (readonly [kind: string, pattern: RegExp])[] = [
  ['certificate', /-----BEGIN CERTIFICATE( REQUEST)?-----[A-Za-z0-9+/=\s\\<]+?-----END CERTIFICATE\1-----/g],
  ['uuid', /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g],
  ['begin of a fingerprint', /\b(?:[0-9A-F]{2}:){7}[0-9A-F]{2}…/g],
  // The version of an identity in a directory.
  ['digest', /\b[0-9a-f]{64}\b/g],
  ['fingerprint', /\b(?:[0-9A-F]{2}:){31}[0-9A-F]{2}\b/g],
  ['pin', /\bsha256\/[A-Za-z0-9+/]{43}=/g],
  ['serial', /(?<="serialNumber": ?"|\bserial number )[0-9A-Fa-f]+/g],
  // API Gateway's: eleven bytes in base64.
  ['request', /(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{15}=(?![A-Za-z0-9+/=])/g],
  ['arn', /(?<=:secret:[\w/.-]+-)[A-Za-z0-9]{6}(?![\w-])/g],
];

/** Of these no two need to be told apart. */
const plain: readonly (readonly [RegExp, string])[] = [
  [/\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{3})?Z/g, '<time>'],
  [/\b\d{4}-\d{2}-\d{2}\b/g, '<date>'],
  [/\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT/g, '<http-date>'],
  [new RegExp(`(?<="(?:${durations})": ?)\\d+(?:\\.\\d+)?(?:e-\\d+)?`, 'g'), '<ms>'],
  [/(?<="Timestamp": ?)\d+/g, '<ms since 1970>'],
  [/(?<="pid": ?)\d+/g, '<pid>'],
  [/(?<=TLSv1\.[23], )\d+ ms\b/g, '<ms> ms'],
  [/\bNode \d+\.\d+\.\d+, OpenSSL \d+\.\d+\.\d+/g, 'Node <version>, OpenSSL <version>'],
  // In a column, too.
  [/ +\d+\.\d ms\b/g, ' <ms> ms'],
];

export interface Masks {
  /** From here on the value stands under this name, in every section. */
  name(value: string | number, as: string): void;
  /** A text of its own: values that have no name are numbered from 1. */
  section(text: string): string;
}

export function createMasks(): Masks {
  const known = new Map<string, string>();
  return {
    name(value, as) {
      known.set(String(value), `<${as}>`);
    },
    section(text) {
      const numbers = new Map<string, string>();
      const counts = new Map<string, number>();
      const numbered = (kind: string, value: string) => {
        // A certificate's line breaks are others in JSON.
        const key = value.replaceAll(/\\n|[\s<]/g, '');
        const given = numbers.get(key);
        if (given !== undefined) return given;
        const count = (counts.get(kind) ?? 0) + 1;
        counts.set(kind, count);
        numbers.set(key, `<${kind}-${count}>`);
        return `<${kind}-${count}>`;
      };
      let masked = text;
      const longestFirst = [...known].sort(([one], [other]) => other.length - one.length);
      for (const [value, as] of longestFirst) masked = masked.replaceAll(wholeWord(value), () => as);
      for (const [kind, pattern] of patterns) masked = masked.replace(pattern, (value) => numbered(kind, value));
      for (const [pattern, as] of plain) masked = masked.replace(pattern, () => as);
      return masked;
    },
  };
}

/** A port is not to be found inside another number, nor a word inside another word. */
function wholeWord(value: string): RegExp {
  const escaped = value.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
  return new RegExp(`${/^\w/.test(value) ? '(?<!\\w)' : ''}${escaped}${/\w$/.test(value) ? '(?!\\w)' : ''}`, 'g');
}
