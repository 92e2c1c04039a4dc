// Names out of a server's certificate, as logs, problems and terminals may show them: escaped and cut.
import type { X509Certificate } from 'node:crypto';

const most = { names: 20, nameLength: 256, distinguishedName: 500 } as const;

/** A server chose these characters, and they go to terminals: control and direction characters are shown as `\u202e`. */
export function escaped(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (character) => {
    return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
  });
}

/** `CN=api.acme.example, O=Acme`, as RFC 4514 has it: Node separates the parts by newlines, and has the last one last. */
export function nameText(name: string | undefined): string {
  const text = (name ?? '').split('\n').reverse().join(', ').slice(0, most.distinguishedName);
  return escaped(text).slice(0, most.distinguishedName);
}

/** The first 20 of subjectAltName, as `DNS:api.acme.example`. */
export function alternativeNames(certificate: X509Certificate): string[] {
  return (certificate.subjectAltName ?? '')
    .split(', ')
    .filter(Boolean)
    .slice(0, most.names)
    .map((name) => escaped(name.slice(0, most.nameLength)).slice(0, most.nameLength));
}
