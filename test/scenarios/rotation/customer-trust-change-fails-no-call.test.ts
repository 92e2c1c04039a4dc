// A customer that trusts the old issuer, then both, then the new one alone, while AWSCURRENT moves and calls never
// pause.
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority } from '../../../local/authority/authority.ts';
import { startReloadableNginx } from '../../support/nginx.ts';
import { findPeer } from '../../support/peers.ts';
import { freePort } from '../../support/port.ts';
import { accepting, privateFolder, startProgram } from '../../support/program.ts';
import { startTraffic, type Traffic, ttlMs } from '../../support/rotation/traffic.ts';
import { type Served, serveTcp } from '../../support/servers.ts';
import { createAuthorities } from '../../support/stage.ts';

const tenMinutes = 600_000;
const authorities = createAuthorities();
const oldIssuer = createAuthority({ commonName: 'Old issuer' });
const newIssuer = createAuthority({ commonName: 'New issuer', keyAlgorithm: 'RSA_2048' });
const oldRoot = oldIssuer.certificate;
const newRoot = newIssuer.certificate;
const bothRoots = oldRoot + newRoot;
const client = { commonName: 'platform', usage: 'client' } as const;
const server = authorities.customerRoot.issue({ commonName: 'api', names: ['api.acme.example'], usage: 'server' });

type Trust = (clientRoots: string) => Promise<void>;

/** With a period in which both are trusted. */
async function rotateWithOverlap(traffic: Traffic, trust: Trust): Promise<void> {
  await traffic.answered(20, 'AWSCURRENT');

  await traffic.rotate(newIssuer.issue({ ...client, keyAlgorithm: 'RSA_2048' }));
  traffic.goAhead(ttlMs + 1);
  await traffic.answered(20, 'AWSPREVIOUS');

  await trust(bothRoots);
  await traffic.answered(20, 'AWSPREVIOUS');
  traffic.goAhead(tenMinutes);
  await traffic.answered(20, 'AWSCURRENT');

  await trust(newRoot);
  await traffic.answered(20, 'AWSCURRENT');
}

async function rotateBackAtOnce(traffic: Traffic, trust: Trust): Promise<void> {
  await traffic.rotate(oldIssuer.issue(client));
  traffic.goAhead(ttlMs + 1);
  await traffic.answered(20, 'AWSPREVIOUS');
  await trust(oldRoot);
  await traffic.answered(20, 'AWSCURRENT');
}

describe.skipIf(!findPeer('nginx'))('nginx, which rejects in HTTP (needs nginx)', () => {
  it('is called without a failure', async () => {
    const nginx = await startReloadableNginx(server, { clientRoots: oldRoot });
    const methods = ['GET', 'PUT', 'DELETE', 'OPTIONS'];
    const traffic = await startTraffic({
      authorities,
      port: nginx.port,
      first: oldIssuer.issue(client),
      atOnce: 4,
      request: (n) => ({ method: methods[n % methods.length] }),
    });
    await rotateWithOverlap(traffic, nginx.trust);
    await rotateBackAtOnce(traffic, nginx.trust);
    const { failed, calls, stages } = await traffic.end();
    expect(failed).toEqual([]);
    expect(calls).toBeGreaterThan(140);
    expect(stages.AWSPREVIOUS).toBeGreaterThan(40);
  }, 120_000);
});

describe.skipIf(!findPeer('haproxy'))('HAProxy, which rejects with an alert (needs haproxy)', () => {
  it('gets no failed call, and processes each POST once', async () => {
    const processed: string[] = [];
    const { port, trust } = await startHaproxy((path) => processed.push(path));
    const traffic = await startTraffic({
      authorities,
      port,
      first: oldIssuer.issue(client),
      atOnce: 4,
      request: (n) => ({ method: n % 2 ? 'POST' : 'GET', ...(n % 2 ? { body: `payment ${n}` } : {}) }),
    });
    await rotateWithOverlap(traffic, trust);
    await rotateBackAtOnce(traffic, trust);
    const { failed, calls, stages } = await traffic.end();
    expect(failed).toEqual([]);
    expect(stages.AWSPREVIOUS).toBeGreaterThan(40);
    const posts = processed.filter((one) => one.startsWith('POST'));
    expect(new Set(posts).size).toBe(posts.length);
    expect(posts).toHaveLength(Math.ceil(calls / 2));
  }, 120_000);
});

/**
 * One HAProxy that trusts one, both or the other, each on a port of its own; new connections go to one of them. In
 * front of a plain HTTP server, which tells what was processed.
 */
async function startHaproxy(onRequest: (what: string) => void): Promise<{ port: number; trust: Trust }> {
  const backend = createServer((request, response) => {
    onRequest(`${request.method} ${request.url}`);
    request.resume().on('end', () => response.end());
  });
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    backend.closeAllConnections();
    backend.close();
  });

  const folder = privateFolder();
  const bundle = folder.write('server.pem', server.certificate + server.privateKey);
  const all = [oldRoot, bothRoots, newRoot];
  const ports = await Promise.all(all.map(freePort));
  const frontends = all.map((roots, index) => {
    const file = folder.write(`roots-${index}.pem`, roots);
    return `frontend trusts-${index}
  bind 127.0.0.1:${ports[index]} ssl crt ${bundle} verify required ca-file ${file}
  option httpclose
  default_backend api`;
  });
  const configuration = `defaults
  mode http
  timeout client 20s
  timeout server 20s
  timeout connect 5s
${frontends.join('\n')}
backend api
  server api 127.0.0.1:${(backend.address() as AddressInfo).port}
`;
  const args = ['-db', '-f', folder.write('haproxy.cfg', configuration)];
  const program = startProgram(findPeer('haproxy') ?? 'haproxy', args, folder.path);
  await Promise.all(ports.map((port) => accepting(program, port)));

  let target = ports[0] as number;
  const front: Served = await serveTcp((socket) => {
    const onward = connect(target, '127.0.0.1');
    socket.pipe(onward).pipe(socket);
    socket.on('close', () => onward.destroy());
    onward.on('error', () => socket.destroy());
    onward.on('close', () => socket.destroy());
  });
  return {
    port: front.port,
    async trust(clientRoots) {
      target = ports[all.indexOf(clientRoots)] as number;
    },
  };
}
