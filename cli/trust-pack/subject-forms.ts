// The subject of a client certificate as each server writes it: a comparison is to the letter, and no two kinds of server agree on the letters.
import type { X509Certificate } from 'node:crypto';
import { readCertificateFields } from '../../core/x509/certificate.ts';
import { attributeName, readRelativeNames } from '../../core/x509/distinguished-name.ts';

/** Undefined where there is a character or a type in it that servers write each in a way of its own: nothing is guessed then. */
export interface SubjectForms {
  /** RFC 2253, most specific first: nginx, Apache httpd, Java. */
  readonly rfc2253: string | undefined;
  /** In the order of the certificate, behind slashes: HAProxy. */
  readonly slashes: string | undefined;
  /** Go's `pkix.Name.String`, which has an order of its own: Go, Caddy. */
  readonly go: string | undefined;
  /** In the order of the certificate, as text of JavaScript: Node. */
  readonly lines: string | undefined;
  /** lighttpd. */
  readonly commonName: string | undefined;
}

/** In which Go writes them, whatever the certificate's. Of L and ST the place is no promise (Go 1.19 has them before C), of other types it writes numbers. */
const goOrder = ['CN', 'OU', 'O', 'C'];
const plainPart = /^(CN|O|OU|L|ST|C|DC)=[A-Za-z0-9]([A-Za-z0-9 ._:@()-]*[A-Za-z0-9.)])?$/;

export function subjectForms({ raw }: X509Certificate): SubjectForms {
  const subject = readCertificateFields(raw)?.subject;
  const names = (subject && readRelativeNames(subject)) ?? [];
  // Two attributes in one part: servers disagree on how to write them.
  const parts = names.map((part) => part.map((one) => `${attributeName(one)}=${one.text ?? ''}`).join('+'));
  const isPlain = parts.length > 0 && parts.every((part) => plainPart.test(part));
  const types = names.flat().map(attributeName);
  const place = (part: string) => goOrder.indexOf(part.slice(0, part.indexOf('=')));
  // Go joins two attributes of one type.
  const isGo = isPlain && types.every((type) => goOrder.includes(type)) && new Set(types).size === types.length;
  const commonNames = parts.flatMap((part) => /^CN=([\w.-]+)$/.exec(part)?.[1] ?? []);
  return {
    rfc2253: isPlain ? parts.toReversed().join(',') : undefined,
    slashes: isPlain ? `/${parts.join('/')}` : undefined,
    go: isGo ? parts.toSorted((a, b) => place(a) - place(b)).join(',') : undefined,
    lines: isPlain ? parts.join('\\n') : undefined,
    commonName: isPlain && types.filter((type) => type === 'CN').length === 1 ? commonNames[0] : undefined,
  };
}
