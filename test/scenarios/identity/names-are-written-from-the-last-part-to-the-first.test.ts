// Names of certificates in sentences: the last part first, as RFC 4514 has it, wherever they are said.
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import { subjectOf } from '../../../cli/import/names.ts';
import { certificateRequest, newPrivateKey } from '../../../core/issuers/certificate-request.ts';
import { assembleChain } from '../../../core/x509/assemble.ts';
import { readCertificateRequest } from '../../../core/x509/certificate-request-reader.ts';
import { nameText } from '../../../core/x509/name-text.ts';
import { createAuthority } from '../../../local/authority/authority.ts';

it('an import, a chain without its issuer and a handshake name a certificate alike', async () => {
  const privateKey = await newPrivateKey('EC_P256');
  const text = certificateRequest({ privateKey, subject: 'CN=bot,OU=Bots,O=Acme', names: undefined, like: undefined });
  const subject = readCertificateRequest(text)?.subject ?? Buffer.alloc(0);
  const publicKey = createPublicKey(createPrivateKey(privateKey));
  const { certificate } = createAuthority({ commonName: 'Root' }).certify({ subject, publicKey, usage: 'client' });
  const read = new X509Certificate(certificate);
  const name = 'CN=bot, OU=Bots, O=Acme';
  expect([subjectOf(read), nameText(read.subject)]).toEqual([name, name]);
  expect(assembleChain([certificate], publicKey)).toMatchObject({
    sentence: `The issuer of "${name}", which is "CN=Root", is not among the certificates.`,
  });
});
