// Captures the handshake of a server: decrypts and parses the bytes of a TLS connection as they arrive.

import { alertName } from '../alerts.ts';
import { captureLimits, type HandshakeCapture, type Stopped } from './capture.ts';
import { createMessageTaker, emptyCapture, noteMessage } from './handshake-reader.ts';
import {
  contentOf,
  contentType,
  createMessageSplitter,
  createRecordOpener,
  createRecordSplitter,
  type HandshakeMessage,
  nextSecret,
  type RecordOpener,
  type Suite,
  secretOfLine,
  type TlsRecord,
} from './records.ts';
import { createSentCertificateReader } from './sent-certificate.ts';

export interface CaptureReader {
  /** Bytes that the client received, in order, in chunks of any size. Never throws; copies what it needs. */
  push(bytes: Buffer): void;
  /** Bytes that the client sends, under the same terms: they show whether a certificate was sent. */
  pushSent(bytes: Buffer): void;
  /**
   * A line of Node's `keylog` event. Lines may come before or after the bytes they open; those not needed are ignored.
   */
  secret(line: Buffer): void;
  /** Zeroes the secrets and forgets what was not read yet. The flight stays as it is. */
  close(): void;
  /** The same object all the time; it fills. */
  readonly capture: HandshakeCapture;
}

/**
 * TLS 1.3 protects the flight with the one secret up to Finished, and with the other after it (RFC 8446, section 7.1).
 */
const labels = { handshake: 'SERVER_HANDSHAKE_TRAFFIC_SECRET', application: 'SERVER_TRAFFIC_SECRET_0' } as const;
type Epoch = keyof typeof labels;

export function createCaptureReader(): CaptureReader {
  const capture = emptyCapture();
  const records = createRecordSplitter();
  const messages = createMessageSplitter();
  const takeMessage = createMessageTaker(capture);
  const secrets = new Map<Epoch, Buffer>();
  /** TLS 1.3: records that came before the secret that opens them. */
  let waiting: TlsRecord[] = [];
  let total = 0;
  let isProtected = false;
  let keysChanged = false;
  let isRenegotiating = false;
  let epoch: Epoch = 'handshake';
  /** TLS 1.3: there once ServerHello was read. */
  let suite: Suite | undefined;
  let opener: RecordOpener | undefined;
  /** Opens what a server still sends under the keys of the handshake; undefined once a record came under the next. */
  let handshakeOpener: RecordOpener | undefined;
  const sentReader = createSentCertificateReader(capture);

  function stop(why: Stopped | undefined): void {
    if (!why || capture.stopped) return;
    capture.stopped = why;
    for (const known of secrets.keys()) forget(known);
    changeOpener();
    forgetHandshakeOpener();
    waiting = [];
    records.clear();
    messages.clear();
  }

  function forget(which: Epoch): void {
    secrets.get(which)?.fill(0);
    secrets.delete(which);
  }

  function changeOpener(): void {
    opener?.close();
    opener = undefined;
  }

  function forgetHandshakeOpener(): void {
    handshakeOpener?.close();
    handshakeOpener = undefined;
  }

  function takeRecord(record: TlsRecord): Stopped | undefined {
    if (suite) return takeRecord13(record, suite);
    if (isProtected) return takeProtected12(record.type);
    if (record.type === contentType.handshake) return takeHandshake(record.body);
    if (record.type === contentType.alert) return takeAlert(record.body, false);
    return record.type === contentType.changeCipherSpec ? takeChangeCipherSpec() : 'malformed';
  }

  /** TLS 1.2: the encryption starts. TLS 1.3: a dummy for middleboxes, which may follow a HelloRetryRequest. */
  function takeChangeCipherSpec(): Stopped | undefined {
    if (capture.protocol !== 'TLSv1.2') return undefined;
    if (!messages.atBoundary) return 'malformed';
    noteMessage(capture, 'change_cipher_spec');
    // A full handshake has come to ServerHelloDone by now, and then it is known whether the server asked.
    if (capture.asked === undefined) capture.resumed = true;
    isProtected = true;
    return undefined;
  }

  /** Only the kind of a record is to be seen, so messages go by their place. */
  function takeProtected12(type: number): Stopped | undefined {
    if (type === contentType.applicationData) return 'application-data';
    if (type === contentType.alert) capture.unreadableAlerts += 1;
    if (type !== contentType.handshake) return undefined;
    if (!capture.finished) noteMessage(capture, 'finished');
    else if (!isRenegotiating) noteMessage(capture, 'hello_request');
    isRenegotiating = capture.finished;
    capture.finished = true;
    return undefined;
  }

  function takeRecord13(record: TlsRecord, ofSuite: Suite): Stopped | undefined {
    // A server that has not come as far as encrypting sends its alert in the clear.
    if (record.type === contentType.alert) return takeAlert(record.body, false);
    if (record.type === contentType.changeCipherSpec) return undefined;
    if (record.type !== contentType.applicationData) return 'malformed';
    if (waiting.push(record) > captureLimits.waitingRecords) return 'too-long';
    return openWaiting(ofSuite);
  }

  function openWaiting(ofSuite: Suite): Stopped | undefined {
    let next = 0;
    let stopped: Stopped | undefined;
    for (let record = waiting[0]; record && !stopped; record = waiting[next]) {
      opener ??= openerOf(epoch, ofSuite);
      if (!opener) break;
      next += 1;
      const inner = opener.open(record.header, record.body);
      if (inner) forgetHandshakeOpener();
      stopped = inner ? takeInner(inner) : takeLateAlert(record);
      inner?.fill(0);
    }
    waiting = waiting.slice(next);
    return stopped;
  }

  /** mbedTLS 3.6 refuses a client certificate with an alert under the keys of the handshake, after its Finished. */
  function takeLateAlert({ header, body }: TlsRecord): Stopped {
    const inner = epoch === 'application' ? handshakeOpener?.open(header, body) : undefined;
    const content = inner && contentOf(inner);
    if (content?.type === contentType.alert) takeAlert(content.bytes, true);
    return 'undecryptable';
  }

  function openerOf(wanted: Epoch, ofSuite: Suite): RecordOpener | undefined {
    const secret = secrets.get(wanted);
    if (!secret) return undefined;
    const made = createRecordOpener(ofSuite, secret);
    // The application's stays, for a KeyUpdate; the handshake's has done its work.
    if (wanted === 'handshake') forget(wanted);
    return made;
  }

  function takeInner(inner: Buffer): Stopped | undefined {
    const { type, bytes } = contentOf(inner);
    if (type === contentType.handshake) return takeHandshake(bytes);
    if (type === contentType.alert) return takeAlert(bytes, true);
    return type === contentType.applicationData && capture.finished ? 'application-data' : 'malformed';
  }

  function takeAlert(body: Buffer, encrypted: boolean): Stopped | undefined {
    const [level, code] = body;
    if (level === undefined || code === undefined || body.length !== 2) return 'malformed';
    if (capture.alerts.length === captureLimits.alerts) return undefined;
    capture.alerts.push({
      level: level === 1 ? 'warning' : 'fatal',
      description: alertName(code),
      code,
      encrypted,
      afterFinished: capture.finished,
    });
    return undefined;
  }

  /** New keys start with a record: bytes that follow in the old one would be under no key (RFC 8446, section 5.1). */
  function takeHandshake(content: Buffer): Stopped | undefined {
    keysChanged = false;
    const stopped = messages.push(content, takeHandshakeMessage);
    return keysChanged && !messages.atBoundary ? 'malformed' : stopped;
  }

  function takeHandshakeMessage(message: HandshakeMessage): Stopped | undefined {
    if (keysChanged) return 'malformed';
    const outcome = takeMessage(message);
    if (!outcome) return undefined;
    if ('stop' in outcome) return outcome.stop;
    keysChanged = true;
    if ('changeKeys' in outcome && outcome.changeKeys === 'finished') {
      handshakeOpener = opener;
      opener = undefined;
      epoch = 'application';
      return undefined;
    }
    changeOpener();
    if (!('protect' in outcome)) return updateSecret();
    suite = outcome.protect;
    return undefined;
  }

  function updateSecret(): Stopped | undefined {
    const secret = secrets.get('application');
    if (!secret || !suite) return 'undecryptable';
    secrets.set('application', nextSecret(suite, secret));
    secret.fill(0);
    return undefined;
  }

  return {
    capture,
    push(bytes) {
      if (capture.stopped) return;
      const room = captureLimits.totalBytes - total;
      total += bytes.length;
      stop(records.push(bytes.subarray(0, room), takeRecord));
      if (bytes.length > room) stop('too-long');
    },
    pushSent(bytes) {
      sentReader.push(bytes);
    },
    secret(line) {
      sentReader.secret(line);
      if (capture.stopped) return;
      for (const which of ['handshake', 'application'] as const) {
        const secret = secrets.has(which) ? undefined : secretOfLine(line, labels[which]);
        if (secret) secrets.set(which, secret);
      }
      if (suite) stop(openWaiting(suite));
    },
    close() {
      sentReader.close();
      stop('closed');
    },
  };
}
