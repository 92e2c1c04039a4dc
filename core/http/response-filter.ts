// Reads the bytes of a response before Node's parser: repairs harmless heads, drops bodies that must not exist, and
// bounds the bytes. docs/decisions/0091-odd-heads.md has the measurement behind each rule.
import type { TLSSocket } from 'node:tls';
import { CountersignError } from '../errors.ts';
import { limits } from '../settings.ts';

/** Of all heads of one response, interim responses included. */
const maxHeadsBytes = 256 * 1024;

/** A longer line is left to Node's parser, which refuses it: its limit for a whole head is the same. */
const maxLineBytes = 64 * 1024;

/** Of one response. A body of the largest size in chunks of one byte is 27 MB; only chunk extensions need more. */
const maxResponseBytes = 8 * limits.maxAnswerBytes;

const noBytes = Buffer.alloc(0);

/** A final response of HTTP/1.1 whose lines all end in CRLF, and of which none continues the one before. */
const plainHead = /^HTTP\/1\.1 ([2-9]\d\d)[^\r\n]*\r\n(?:[!-~][^\r\n]*\r\n)*\r\n$/;
const framingFields = /\r\n(?:content-length|transfer-encoding):[^\r]*/gi;
const contentLength = /^content-length:[ \t]*(\d+)[ \t]*$/i;

/** One for each response. The bytes that `pass` returns are for Node's parser, which stays strict. */
export class ResponseFilter {
  readonly #method: string;
  #part: 'head' | 'body' | 'end' = 'head';
  /** An incomplete line. */
  #partial = '';
  /** The last complete header line without its end: the next one can continue it. */
  #held: string | undefined;
  /** Continuation lines of the held line. */
  #folded: string[] = [];
  #foldedBytes = 0;
  #status: number | undefined;
  #length: string | undefined;
  #isChunked = false;
  /** HTTP/1.0. */
  #isOld = false;
  #isRepaired = false;
  #bytes = 0;
  #bodyBytes = 0;
  /** The last bytes of the body, as latin1. */
  #tail = '';
  #isReusable = true;

  constructor(method: string) {
    this.#method = method;
  }

  /**
   * False after a repair, after bytes behind the response, and where a body exists or is announced that the response
   * must not have. To be read once the response has ended.
   */
  get isReusable(): boolean {
    return this.#isReusable && !this.#hasSurplus();
  }

  /** Node drops bytes behind a response, for example an incomplete head. */
  #hasSurplus(): boolean {
    return this.#part === 'body' && this.#isChunked && !/(?<!\r\n)\r\n\r\n$/.test(this.#tail);
  }

  /** Throws `response-too-large`. */
  pass(chunk: Buffer): Buffer {
    this.#bytes += chunk.length;
    if (this.#bytes > maxResponseBytes)
      throw tooLarge(maxResponseBytes, 'The response is larger than 36 MB on the wire.');
    if (this.#part === 'body') return this.#passBody(chunk);
    if (this.#part === 'end') {
      this.#isReusable = false;
      return noBytes;
    }
    return this.#passHead(chunk);
  }

  /** Drops bytes behind the announced length. A body in chunks ends with an empty line (RFC 9112, section 7.1). */
  #passBody(bytes: Buffer): Buffer {
    if (this.#isChunked) {
      this.#tail = (this.#tail + bytes.toString('latin1', Math.max(0, bytes.length - 6))).slice(-6);
      return bytes;
    }
    const left = this.#length === undefined ? Number.POSITIVE_INFINITY : Number(this.#length) - this.#bodyBytes;
    this.#bodyBytes += bytes.length;
    if (bytes.length <= left) return bytes;
    this.#isReusable = false;
    return bytes.subarray(0, Math.max(0, left));
  }

  /**
   * Reads the usual response at once, where #passHead reads it line by line: its head is whole and needs no repair, one
   * field frames its body, and nothing follows the body.
   */
  #passPlainHead(chunk: Buffer): boolean {
    const end = chunk.indexOf('\r\n\r\n') + 4;
    if (end < 4 || end > maxLineBytes || this.#method === 'HEAD') return false;
    const head = chunk.toString('latin1', 0, end);
    const status = plainHead.exec(head)?.[1];
    if (status === undefined || status === '204' || status === '304') return false;
    const framing = head.match(framingFields);
    if (framing?.length !== 1) return false;
    const field = (framing[0] as string).slice(2);
    const length = contentLength.exec(field)?.[1];
    this.#isChunked = length === undefined && /^t/i.test(field);
    if (!this.#isChunked && !(chunk.length - end <= Number(length))) return false;
    this.#status = Number(status);
    this.#length = length;
    this.#part = 'body';
    if (this.#isChunked) this.#passBody(chunk.subarray(end));
    else this.#bodyBytes = chunk.length - end;
    return true;
  }

  #passHead(chunk: Buffer): Buffer {
    const isWhole = this.#partial === '' && this.#held === undefined;
    if (isWhole && this.#status === undefined && this.#passPlainHead(chunk)) return chunk;
    let head = '';
    let start = 0;
    while (this.#part === 'head') {
      const end = chunk.indexOf(0x0a, start);
      if (end === -1) break;
      head += this.#line(this.#partial + chunk.toString('latin1', start, end + 1));
      this.#partial = '';
      start = end + 1;
    }
    if (this.#part === 'head') return Buffer.from(head + this.#hold(chunk.toString('latin1', start)), 'latin1');
    const hasMore = start < chunk.length;
    if (this.#part === 'end' && hasMore) this.#isReusable = false;
    const body = this.#part === 'body' ? this.#passBody(chunk.subarray(start)) : noBytes;
    if (isWhole && !this.#isRepaired) return chunk.subarray(0, start + body.length);
    return Buffer.concat([Buffer.from(head, 'latin1'), body]);
  }

  /** Keeps the start of a line. Returns what can no longer be repaired: the parser refuses it at once. */
  #hold(start: string): string {
    const wasShort = this.#partial.length < protocol.length;
    this.#partial += start;
    const isForeign = this.#status === undefined && wasShort && !startsLike(this.#partial, protocol);
    if (this.#bytes > maxHeadsBytes) throw tooLarge(maxHeadsBytes, 'The heads of the response are larger than 256 KB.');
    if (!isForeign && this.#partial.length <= maxLineBytes) return '';
    return this.#giveUp(this.#partial);
  }

  /** Returns the bytes of the previous line, if `line` does not continue it. */
  #line(line: string): string {
    const isBare = !line.endsWith('\r\n');
    const text = line.slice(0, isBare ? -1 : -2);
    if (this.#status === undefined) {
      const [, minor, status] = /^HTTP\/1\.([01]) (\d{3})/.exec(text) ?? [];
      if (status === undefined) return this.#giveUp(line);
      if (isBare) this.#repaired();
      this.#status = Number(status);
      this.#isOld = minor === '0';
      return `${text}\r\n`;
    }
    if (isBare) this.#repaired();
    if (/^[ \t]/.test(text)) {
      if (this.#held === undefined || /^(?:content-length|transfer-encoding)\s*:/i.test(this.#held)) {
        return this.#giveUp(line);
      }
      this.#repaired();
      // Joined once, in #flush: to join each of 80,000 continuation lines takes seconds.
      const part = text.trim();
      this.#foldedBytes += part.length + 1;
      if (this.#foldedBytes > maxLineBytes) return this.#giveUp(line);
      this.#folded.push(part);
      return '';
    }
    const previous = this.#flush();
    if (text !== '') {
      this.#held = text;
      return previous;
    }
    this.#endHead();
    return `${previous}\r\n`;
  }

  #flush(): string {
    const first = this.#held;
    this.#held = undefined;
    if (first === undefined) return '';
    const line = this.#folded.length === 0 ? first : [first.trimEnd(), ...this.#folded].join(' ');
    this.#folded = [];
    this.#foldedBytes = 0;
    if (/^transfer-encoding:/i.test(line)) this.#isChunked = true;
    const length = /^content-length:[ \t]*(\d+)[ \t]*$/i.exec(line)?.[1];
    if (length !== undefined) {
      if (this.#length === length) {
        this.#repaired();
        return '';
      }
      this.#length ??= length;
    }
    return `${line}\r\n`;
  }

  #endHead(): void {
    const status = this.#status as number;
    if (this.#bytes > maxHeadsBytes && status < 200) {
      throw tooLarge(maxHeadsBytes, 'The interim responses are larger than 256 KB.');
    }
    if (status < 200 && status !== 101) {
      this.#status = this.#length = undefined;
      this.#isChunked = false;
      return;
    }
    // RFC 9112, section 6.3.
    const hasNoBody = this.#method === 'HEAD' || status === 204 || status === 304;
    this.#part = hasNoBody ? 'end' : 'body';
    // HTTP/1.0 has no chunks: a proxy on the way can see another end (RFC 9112, section 6.1).
    if (this.#isOld && this.#isChunked) this.#isReusable = false;
    // A body that arrives after the next request was sent would be read as its response.
    if (hasNoBody && (this.#isChunked || Number(this.#length ?? 0) > 0)) this.#isReusable = false;
  }

  #repaired(): void {
    this.#isRepaired = true;
    // Another reader may see another end of this response.
    this.#isReusable = false;
  }

  /** From here on the parser gets the bytes as they are, and refuses them. */
  #giveUp(bytes: string): string {
    const previous = this.#flush();
    this.#part = 'body';
    this.#length = undefined;
    this.#partial = '';
    this.#isRepaired = true;
    this.#isReusable = false;
    return previous + bytes;
  }
}

const protocol = 'HTTP/';

function startsLike(text: string, prefix: string): boolean {
  return text.length < prefix.length ? prefix.startsWith(text) : text.startsWith(prefix);
}

function tooLarge(limitBytes: number, detail: string): CountersignError {
  return new CountersignError('response-too-large', detail, { evidence: { limitBytes }, hint: overheadHint });
}

const overheadHint = 'The customer must check why its API sends so many bytes around the response.';

const filters = new WeakMap<TLSSocket, { current: ResponseFilter }>();

/**
 * Filters what the socket receives from now on, for the response to a request with this method. A response that began
 * before the request is left to Node's parser. The socket is destroyed with the error of the filter.
 */
export function filterResponse(socket: TLSSocket, method: string): ResponseFilter {
  const filter = new ResponseFilter(method);
  const installed = filters.get(socket);
  if (installed) {
    installed.current = filter;
    return filter;
  }
  if (socket.bytesRead > 0) return filter;
  const holder = { current: filter };
  filters.set(socket, holder);
  const push = socket.push.bind(socket);
  socket.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
    if (chunk === null) return push(null);
    let passed: Buffer;
    try {
      passed = holder.current.pass(chunk);
    } catch (error) {
      socket.destroy(error as CountersignError);
      return false;
    }
    return passed.length === 0 ? true : push(passed, encoding);
  };
  return filter;
}
