// Node's https server on each listener of a file.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

for (const {
  port,
  protocol,
  chain,
  key,
  roots,
  revoked,
  ciphers,
  signatures,
  p256Only,
  h2Only,
  strictName,
} of JSON.parse(readFileSync(process.argv[2], 'utf8'))) {
  const options = {
    cert: readFileSync(chain),
    key: readFileSync(key),
    minVersion: protocol,
    maxVersion: protocol,
    ciphers,
    ...(roots && { requestCert: true, rejectUnauthorized: true, ca: readFileSync(roots) }),
    // Of a text with several lists Node reads the first.
    ...(revoked && { crl: readFileSync(revoked, 'utf8').split(/(?=-----BEGIN)/) }),
    ...(signatures && { sigalgs: signatures }),
    ...(p256Only && { ecdhCurve: 'prime256v1' }),
    ...(h2Only && { ALPNProtocols: ['h2'] }),
    ...(strictName && { SNICallback: (name, done) => done(name === strictName ? null : new Error(`No ${name}.`)) }),
  };
  createServer(options, (request, response) => {
    if (request.url === '/misdirected') response.statusCode = 421;
    response.end('granted\n');
  })
    .listen(port, '127.0.0.1')
    .on('tlsClientError', (error) => console.error(error.code, error.message));
}
