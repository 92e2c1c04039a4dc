// What the platform shows in a handshake: its chain without the root, and that it speaks HTTP/1.1.
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { expect, it } from 'vitest';
import { destinationAt, newServer } from '../../support/connections/customer-api.ts';
import { newClient, openPlatform } from '../../support/connections/platform.ts';
import { serveHttps } from '../../support/servers.ts';
import { createAuthorities } from '../../support/stage.ts';

const authorities = createAuthorities();

it.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'the server receives the server name, the ALPN protocol and the client chain over %s',
  async (maxVersion) => {
    const shown: { subjects: string[]; protocol: unknown }[] = [];
    // It does not know the platform's root, so that none is added to what it was sent.
    const options = { maxVersion, ALPNProtocols: ['h2', 'http/1.1'] };
    const answer = (socket: TLSSocket) => {
      shown.push({ subjects: subjectsFrom(socket.getPeerCertificate(true)), protocol: socket.alpnProtocol });
      socket.end('HTTP/1.1 204 No Content\r\n\r\n');
    };
    const api = await serveHttps(newServer(authorities), answer, options);
    const platform = openPlatform(authorities);
    platform.publish('v1', { client: newClient(authorities), destinations: [destinationAt(api, authorities)] });
    expect((await platform.call({ url: `https://api.acme.example:${api.port}/` })).body.status).toBe(204);
    expect(shown).toEqual([{ subjects: ['platform', 'Platform Issuer'], protocol: 'http/1.1' }]);
  },
);

/** From the client certificate on; a root would be its own issuer. */
function subjectsFrom(first: DetailedPeerCertificate): string[] {
  const chain = new Set<DetailedPeerCertificate>();
  for (let next = first; next && !chain.has(next); next = next.issuerCertificate) chain.add(next);
  return [...chain].map(({ subject }) => String(subject.CN));
}
