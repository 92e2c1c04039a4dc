// Parses `renewal` of an identity document: the issuer of the next certificate, its key, and the reaction to a
// rejection.
import * as v from 'valibot';
import { issueSentence, objectWords } from '../destination/schema.ts';
import { renewalUnusable } from './unusable.ts';

/** Keys that an identity may have (docs/identities.md), in AWS Private CA's spelling. */
export const keyAlgorithms = ['EC_P256', 'EC_P384', 'RSA_2048', 'RSA_3072', 'RSA_4096'] as const;
export type KeyAlgorithm = (typeof keyAlgorithms)[number];

/** AWS Private CA API reference, IssueCertificate. */
const signingAlgorithms = [
  'SHA256WITHECDSA',
  'SHA384WITHECDSA',
  'SHA512WITHECDSA',
  'SHA256WITHRSA',
  'SHA384WITHRSA',
  'SHA512WITHRSA',
] as const;

const text = v.pipe(v.string('must be text'), v.nonEmpty('must not be empty'));
const httpsUrl = v.pipe(
  text,
  v.check((url) => URL.canParse(url) && url.startsWith('https://'), 'must be an https URL'),
);
const days = v.pipe(
  v.number('must be a whole number of days from 1 to 3650'),
  v.check(
    (count) => Number.isInteger(count) && count >= 1 && count <= 3650,
    'must be a whole number of days from 1 to 3650',
  ),
);

/** AWS Private CA User Guide, "Template definitions"; the passthrough variants begin with the same words. */
const clientTemplate = /^arn:aws[a-z-]*:acm-pca:::template\/EndEntityClientAuthCertificate(?:_[A-Za-z]+)?\/V\d+$/;
const onlyTemplate = 'the role of the rotation function allows no other';

const issuers = [
  v.strictObject(
    {
      kind: v.literal('aws-private-ca'),
      certificateAuthorityArn: text,
      /** Absent: EndEntityClientAuthCertificate/V1. */
      templateArn: v.exactOptional(
        v.pipe(text, v.regex(clientTemplate, `must name an EndEntityClientAuthCertificate template: ${onlyTemplate}`)),
      ),
      /** Absent: as long as the current certificate was valid; 90 for the first one. */
      validityDays: v.exactOptional(days),
      /** Absent: what fits the key of the authority, which is looked up. */
      signingAlgorithm: v.exactOptional(
        v.picklist(signingAlgorithms, `must be one of ${signingAlgorithms.join(', ')}`),
      ),
    },
    objectWords,
  ),
  v.strictObject(
    {
      kind: v.literal('step-ca'),
      url: httpsUrl,
      /** PEM; what the server of the authority is verified with. */
      roots: text,
      /** Name of a JWK provisioner, for the first certificate; later ones need none. */
      provisioner: v.exactOptional(text),
      /** Private JWK (RFC 7517) as JSON text, or step-ca's `encryptedKey` (RFC 7516, compact). */
      provisionerKey: v.exactOptional(text),
      /** Of the encrypted form. */
      provisionerPassword: v.exactOptional(text),
      validityDays: v.exactOptional(days),
    },
    objectWords,
  ),
  v.strictObject(
    {
      kind: v.literal('est'),
      /** Host and port alone: `/.well-known/est` and the label come behind them. */
      url: httpsUrl,
      /** Which of several authorities the server is to use (RFC 7030, section 3.2.2): one path segment. */
      label: v.exactOptional(v.pipe(text, v.regex(/^[\w.~-]{1,100}$/, 'must be letters, digits and -._~'))),
      /** PEM; the Explicit Trust Anchor database (RFC 7030, section 3.6.1). */
      roots: text,
      /** HTTP authentication of the first enrolment (RFC 7030, section 3.2.3). */
      username: v.exactOptional(text),
      password: v.exactOptional(text),
    },
    objectWords,
  ),
  v.strictObject({ kind: v.literal('manual') }, objectWords),
  v.strictObject(
    {
      kind: v.literal('local'),
      /** Of the authority that the local cloud runs; loopback alone. */
      url: text,
      validityDays: v.exactOptional(days),
    },
    objectWords,
  ),
] as const;

export const issuerKinds = issuers.map(({ entries }) => entries.kind.literal);

const issuerSchema = v.variant('kind', issuers, ({ expected }) =>
  expected === 'Object'
    ? 'must be an object'
    : `must be ${issuerKinds.slice(0, -1).join(', ')} or ${issuerKinds.at(-1)}`,
);

// Strict: a misspelt reuseKey or onRejection must not switch it off.
const renewalSchema = v.strictObject(
  {
    issuer: issuerSchema,
    /** Absent: that of the current key; EC_P256 for the first one. */
    keyAlgorithm: v.exactOptional(v.picklist(keyAlgorithms, `must be one of ${keyAlgorithms.join(', ')}`)),
    /** For customers that pin the key. */
    reuseKey: v.exactOptional(v.boolean('must be true or false'), false),
    /** RFC 4514 text; absent: the subject of the current certificate, byte for byte. */
    subject: v.exactOptional(text),
    /** Subject alternative names as `dns:…`, `uri:…`, `email:…` or `ip:…`; absent: those of the current certificate. */
    names: v.exactOptional(v.array(text, 'must be a list')),
    /**
     * In a directory: days before its chain expires that the identity is renewed. Absent: a third of its life. In
     * Secrets Manager the schedule applies.
     */
    beforeDays: v.exactOptional(days),
    /** What testSecret does when a destination rejects the new certificate. */
    onRejection: v.exactOptional(v.picklist(['block', 'proceed'], 'must be "block" or "proceed"'), 'block'),
  },
  objectWords,
);

export type Renewal = v.InferOutput<typeof renewalSchema>;
export type IssuerSettings = Renewal['issuer'];

/** Throws `renewal-unusable`; the sentence names the key and what is wrong, and never quotes a value. */
export function parseRenewal(value: unknown): Renewal {
  const result = v.safeParse(renewalSchema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw renewalUnusable('renewal-malformed', `renewal: ${issueSentence(issue)}`);
}
