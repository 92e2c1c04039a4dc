// Shared by the broken files and identities: a clock, an authority, one valid identity, and the type of a case.
import type { InputFile } from '../../../cli/import/contents.ts';
import type { ImportFindingCode } from '../../../cli/import/finding.ts';
import type { IdentitySettings } from '../../../cli/import/identity-from.ts';
import {
  type Authority,
  type CertificateRequest,
  createAuthority,
  type IssuedCertificate,
} from '../../../local/authority/authority.ts';
import { type Subject, textFile } from './samples.ts';

export interface Broken {
  /** As the page says it. */
  readonly given: string;
  readonly files: readonly InputFile[];
  /** Absent: the right one. */
  readonly passphrase?: string | undefined;
  readonly settings?: Partial<IdentitySettings>;
  readonly says: readonly (readonly [ImportFindingCode, string])[];
}

/** The clock of the table, and the dates of what is sound in it. */
export const now = Date.UTC(2026, 5, 1);
export const dates = { notBefore: new Date(Date.UTC(2026, 0, 1)), notAfter: new Date(Date.UTC(2036, 0, 1)) };

export const root = createAuthority({ commonName: 'Root', ...dates });
export const issuer = root.intermediate({ commonName: 'Issuer', ...dates });

export function issue(request: Partial<CertificateRequest> = {}, by: Authority = issuer): IssuedCertificate {
  return by.issue({ commonName: 'bot', usage: 'client', ...dates, ...request });
}

export const bot = issue();
export const other = issue({ commonName: 'other' });
export const subject: Subject = {
  keyType: 'EC_P256',
  privateKey: bot.privateKey,
  certificates: [bot.certificate, issuer.certificate, root.certificate, root.certificate],
};

export const pem = (...texts: readonly string[]) => textFile('bot.pem', texts.join(''));
export const chain = (issued: IssuedCertificate) => [
  issued.privateKey,
  issued.certificate,
  issued.intermediates,
  issued.root,
];
export const armoured = (label: string, der: Buffer) =>
  `-----BEGIN ${label}-----\n${der.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`;
/** All that the identity needs but the key, or but the certificates. */
export const certificates = textFile('chain.pem', chain(bot).slice(1).join(''));
export const key = textFile('key.pem', bot.privateKey);

export function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] as number) ^ 0x55;
  return copy;
}
