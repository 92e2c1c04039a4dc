// Every place that prints the name of a certificate prints it the same way: most specific part first (RFC 4514).
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import { placeOf } from '../../../cli/import/contents.ts';
import { reportCertificate } from '../../../core/diagnosis/certificate-report.ts';
import { certificateRequest, newPrivateKey } from '../../../core/issuers/certificate-request.ts';
import { outsideDates } from '../../../core/tls/verification-failure.ts';
import { assembleChain } from '../../../core/x509/assemble.ts';
import { readCertificateRequest, subjectText } from '../../../core/x509/certificate.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { namesOf, subjectKey } from '../../../serve/auth/callers.ts';

it.each([
  ['one attribute in each part', 'CN=bot,OU=Bots,O=Acme', 'CN=bot, OU=Bots, O=Acme'],
  ['two attributes in one part', 'OU=Bots+CN=bot,O=Acme', 'OU=Bots+CN=bot, O=Acme'],
  ['two attributes in one part, in the other order', 'CN=bot+OU=Bots,O=Acme', 'OU=Bots+CN=bot, O=Acme'],
])('%s', async (_title, subject, name) => {
  const privateKey = await newPrivateKey('EC_P256');
  const request = readCertificateRequest(certificateRequest({ privateKey, subject }));
  const publicKey = createPublicKey(createPrivateKey(privateKey));
  const certified = { subject: request?.subject ?? Buffer.alloc(0), publicKey, usage: 'client' } as const;
  const { certificate } = createAuthority({ commonName: 'Root' }).certify(certified);
  const read = new X509Certificate(certificate);
  expect(subjectText(read)).toBe(name);
  expect(placeOf({ certificate: read, source: 'bot.pem', aliases: [] })).toBe(`${name} (bot.pem)`);
  expect(reportCertificate(read).subject).toBe(name);
  expect(outsideDates(read, 0).evidence).toMatchObject({ subject: name });
  expect(namesOf(read).key).toBe(subjectKey(name));
  expect(assembleChain([certificate], publicKey)).toMatchObject({
    sentence: `The issuer of "${name}", which is "CN=Root", is not among the certificates.`,
  });
});
