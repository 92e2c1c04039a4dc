// OpenSSL refuses by the clock of the machine; what is then said of the dates is said by the clock that decides all
// else.
import { once } from 'node:events';
import { connect } from 'node:net';
import { createSecureContext } from 'node:tls';
import { expect, it } from 'vitest';
import { newRequestAttempt } from '../../../core/tls/attempt.ts';
import { performHandshake } from '../../../core/tls/handshake.ts';
import { handshakeOptions } from '../../support/connections/handshake-options.ts';
import { serveTls } from '../../support/servers.ts';
import { createAuthorities } from '../../support/stage.ts';

const day = 86_400_000;

it.each([
  [0, / \(CN=api\) expired on /],
  [-30 * day, / \(CN=api\) is not valid before /],
])('the dates of a certificate are compared with the given clock, %i ms from now', async (aheadMs, says) => {
  const { customerRoot } = createAuthorities();
  const notBefore = new Date(Date.now() - 20 * day);
  const dates = { notBefore, notAfter: new Date(notBefore.getTime() + 7 * day) };
  const api = await serveTls(
    customerRoot.issue({ commonName: 'api', names: ['localhost'], usage: 'server', ...dates }),
    () => {},
  );
  const socket = connect(api.port, '127.0.0.1');
  await once(socket, 'connect');
  const context = createSecureContext({ ca: customerRoot.certificate });
  const options = handshakeOptions('localhost', context, { serverRoots: customerRoot.certificate });
  const now = () => Date.now() + aheadMs;
  const shaken = performHandshake(socket, { ...options, now }, newRequestAttempt());
  await expect(shaken).rejects.toMatchObject({
    code: 'server-certificate-expired',
    message: expect.stringMatching(says),
  });
});
