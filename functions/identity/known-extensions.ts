// The extensions of a certificate that may be critical: those that the servers know to which it is shown.

/**
 * DER of the OIDs below 2.5.29 as hex: what servers that are built on OpenSSL know (its X509_supported_extension), but for proxies,
 * Netscape and the ranges of RFC 3779. Constraints on names and policies are the servers' to hold to: whether they are kept is
 * proved before an identity is stored, by the import and by the rotation.
 */
const known = new Set(
  [
    14, // subjectKeyIdentifier
    15, // keyUsage
    17, // subjectAltName
    19, // basicConstraints
    30, // nameConstraints
    31, // cRLDistributionPoints
    32, // certificatePolicies
    33, // policyMappings
    35, // authorityKeyIdentifier
    36, // policyConstraints
    37, // extKeyUsage
    54, // inhibitAnyPolicy
  ].map((arc) => Buffer.of(0x55, 0x1d, arc).toString('hex')),
);

/** `oid` is DER as hex. */
export function isKnownExtension(oid: string): boolean {
  return known.has(oid);
}
