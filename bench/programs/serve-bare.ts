// The bare hop: HTTP in, node:https with one keep-alive agent out, over the workers of a cluster. Arguments: port,
// workers, folder.
import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Agent, request } from 'node:https';
import { join } from 'node:path';

const [port = '', workers = '', folder = ''] = process.argv.slice(2);
const pem = (name: string) => readFileSync(join(folder, name), 'utf8');

if (cluster.isPrimary) {
  for (let n = 0; n < Number(workers); n++) cluster.fork();
  process.on('SIGTERM', () => process.exit(0));
} else {
  const agent = new Agent({
    keepAlive: true,
    key: pem('private-key.pem'),
    cert: pem('certificate.pem') + pem('intermediates.pem'),
    ca: pem('server-roots.pem'),
  });
  createServer((incoming, outgoing) => {
    let text = '';
    incoming.setEncoding('utf8');
    incoming.on('data', (chunk: string) => {
      text += chunk;
    });
    incoming.on('end', () => {
      const { url, method, headers } = JSON.parse(text);
      const call = request(url, { agent, method, headers, host: '127.0.0.1', servername: 'localhost' }, (answer) => {
        let body = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk: string) => {
          body += chunk;
        });
        answer.on('end', () => {
          const made = JSON.stringify({ status: answer.statusCode, headers: answer.headers, body });
          outgoing.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(made) });
          outgoing.end(made);
        });
      });
      call.on('error', () => outgoing.writeHead(502).end());
      call.end();
    });
  }).listen(Number(port), '127.0.0.1');
}
