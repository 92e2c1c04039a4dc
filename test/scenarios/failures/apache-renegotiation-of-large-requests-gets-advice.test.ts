// Apache that asks for the client certificate per location buffers the request while it renegotiates (TLS 1.2), up to
// SSLRenegBufferSize.
import { afterEach, describe, expect, it } from 'vitest';
import { apacheLocation } from '../../servers/apache.ts';
import { missingFor } from '../../servers/listener.ts';
import { openResources } from '../../servers/resources.ts';
import { freePort } from '../../support/port.ts';
import { useTrial } from '../../support/trial.ts';

const trial = useTrial();
const resources = openResources();
afterEach(() => resources.end());

describe.skipIf(missingFor(apacheLocation))('Apache httpd, per location, over TLS 1.2 (needs apache2)', () => {
  const start = async () => {
    const port = await freePort();
    const { certificate: chain, privateKey } = trial.server;
    const clientRoots = trial.platformRoot.certificate;
    await apacheLocation.start([{ port, protocol: 'TLSv1.2', chain, privateKey, clientRoots }], resources);
    return port;
  };
  const post = (bytes: number) => ({ request: { method: 'POST', body: 'x'.repeat(bytes) } });

  it('a POST of 128 KB is answered after the renegotiation', async () => {
    const { body } = await trial.call(await start(), post(128 * 1024));
    expect(body).toMatchObject({ status: 200, body: 'granted\n', handshake: { protocol: 'TLSv1.2' } });
    expect(body).not.toHaveProperty('advice');
  });

  it.each([128 * 1024 + 1, 1_000_000])('a POST of %i bytes gets 413, with the directive to change', async (bytes) => {
    const { body } = await trial.call(await start(), post(bytes));
    expect(body).toMatchObject({ status: 413 });
    expect(body.advice).toMatch(/^The API refused a request of more than 128 KB before it asked/);
    expect(body.advice).toContain('raise SSLRenegBufferSize.');
  });
});
