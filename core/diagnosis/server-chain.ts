// The server's chain, built from what it served and what is trusted, and where it ends when it leads nowhere.
import type { X509Certificate } from 'node:crypto';
import type { ServerChain } from '../tls/server-certificate.ts';
import { findExtension, inDates, issuerText, readCertificateFields, subjectText } from '../x509/certificate.ts';
import { readElements, readInside, tag } from '../x509/der.ts';
import { sameName } from '../x509/distinguished-name.ts';
import { oids } from '../x509/oids.ts';
import { type IssuedBy, trustedRoots } from '../x509/trust.ts';
import type { Certainty } from './diagnosis.ts';

export type ChainEnd =
  | { readonly kind: 'trusted' }
  /** The server's own certificate signed itself. */
  | { readonly kind: 'self-signed' }
  /** `issuer` is an authority that is not trusted: the server sent its certificate, or omitted this root. */
  | {
      readonly kind: 'unknown-root';
      readonly issuer: string;
      readonly certainty: Certainty;
      /** Of the root, if the server sent it. */
      readonly fingerprint256?: string;
    }
  /** The server must send the certificate of `issuer`, between the last certificate and the root. */
  | { readonly kind: 'missing-intermediate'; readonly issuer: string; readonly certainty: Certainty };

export interface BuiltChain {
  /** From the server's own as far up as it can be followed; the trusted root last when it was reached. */
  readonly certificates: ServerChain;
  readonly end: ChainEnd;
}

/**
 * `served`: the server's own first. `roots`: PEM; if undefined, the roots that invocations trust by default. `now`:
 * milliseconds since 1970.
 */
export function buildChain(
  served: ServerChain,
  roots: string | undefined,
  isIssuedBy: IssuedBy,
  now: number,
): BuiltChain {
  const trusted = trustedRoots(roots);
  let current = served[0];
  const certificates: [X509Certificate, ...X509Certificate[]] = [current];
  // Some servers send their own certificate twice: alone, and at the head of the chain file.
  const distinct = new Map(served.map((certificate) => [certificate.fingerprint256, certificate]));
  // Each certificate is used once at most, so the loop ends.
  const rest = new Set([...distinct.values()].slice(1));
  for (;;) {
    if (trusted.some((root) => root.raw.equals(current.raw))) return { certificates, end: { kind: 'trusted' } };
    const anchors = trusted.filter((root) => isIssuedBy(current, root));
    const anchor = anchors.find((root) => inDates(root, now)) ?? anchors[0];
    if (anchor) {
      certificates.push(anchor);
      return { certificates, end: { kind: 'trusted' } };
    }
    if (isIssuedBy(current, current)) {
      const end: ChainEnd =
        certificates.length === 1
          ? { kind: 'self-signed' }
          : {
              kind: 'unknown-root',
              issuer: subjectText(current),
              certainty: 'observed',
              fingerprint256: current.fingerprint256,
            };
      return { certificates, end };
    }
    const next = [...rest].find((one) => isIssuedBy(current, one));
    if (!next) {
      // Any other certificate beyond the gap can be a stray one: it does not show that one is missing.
      const leadsOn = [...rest].some((one) =>
        trusted.some((root) => root.raw.equals(one.raw) || isIssuedBy(one, root)),
      );
      return { certificates, end: endBelow(current, certificates.length, leadsOn, roots !== undefined) };
    }
    rest.delete(next);
    certificates.push(next);
    current = next;
  }
}

/**
 * The issuer was neither served nor is it trusted. Whether it is an intermediate that the server should have sent, or a
 * root that is not trusted and that servers leave out, only an authority key identifier that names the issuer's own
 * issuer tells for sure (RFC 5280, section 4.2.1.1); what else points one way or the other is no more than that.
 */
function endBelow(last: X509Certificate, depth: number, leadsOn: boolean, hasOwnRoots: boolean): ChainEnd {
  const issuer = issuerText(last);
  const issuersIssuer = issuerOfIssuer(last.raw);
  const issuerName = readCertificateFields(last.raw)?.issuer;
  if (issuersIssuer && issuerName) {
    const isRoot = sameName(issuersIssuer, issuerName);
    return { kind: isRoot ? 'unknown-root' : 'missing-intermediate', issuer, certainty: 'observed' };
  }
  return { kind: pointsToRoot() ? 'unknown-root' : 'missing-intermediate', issuer, certainty: 'inferred' };

  function pointsToRoot(): boolean {
    // A certificate beyond the gap that leads to a trusted root shows that one is missing between.
    if (leadsOn) return false;
    if (depth > 1 || /\broot\b/i.test(issuer)) return true;
    // Public authorities name the address of their intermediate; own roots of a destination are configured for its
    // chain.
    return !hasOwnRoots && !last.infoAccess?.includes('CA Issuers');
  }
}

/** The authorityCertIssuer of the authority key identifier: DER of the Name, when there is exactly one. */
function issuerOfIssuer(der: Buffer): Buffer | undefined {
  const value = findExtension(der, oids.authorityKeyIdentifier);
  const parts = value && readInside(value, tag.sequence, 3);
  const names = parts?.find((part) => part.tag === 0xa1);
  const [name, ...more] = names ? (readElements(names.content, 4) ?? []) : [];
  // GeneralName: directoryName is [4], explicit.
  if (name?.tag !== 0xa4 || more.length > 0) return undefined;
  return readElements(name.content, 1)?.[0]?.whole;
}
