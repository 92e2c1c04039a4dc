// Name constraints (RFC 5280, section 4.2.1.10): the DNS names below which an authority may not issue.
import type { X509Certificate } from 'node:crypto';
import { findExtension } from './certificate.ts';
import { derObjectIdentifier, oids, readElements, readInside, tag } from './der.ts';

/** Names of one certificate that are read; a list this long takes OpenSSL itself a while. */
const mostSubtrees = 4096;
const identifier = derObjectIdentifier(oids.nameConstraints);

/**
 * Lower case. Empty without the extension; one empty subtree, which excludes every name, if it cannot be read. The
 * search of the bytes costs 1 µs, and almost no certificate has the extension.
 */
export function excludedDnsNames({ raw }: X509Certificate): readonly string[] {
  if (!raw.includes(identifier)) return [];
  const value = findExtension(raw, oids.nameConstraints);
  const parts = value && readInside(value, tag.sequence, 2);
  if (!parts) return value ? [''] : [];
  const excluded = parts.find(({ tag: kind }) => kind === 0xa1);
  const subtrees = excluded ? readElements(excluded.content, mostSubtrees) : [];
  return (subtrees ?? [undefined]).flatMap((subtree) => {
    const base = subtree ? readElements(subtree.content, 3)?.[0] : undefined;
    if (!base) return [''];
    return base.tag === 0x82 ? [base.content.toString('latin1').toLowerCase()] : [];
  });
}

/** A subtree `example.com` holds that name and all below it, `.example.com` those below it, an empty one every name. */
export function isInSubtree(name: string, subtree: string): boolean {
  const host = name.toLowerCase().replace(/\.$/, '');
  const below = subtree.startsWith('.') ? subtree : `.${subtree}`;
  return subtree === '' || host === subtree || host.endsWith(below);
}
