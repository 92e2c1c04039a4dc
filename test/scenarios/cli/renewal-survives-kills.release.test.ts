// `countersign identity renew`, killed before each of its changes of the file system, then run again.
import { expect, it } from 'vitest';
import { customerCertificate, destinationOn, renewalGround } from '../../support/cli/renewal-ground.ts';
import { killAndContinue } from '../../support/cli/renewal-kills.ts';
import { startNginx } from '../../support/nginx.ts';
import { findPeer } from '../../support/peers.ts';

it.skipIf(!findPeer('nginx'))(
  'a renewal ends with one current version after any kill (needs nginx)',
  {
    timeout: 1_800_000,
  },
  async () => {
    const renewal = await renewalGround();
    const nginx = await startNginx(customerCertificate, { clientRoots: renewal.est.root.certificate });
    const issued: number[] = [];
    for (let at = 1; ; at += 1) {
      const count = await killAndContinue(renewal, [destinationOn(nginx.port)], at);
      if (count === undefined) break;
      issued.push(count);
    }
    expect(issued.length).toBeGreaterThan(60);
    // EST has no idempotency: it signs again after a kill between its response and the pending version, nowhere else.
    const twice = issued.flatMap((count, index) => (count > 1 ? [index] : []));
    expect(twice).toEqual(twice.map((_, index) => (twice[0] ?? 0) + index));
    expect(Math.max(...issued)).toBe(2);
  },
);
