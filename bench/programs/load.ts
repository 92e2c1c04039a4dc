// The load: so many connections, on each one request after the other, over raw sockets. Arguments: port, connections,
// seconds, request as base64.
import { connect } from 'node:net';

const [port = '', connections = '', seconds = '', encoded = ''] = process.argv.slice(2);
const request = Buffer.from(encoded, 'base64');
/**
 * An answer is looked at no further than for its status and its length: a parser would cost as much as what is
 * measured.
 */
const lengthPattern = /\r\ncontent-length: (\d+)/i;
const latencies: number[] = [];
let failures = 0;
let open = Number(connections);
const endsAt = performance.now() + Number(seconds) * 1000;

for (let n = 0; n < Number(connections); n++) {
  const socket = connect({ port: Number(port), host: '127.0.0.1', noDelay: true });
  let sentAt = 0;
  let missing = -1;
  let head = '';
  const send = () => {
    if (performance.now() >= endsAt) {
      socket.end();
      return;
    }
    missing = -1;
    head = '';
    sentAt = performance.now();
    socket.write(request);
  };
  socket.once('connect', send);
  socket.on('data', (chunk) => {
    if (missing < 0) {
      head += chunk.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      if (!head.startsWith('HTTP/1.1 200')) failures += 1;
      missing = Number(lengthPattern.exec(head)?.[1] ?? 0) - (head.length - end - 4);
    } else missing -= chunk.length;
    if (missing > 0) return;
    latencies.push(performance.now() - sentAt);
    send();
  });
  socket.on('error', () => {
    failures += 1;
  });
  socket.on('close', () => {
    open -= 1;
    if (open === 0) process.send?.({ latencies, failures }, () => process.exit(0));
  });
}
