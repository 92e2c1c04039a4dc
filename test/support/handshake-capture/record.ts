// Records real handshakes: Node's client over a tapped socket, the bytes and key log lines kept, and what Node itself
// says beside it.
import { connect as connectSocket } from 'node:net';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import type { HandshakeCapture } from '../../../core/tls/handshake-capture/capture.ts';
import { createCaptureReader } from '../../../core/tls/handshake-capture/capture-reader.ts';
import { connectRecorded } from '../../../core/tls/handshake-capture/recorded-socket.ts';

export interface Recording {
  readonly capture: HandshakeCapture;
  /** What the client received. */
  readonly bytes: Buffer;
  /** Key log lines, in the order of the event. */
  readonly lines: readonly Buffer[];
  /** The answer, decrypted by Node. */
  readonly answer: string;
  readonly error: NodeJS.ErrnoException | undefined;
  readonly session: Buffer | undefined;
  /** What Node says of the connection; undefined when the handshake did not finish. */
  readonly node:
    | {
        readonly protocol: string | null;
        readonly cipher: string;
        readonly alpn: string | null;
        readonly resumed: boolean;
        readonly sharedSignatureAlgorithms: readonly string[];
        readonly keyExchange: string | undefined;
        /** DER, as Node links them. */
        readonly chain: readonly Buffer[];
      }
    | undefined;
  readonly ocsp: Buffer | undefined;
}

/** Connects, sends the request if there is one, and waits until either side closes the connection. */
export async function record(
  port: number,
  options: ConnectionOptions & { readonly request?: string } = {},
): Promise<Recording> {
  const { request, ...tlsOptions } = options;
  const reader = createCaptureReader();
  const bytes: Buffer[] = [];
  const lines: Buffer[] = [];
  const answer: Buffer[] = [];
  function keepLine(line: Buffer): void {
    lines.push(Buffer.from(line));
    reader.secret(line);
  }
  const socket = connectSocket(port, '127.0.0.1');
  socket.on('data', (chunk: Buffer) => bytes.push(Buffer.from(chunk)));
  let error: NodeJS.ErrnoException | undefined;
  let node: Recording['node'];
  let session: Buffer | undefined;
  let ocsp: Buffer | undefined;
  const secure = connectRecorded(
    socket,
    { servername: 'localhost', rejectUnauthorized: false, ...tlsOptions },
    { ...reader, secret: keepLine },
  );
  secure.on('error', (thrown) => {
    error = thrown;
  });
  secure.on('session', (ticket: Buffer) => {
    session = ticket;
  });
  secure.on('OCSPResponse', (response: Buffer) => {
    ocsp = response;
  });
  secure.on('data', (chunk: Buffer) => answer.push(chunk));
  const closed = new Promise<void>((resolve) => secure.once('close', () => resolve()));
  secure.on('secureConnect', () => {
    node = describe(secure);
    if (request) secure.write(request);
    else secure.end();
  });
  await closed;
  return {
    capture: reader.capture,
    bytes: Buffer.concat(bytes),
    lines,
    answer: Buffer.concat(answer).toString(),
    error,
    session,
    ocsp: ocsp?.length ? ocsp : undefined,
    node,
  };
}

function describe(socket: TLSSocket): NonNullable<Recording['node']> {
  const chain: Buffer[] = [];
  for (let peer = socket.getPeerX509Certificate(); peer; peer = peer.issuerCertificate) {
    const { raw } = peer;
    if (chain.some((der) => der.equals(raw))) break;
    chain.push(raw);
  }
  const keyInfo = socket.getEphemeralKeyInfo() as { readonly type?: string; readonly name?: string; size?: number };
  return {
    protocol: socket.getProtocol(),
    cipher: socket.getCipher().standardName,
    alpn: socket.alpnProtocol || null,
    resumed: socket.isSessionReused(),
    sharedSignatureAlgorithms: socket.getSharedSigalgs(),
    keyExchange: keyInfo.type === 'DH' ? `DHE ${keyInfo.size}` : keyInfo.name,
    chain,
  };
}

/** Reads a recording again in chunks of that size; the key log lines come after the bytes, or before them. */
export function replay(
  bytes: Buffer,
  lines: readonly Buffer[],
  chunkSize: number,
  linesFirst: boolean,
): HandshakeCapture {
  const reader = createCaptureReader();
  if (linesFirst) for (const line of lines) reader.secret(line);
  for (let at = 0; at < bytes.length; at += chunkSize) reader.push(bytes.subarray(at, at + chunkSize));
  if (!linesFirst) for (const line of lines) reader.secret(line);
  reader.close();
  return reader.capture;
}
