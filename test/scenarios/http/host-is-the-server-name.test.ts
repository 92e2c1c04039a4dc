// Host and SNI are the serverName of the destination wherever that is set, in a call and in a probe.
import { expect, it } from 'vitest';
import { serveHttps } from '../../support/servers.ts';
import { useTrial } from '../../support/trial.ts';

const trial = useTrial();

async function hostSent(host: string, destination: object, method: string) {
  const seen: unknown[] = [];
  const server = await serveHttps(trial.server, (socket, head) => {
    seen.push(/^host: (.*)$/im.exec(head)?.[1], socket.servername);
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
  });
  const reply = await trial.call(server.port, { host, destination, request: { method } });
  expect(reply.body.status).toBe(200);
  return { seen, port: server.port };
}

it.each(['GET', 'POST'])('the Host header of a %s to an address is the serverName and the port', async (method) => {
  const { seen, port } = await hostSent('127.0.0.1', { serverName: 'localhost' }, method);
  expect(seen).toEqual([`localhost:${port}`, 'localhost']);
});

it('the Host header without a serverName is the host of the URL', async () => {
  const { seen, port } = await hostSent('127.0.0.1', {}, 'GET');
  expect(seen).toEqual([`127.0.0.1:${port}`, false]);
});

it('a 421 is returned with advice', async () => {
  const answer = 'HTTP/1.1 421 Misdirected Request\r\ncontent-length: 0\r\n\r\n';
  const server = await serveHttps(trial.server, (socket) => socket.write(answer));
  const { body } = await trial.call(server.port);
  expect(body).toMatchObject({ status: 421, advice: expect.stringMatching(/HTTP 421.*serverName/) });
});
