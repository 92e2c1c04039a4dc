// The object identifiers of this folder, and the hashes that they name.

export const oids = {
  // Keys: RFC 3279, RFC 8017, RFC 8410; the last one is X.500's own RSA.
  rsaEncryption: '1.2.840.113549.1.1.1',
  rsassaPss: '1.2.840.113549.1.1.10',
  ecPublicKey: '1.2.840.10045.2.1',
  ed25519: '1.3.101.112',
  ed448: '1.3.101.113',
  x500Rsa: '2.5.8.1.1',
  // Signatures: RFC 8017, appendix A.2.4; RFC 5758, section 3.2.
  md5WithRsa: '1.2.840.113549.1.1.4',
  sha1WithRsa: '1.2.840.113549.1.1.5',
  sha256WithRsa: '1.2.840.113549.1.1.11',
  sha384WithRsa: '1.2.840.113549.1.1.12',
  sha512WithRsa: '1.2.840.113549.1.1.13',
  ecdsaWithSha1: '1.2.840.10045.4.1',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  ecdsaWithSha384: '1.2.840.10045.4.3.3',
  ecdsaWithSha512: '1.2.840.10045.4.3.4',
  // Extensions and their values: RFC 5280, section 4.2.
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  authorityKeyIdentifier: '2.5.29.35',
  anyExtendedKeyUsage: '2.5.29.37.0',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  ocspSigning: '1.3.6.1.5.5.7.3.9',
  /** RFC 7633: 5 in it demands a stapled OCSP response. */
  tlsFeature: '1.3.6.1.5.5.7.1.24',
  /** RFC 6960, section 4.2.1. */
  ocspBasicResponse: '1.3.6.1.5.5.7.48.1.1',
  /** RFC 2985, section 5.4.2. */
  extensionRequest: '1.2.840.113549.1.9.14',
  // Content types of CMS: RFC 5652.
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  envelopedData: '1.2.840.113549.1.7.3',
  encryptedData: '1.2.840.113549.1.7.6',
} as const;

export type Digest = 'md5' | 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512' | 'sha512-224' | 'sha512-256';

/** The hash of an AlgorithmIdentifier (RFC 3279, section 2.1; NIST's arc for SHA-2), by its object identifier. */
export const digests: ReadonlyMap<string, Digest> = new Map([
  ['1.2.840.113549.2.5', 'md5'],
  ['1.3.14.3.2.26', 'sha1'],
  ['2.16.840.1.101.3.4.2.4', 'sha224'],
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
  ['2.16.840.1.101.3.4.2.5', 'sha512-224'],
  ['2.16.840.1.101.3.4.2.6', 'sha512-256'],
]);

/** The hash in a signature with RSA PKCS#1 v1.5 or ECDSA, by its object identifier. SHA-1 and MD5 are not in it. */
export const signatureDigests: ReadonlyMap<string, 'sha256' | 'sha384' | 'sha512'> = new Map([
  [oids.sha256WithRsa, 'sha256'],
  [oids.sha384WithRsa, 'sha384'],
  [oids.sha512WithRsa, 'sha512'],
  [oids.ecdsaWithSha256, 'sha256'],
  [oids.ecdsaWithSha384, 'sha384'],
  [oids.ecdsaWithSha512, 'sha512'],
]);
