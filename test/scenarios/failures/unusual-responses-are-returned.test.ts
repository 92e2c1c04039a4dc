// What looks odd and is in order: interim answers, HTTP/1.0, no body, trailers, an answer before the request has ended.
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { startNginx } from '../../support/nginx.ts';
import { findPeer } from '../../support/peers.ts';
import { serveHttps } from '../../support/servers.ts';
import { useTrial } from '../../support/trial.ts';

const trial = useTrial();

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', (maxVersion) => {
  const saying = (bytes: string, then: 'close' | 'wait' = 'wait') =>
    serveHttps(
      trial.server,
      (socket) => {
        if (then === 'close') socket.end(bytes);
        else socket.write(bytes);
      },
      { maxVersion },
    );

  it('any number of interim responses is skipped', async () => {
    const interim = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n'.repeat(10);
    const server = await saying(`${interim}HTTP/1.1 201 Created\r\nx-a: 1\r\ncontent-length: 4\r\n\r\ndone`);
    const { body } = await trial.call(server.port, { request: { method: 'PUT', body: 'x' } });
    expect(body).toMatchObject({ status: 201, body: 'done' });
    expect(body.headers).toEqual({ 'x-a': '1', 'content-length': '4' });
  });

  it.each([
    ['HTTP/1.0 with a length', 'HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nold', 'old'],
    ['HTTP/1.0 that ends with the connection', 'HTTP/1.0 200 OK\r\n\r\nolder', 'older'],
    ['HTTP/1.1 that ends with the connection', 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nto the end', 'to the end'],
    ['a status without a reason', 'HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nok', 'ok'],
    ['a status of no class', 'HTTP/1.1 999 x\r\ncontent-length: 3\r\n\r\n999', '999'],
    ['nothing', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', ''],
    ['a header on two lines', 'HTTP/1.1 200 OK\r\nx-a: 1\r\n 2\r\ncontent-length: 2\r\n\r\nok', 'ok'],
    ['heads that end their lines with LF', 'HTTP/1.1 200 OK\nx-a: 1\ncontent-length: 2\n\nok', 'ok'],
    ['two equal lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\nContent-Length: 2\r\n\r\nok', 'ok'],
    ['a 204', 'HTTP/1.1 204 No Content\r\n\r\n', ''],
    ['a 304 that names the length it would have', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\n\r\n', ''],
    [
      'a 304 that names a length above every limit',
      'HTTP/1.1 304 Not Modified\r\ncontent-length: 99999999999\r\n\r\n',
      '',
    ],
    ['a redirect, which is not followed', 'HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n', ''],
    [
      'trailers, which are dropped',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n',
      'abc',
    ],
  ])('%s', async (_what, bytes, text) => {
    const server = await saying(bytes, 'close');
    const { body } = await trial.call(server.port);
    expect(body).toMatchObject({ body: text, bodyEncoding: 'utf8' });
    expect(body.headers).not.toHaveProperty('x-sum');
  });

  it.each([
    ['HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{"blocked":false', true],
    ['HTTP/1.0 200 OK\r\n\r\nall', true],
    ['HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n', true],
    ['HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n', true],
    ['HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nx', true],
    ['HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nall', false],
    ['HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked \r\n\r\n3\r\nall\r\n0\r\n\r\n', false],
    ['HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n', false],
    ['HTTP/1.1 304 Not Modified\r\nconnection: close\r\n\r\n', false],
  ])('%j: the response shows whether the end of the body is unproven: %s', async (bytes, isUnproven) => {
    const server = await saying(bytes, 'close');
    const { body } = await trial.call(server.port);
    if (isUnproven) expect(body.advice).toMatch(/^The API ended its response by closing the connection only/);
    else expect(body).not.toHaveProperty('advice');
  });

  it('a decoded coding proves the end of the body, and HEAD needs no body', async () => {
    const server = await serveHttps(
      trial.server,
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n');
        socket.end(gzipSync('whole'));
      },
      { maxVersion },
    );
    const { body } = await trial.call(server.port);
    expect(body.body).toBe('whole');
    expect(body).not.toHaveProperty('advice');
    const empty = await saying('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n', 'close');
    const head = await trial.call(empty.port, { request: { method: 'HEAD' } });
    expect(head.body).not.toHaveProperty('advice');
  });

  it('a head of 48 KB with one field of 40 KB is returned', async () => {
    const [long, short] = ['l'.repeat(40 * 1024), 's'.repeat(100)];
    const many = Array.from({ length: 64 }, (_, index) => `x-${index}: ${short}\r\n`).join('');
    const server = await saying(`HTTP/1.1 200 OK\r\nx-long: ${long}\r\n${many}content-length: 2\r\n\r\nok`);
    const { body } = await trial.call(server.port);
    expect(body).toMatchObject({ status: 200, body: 'ok' });
    expect(body.headers).toMatchObject({ 'x-long': long, 'x-63': short });
  });

  it('the response to HEAD with a coding and a length is returned', async () => {
    const server = await saying('HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 99\r\n\r\n');
    const { body } = await trial.call(server.port, { request: { method: 'HEAD' } });
    expect(body).toMatchObject({ status: 200, body: '' });
  });

  it('after an unrequested response the connection is not used again', async () => {
    const answer = 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n';
    const server = await saying(`${answer}one${answer}two`);
    expect((await trial.call(server.port)).body).toMatchObject({ body: 'one' });
    expect((await trial.again()).body).toMatchObject({ body: 'one' });
    expect(server.connections).toBe(2);
  });

  it.each([
    ['a length', 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none'],
    ['no body', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'],
    ['chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n'],
    ['trailers', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n0\r\nx-a: 1\r\n\r\n'],
  ])('bytes behind a response with %s: it counts and the next call uses a new connection', async (_what, bytes) => {
    // Behind chunks, the parser refuses what cannot begin a response.
    const garbage = bytes.includes('chunked') ? [] : ['X', '<html></html>'];
    for (const surplus of [...garbage, 'H', 'HTTP/1.1 2', 'HTTP/1.1 200 OK\r\nx-injected: 1\r\n', '\r\n']) {
      // In one read, and byte by byte.
      for (const pieces of [[bytes + surplus], [...(bytes + surplus)]]) {
        const server = await serveHttps(
          trial.server,
          (socket, request) => {
            if (request.includes(' /next '))
              return void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnext');
            for (const piece of pieces) socket.write(piece);
          },
          { maxVersion },
        );
        expect((await trial.call(server.port)).body).toMatchObject({ status: 200 });
        const next = await trial.again({ url: `https://localhost:${server.port}/next` });
        expect(next.body).toMatchObject({ status: 200, body: 'next' });
        expect(next.body.headers).not.toHaveProperty('x-injected');
        expect(server.connections).toBe(2);
      }
    }
  });

  it.each([
    ['a length', 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none'],
    ['chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n'],
    ['trailers', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n0\r\nx-a: 1\r\n\r\n'],
  ])('nothing behind a response with %s: the next call uses its connection', async (_what, bytes) => {
    for (const pieces of [[bytes], [...bytes]]) {
      const server = await serveHttps(
        trial.server,
        (socket) => {
          for (const piece of pieces) socket.write(piece);
        },
        { maxVersion },
      );
      expect((await trial.call(server.port)).body).toMatchObject({ body: 'one' });
      expect((await trial.again()).body).toMatchObject({ body: 'one' });
      expect(server.connections).toBe(1);
    }
  });

  it.each([
    ['204 with a body', 'GET', 'HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\n', '{}'],
    [
      '204 with a body in chunks',
      'POST',
      'HTTP/1.1 204 x\r\ntransfer-encoding: chunked\r\n\r\n',
      '2\r\n{}\r\n0\r\n\r\n',
    ],
    ['HEAD with a body', 'HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n', '{}'],
    [
      'HEAD with a body that looks like a response',
      'HEAD',
      'HTTP/1.1 200 OK\r\ncontent-length: 38\r\n\r\n',
      'HTTP/1.1 299 x\r\ncontent-length: 0\r\n\r\n',
    ],
    ['304 with a body', 'GET', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 6\r\n\r\n', '<html>'],
  ])('%s: the response is returned and the next call uses a new connection', async (_what, method, head, body) => {
    for (const pieces of [[head + body], [head, body]]) {
      const server = await serveHttps(
        trial.server,
        (socket, request) => {
          if (request.includes(' /next ')) return void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnext');
          for (const piece of pieces) socket.write(piece);
        },
        { maxVersion },
      );
      const first = await trial.call(server.port, { request: { method } });
      expect(first.body).toMatchObject({ status: Number(head.slice(9, 12)), body: '' });
      const url = `https://localhost:${server.port}/next`;
      expect((await trial.again({ url })).body).toMatchObject({ status: 200, body: 'next' });
      expect(server.connections).toBe(2);
    }
  });

  it('chunks in HTTP/1.0 are read, and their connection is not used again', async () => {
    const server = await saying(
      'HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    );
    expect((await trial.call(server.port)).body).toMatchObject({ body: 'ok' });
    expect((await trial.again()).body).toMatchObject({ body: 'ok' });
    expect(server.connections).toBe(2);
  });

  it('a folded header is joined into one line, and its connection is not used again', async () => {
    const text =
      "HTTP/1.1 200 OK\r\ncontent-security-policy: default-src 'self';\n     script-src x\r\n\t \r\ncontent-length: 2\r\n\r\nok";
    for (const pieces of [[text], [...text]]) {
      const server = await serveHttps(
        trial.server,
        (socket) => {
          for (const piece of pieces) socket.write(piece);
        },
        { maxVersion },
      );
      const { body } = await trial.call(server.port);
      expect(body.headers['content-security-policy']).toBe("default-src 'self'; script-src x");
      expect((await trial.again()).body).toMatchObject({ body: 'ok' });
      expect(server.connections).toBe(2);
    }
  });

  it('a response before the request body was sent, followed by a close, is returned', async () => {
    const server = await serveHttps(
      trial.server,
      (socket) => socket.end('HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 5\r\n\r\nlimit'),
      { maxVersion },
    );
    const { body } = await trial.call(server.port, { request: { method: 'POST', body: 'x'.repeat(4_000_000) } });
    expect(body).toMatchObject({ status: 413, body: 'limit' });
  });
});

describe.skipIf(!findPeer('nginx'))('with nginx as the server (needs nginx)', () => {
  it.each(['TLSv1.2', 'TLSv1.3'])('its 413 arrives while the body is still being sent (%s)', async (maxTlsVersion) => {
    const server = await startNginx(trial.server, {
      directives: 'client_max_body_size 1k; location /upload { proxy_pass http://127.0.0.1:9; }',
    });
    const { body } = await trial.call(server.port, {
      path: '/upload',
      destination: { maxTlsVersion },
      request: { method: 'POST', body: 'x'.repeat(4_000_000) },
    });
    expect(body).toMatchObject({ status: 413 });
  });
});
