// Every format of key and chain, by key type and order, imports to the document of the PEM files.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { identityFrom, prove, type ReadyIdentity } from '../../../cli/import/identity-from.ts';
import { readFiles } from '../../../cli/import/read-files.ts';
import { indefinite } from '../../support/import/encoded.ts';
import {
  convertByKeytool,
  createSubject,
  encryptedKeyKinds,
  encryptKey,
  exportByForge,
  exportPkcs12,
  keyTypes,
  type Order,
  openWorkshop,
  ordered,
  orders,
  passphrase,
  pkcs12Kinds,
  plainSamples,
  type Sample,
  textFile,
  toPkcs7,
  withPbmac1,
} from '../../support/import/samples.ts';
import { findPeer } from '../../support/peers.ts';

const now = Date.now();
const workshop = openWorkshop();
afterAll(() => workshop.close());

async function imported(sample: Sample, secret: string | undefined = passphrase): Promise<ReadyIdentity> {
  const result = identityFrom(await readFiles(sample, async () => secret), { now });
  if ('document' in result) return result;
  return expect.fail(JSON.stringify(result, undefined, 2));
}

describe.each(keyTypes)('a key of %s', (keyType) => {
  const subject = createSubject(keyType);
  const [leaf, lower, upper, root] = subject.certificates;
  const document = {
    privateKey: subject.privateKey,
    certificate: leaf,
    intermediateCertificates: `${lower}${upper}`,
    rootCertificate: root,
  };

  describe.each(Object.keys(orders) as Order[])('and certificates %s', (order) => {
    it.each(Object.entries(plainSamples(subject, order)))('%s', async (_name, sample) => {
      expect((await imported(sample, undefined)).document).toEqual(document);
    });

    describe.skipIf(!findPeer('openssl'))('written by OpenSSL (needs openssl)', () => {
      it.each(Object.entries(pkcs12Kinds))('%s', async (_name, args) => {
        const bytes = exportPkcs12(workshop, subject, order, args);
        expect((await imported([textFile('bot', bytes)])).document).toEqual(document);
      });

      it('PKCS#12 with an empty passphrase, without a prompt', async () => {
        const bytes = exportPkcs12(workshop, subject, order, [], '');
        expect((await imported([textFile('bot', bytes)], undefined)).document).toEqual(document);
      });

      it.each(['sha256', 'sha512'] as const)('PKCS#12 with PBMAC1 and %s, the MAC made by hand', async (digest) => {
        const bytes = withPbmac1(exportPkcs12(workshop, subject, order, ['-nomac']), digest);
        expect((await imported([textFile('bot', bytes)])).document).toEqual(document);
      });

      it('PKCS#12 in BER with indefinite lengths', async () => {
        const bytes = indefinite(exportPkcs12(workshop, subject, order, []));
        expect((await imported([textFile('bot', bytes)])).document).toEqual(document);
      });

      it.each(['pem', 'der'] as const)('PKCS#7 in %s beside the key', async (form) => {
        const bundle = toPkcs7(workshop, ordered(subject, order), form);
        const sample = [textFile('chain', bundle), textFile('key', subject.privateKey)];
        expect((await imported(sample, undefined)).document).toEqual(document);
      });
    });

    // node-forge has no EC keys.
    if (keyType.startsWith('RSA')) {
      it.each(['3des', 'aes128', 'aes256'] as const)('PKCS#12 written by node-forge, %s', async (algorithm) => {
        const bytes = exportByForge(subject, order, algorithm);
        expect((await imported([textFile('bot', bytes)])).document).toEqual(document);
      });
    }
  });

  describe.skipIf(!findPeer('openssl'))('encrypted by OpenSSL (needs openssl)', () => {
    it.each(Object.entries(encryptedKeyKinds))('%s', async (_name, args) => {
      const key = encryptKey(workshop, subject.privateKey, args);
      const sample = [textFile('key', key), textFile('chain', ordered(subject, 'mixed').join(''))];
      expect((await imported(sample)).document).toEqual(document);
    });

    it('completes handshakes with TLS 1.2 and 1.3', async () => {
      await prove((await imported([textFile('bot', exportPkcs12(workshop, subject, 'mixed', []))])).document);
    });
  });

  describe.skipIf(!findPeer('keytool'))('written by keytool (needs openssl and keytool)', () => {
    let pkcs12: Buffer;
    beforeAll(() => {
      pkcs12 = exportPkcs12(workshop, subject, 'mixed', []);
    });

    it.each(['JKS', 'JCEKS', 'PKCS12'] as const)('%s', async (type) => {
      const bytes = convertByKeytool(workshop, pkcs12, type);
      expect((await imported([textFile('bot', bytes)])).document).toEqual(document);
    });

    it('PKCS12 as Java 8 wrote it', async () => {
      const bytes = convertByKeytool(workshop, pkcs12, 'PKCS12', { options: ['-J-Dkeystore.pkcs12.legacy'] });
      expect((await imported([textFile('bot', bytes)])).document).toEqual(document);
    });
  });
});
