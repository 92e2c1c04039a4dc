// Node's https server on each listener of a file.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

for (const { port, protocol, chain, key, roots, revoked, ciphers, signatures } of JSON.parse(
  readFileSync(process.argv[2], 'utf8'),
)) {
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
  };
  createServer(options, (_request, response) => response.end('granted\n'))
    .listen(port, '127.0.0.1')
    .on('tlsClientError', (error) => console.error(error.code, error.message));
}
