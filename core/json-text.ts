// JSON text of strings and times, faster than JSON.stringify and Date make it; the text is the same.

/** ASCII that stands for itself in a JSON string (RFC 8259, section 7). */
const plain = /^[ !#-[\]-~]*$/;

/** A pattern is the fastest for names and header values, a loop over bytes for bodies. */
const mostOfPattern = 128;
const mostOfLoop = 16 * 1024;

/** What JSON.stringify returns for the string. */
export function jsonString(text: string): string {
  if (text.length <= mostOfPattern && plain.test(text)) return `"${text}"`;
  return (text.length <= mostOfLoop ? escapedAscii(text) : undefined) ?? JSON.stringify(text);
}

const quote = 0x22;
const backslash = 0x5c;
const lineFeed = 0x0a;

/** JSON inside JSON is full of quotes, which cost JSON.stringify the most. Undefined if there is anything but ASCII. */
function escapedAscii(text: string): string | undefined {
  const { text: bytes, escaped } = scratch;
  const length = bytes.write(text, 'utf8');
  let end = 0;
  escaped[end++] = quote;
  for (let at = 0; at < length; at++) {
    const byte = bytes[at] as number;
    if (byte === quote || byte === backslash || byte === lineFeed) escaped[end++] = backslash;
    else if (byte < 0x20 || byte > 0x7e) return undefined;
    escaped[end++] = byte === lineFeed ? 0x6e : byte;
  }
  escaped[end++] = quote;
  return escaped.toString('latin1', 0, end);
}

/** Made once for the process: a Buffer for each call costs more than the text. */
const scratch = { text: Buffer.allocUnsafeSlow(mostOfLoop * 3), escaped: Buffer.allocUnsafeSlow(mostOfLoop * 2 + 2) };

const last = { second: Number.NaN, text: '' };

/** ISO 8601 in UTC, with milliseconds, as Date writes it. `time` is whole milliseconds since 1970. */
export function isoTime(time: number): string {
  const inSecond = Math.floor(time / 1000);
  if (inSecond !== last.second) {
    last.text = new Date(inSecond * 1000).toISOString().slice(0, -4);
    last.second = inSecond;
  }
  return `${last.text}${String(time - inSecond * 1000).padStart(3, '0')}Z`;
}
