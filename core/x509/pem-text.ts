// Restores PEM text that a shell, JSON, YAML, a URL, base64 or an editor on Windows has changed.

/** A file as text. PowerShell and the editors of Windows write UTF-16, with or without a byte order mark. */
export function decodeText(bytes: Buffer): string {
  const [first, second, third] = bytes;
  if (first === 0xff && second === 0xfe) return bytes.toString('utf16le', 2);
  if (first === 0xfe && second === 0xff) return decodeBigEndian(bytes.subarray(2));
  if (first === 0xef && second === 0xbb && third === 0xbf) return bytes.toString('utf8', 3);
  const dashes = bytes.subarray(0, 512).indexOf('-\0-\0');
  if (dashes === -1) return bytes.toString('utf8');
  return dashes % 2 === 0 ? bytes.toString('utf16le') : decodeBigEndian(bytes);
}

function decodeBigEndian(bytes: Buffer): string {
  return Buffer.from(bytes.subarray(0, bytes.length & ~1))
    .swap16()
    .toString('utf16le');
}

const begin = '-----BEGIN ';
/** A secret that was encoded by hand is often encoded twice. */
const maxEncodings = 3;

/**
 * The text with real line breaks and without base64 around PEM. The backslash, the backquote, `%` and `&` are not
 * base64, so nothing of a key or certificate is lost. Text without PEM is returned as it is.
 */
export function plainPem(text: string): string {
  const found = decodeBase64Pem(text);
  const plain = found.includes('-----BEGIN%20') || found.includes('-----BEGIN+') ? decodeUrl(found) : found;
  if (!plain.includes(begin)) return text;
  return /[\\`%&]/.test(plain) ? decodeEscapes(plain) : plain;
}

function decodeEscapes(text: string): string {
  return text
    .replace(/\\{1,8}(?:[rnt\r\n]|u000[ad]|x0[ad]|01[25])|`[rnt]|%0[ad]|&#(?:10|13|x[ad]);/gi, '\n')
    .replace(/\\{1,8}(?:u002f|x2f)|\\{1,8}\/|%2f/gi, '/')
    .replace(/\\{1,8}(?:u002b|x2b)|%2b/gi, '+')
    .replace(/\\{1,8}(?:u003d|x3d)|%3d/gi, '=');
}

/** `encodeURIComponent`, nginx's $ssl_client_escaped_cert, and the form encoding, where a space is `+`. */
function decodeUrl(text: string): string {
  const spaced = text.includes('-----BEGIN+') ? text.replaceAll('+', ' ') : text;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return text;
  }
}

/** Base64 of a text that begins with `-----BEGIN`, as a value in YAML. */
const encodedPem = /LS0tLS1CRUdJTi[A-Za-z0-9+/]*(?:\s+[A-Za-z0-9+/]+)*={0,2}/g;

function decodeBase64Pem(text: string): string {
  let plain = text;
  for (let count = 0; count < maxEncodings && !plain.includes(begin); count += 1) {
    const whole = decodeBase64(plain.replace(/^\s*["']|["']\s*$/g, ''));
    if (!whole) break;
    plain = decodeText(whole);
  }
  if (plain.includes(begin)) return plain;
  return text.replace(encodedPem, (run) => `${Buffer.from(run, 'base64').toString('latin1')}\n`);
}

/** White space is ignored. Undefined if the text is empty or has any other character that is not base64. */
export function decodeBase64(text: string): Buffer | undefined {
  const digits = text.replaceAll(/\s/g, '');
  if (digits === '' || !/^[A-Za-z0-9+/]*={0,2}$/.test(digits)) return undefined;
  return Buffer.from(digits, 'base64');
}
