// A server may rule out the signature on our certificate: then our own TLS sends none, and step 4 says so.
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createAuthority } from '../../../local/authority/authority.ts';
import { javaSocket } from '../../servers/java.ts';
import { filesOf, missingFor, programOf } from '../../servers/listener.ts';
import { accepting, openResources } from '../../servers/resources.ts';
import { findings, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { startOpenssl } from '../../support/openssl.ts';
import { findPeer } from '../../support/peers.ts';
import { freePort } from '../../support/port.ts';

const trial = useDiagnosing();
const resources = openResources();
afterEach(() => resources.end());

/** A key of EC, certified with RSA: good for the handshake, and not for the list of certificates. */
const root = createAuthority({ commonName: 'RSA Root', keyAlgorithm: 'RSA_2048' });
const client = root.issue({ commonName: 'platform', usage: 'client' });

describe.skipIf(missingFor(javaSocket))('Java (needs java)', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'accepts only EC keys, over %s: the RSA certificate is not sent',
    async (protocol) => {
      const folder = resources.folder();
      const port = await freePort();
      const { certificate: chain, privateKey } = trial.server;
      const files = filesOf(folder, { port, protocol, chain, privateKey, clientRoots: root.certificate });
      const file = folder.write(
        'listeners',
        [port, protocol, files.chain, files.key, files.roots, '- - - -'].join(' '),
      );
      const source = join(import.meta.dirname, '../../servers/programs/Server.java');
      const property = '-Djdk.tls.server.SignatureSchemes=ecdsa_secp256r1_sha256';
      await accepting(resources.start(programOf('java'), [property, source, 'socket', file], { cwd: folder.path }), [
        port,
      ]);
      const diagnosis = await trial.diagnose(port, { client });
      const isSent = protocol === 'TLSv1.2';
      expect(diagnosis.client?.signatureAccepted).toBe(isSent);
      expect(diagnosis.steps[3]?.status).toBe(isSent ? 'warning' : 'failed');
      expect(findings(diagnosis)[0]).toMatchObject(
        isSent
          ? { code: 'client-chain-signature-not-accepted' }
          : { code: 'client-signature-not-accepted', evidence: { signature: 'rsa_pkcs1_sha256' } },
      );
      expect(diagnosis.remedies[0]?.do).toContain('signed');
      if (isSent) expect(diagnosis.remedies.map((remedy) => remedy.do).join(' ')).toContain('trust');
    },
  );
});

describe.skipIf(!findPeer('openssl'))('openssl (needs openssl)', () => {
  it('sends no signature_algorithms_cert: the certificate is sent', async () => {
    const args = ['-tls1_3', '-client_sigalgs', 'ecdsa_secp256r1_sha256'];
    const { port } = await startOpenssl(trial.server, { clientRoots: root.certificate, args });
    const diagnosis = await trial.diagnose(port, { client });
    expect(diagnosis).toMatchObject({ verdict: 'access-granted', client: { signatureAccepted: true } });
    expect(findings(diagnosis)[0]).toMatchObject({ code: 'client-chain-signature-not-accepted', severity: 'warning' });
  });
});
