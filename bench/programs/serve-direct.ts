// A bare Node client that calls the API itself, without a hop. Arguments: URL, calls at a time, seconds, folder of the
// PEM files.
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';

const [url = '', concurrency = '', seconds = '', folder = ''] = process.argv.slice(2);
const pem = (name: string) => readFileSync(join(folder, name), 'utf8');
const agent = new Agent({
  keepAlive: true,
  key: pem('private-key.pem'),
  cert: pem('certificate.pem') + pem('intermediates.pem'),
  ca: pem('server-roots.pem'),
});
const latencies: number[] = [];
let failures = 0;
const endsAt = performance.now() + Number(seconds) * 1000;

function call(): Promise<void> {
  return new Promise((resolve) => {
    const startedAt = performance.now();
    const outgoing = request(url, { agent, host: '127.0.0.1', servername: 'localhost' }, (incoming) => {
      let body = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (chunk: string) => {
        body += chunk;
      });
      incoming.on('end', () => {
        if (incoming.statusCode !== 200 || body === '') failures += 1;
        latencies.push(performance.now() - startedAt);
        resolve();
      });
    });
    outgoing.on('error', () => {
      failures += 1;
      resolve();
    });
    outgoing.end();
  });
}

await Promise.all(
  Array.from({ length: Number(concurrency) }, async () => {
    while (performance.now() < endsAt) await call();
  }),
);
const { user, system } = process.cpuUsage();
process.send?.({ latencies, failures, cpuMs: (user + system) / 1000 }, () => process.exit(0));
