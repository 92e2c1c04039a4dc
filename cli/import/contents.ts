// What was read out of files: keys, certificates, what could not be read, and who is asked for a passphrase.
import type { KeyObject, X509Certificate } from 'node:crypto';
import type { Finding } from './finding.ts';

export interface InputFile {
  /** As the person who gave it knows it; only shown, never looked at. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface PassphraseRequest {
  /** The file, or the entry in it: `keys.jks (bot)`. */
  readonly name: string;
  /** `store-key`: the key of an entry that does not open with the passphrase of its keystore. */
  readonly kind: 'key' | 'pkcs12' | 'jks' | 'jceks' | 'store-key';
}

/** Asked once for each encrypted file or entry, and not at all where the empty passphrase opens it. Undefined: there is none. */
export type AskPassphrase = (forWhat: PassphraseRequest) => Promise<string | undefined>;

export interface FoundKey {
  readonly key: KeyObject;
  /** The file, with the entry of a keystore. */
  readonly source: string;
}

export interface FoundCertificate {
  readonly certificate: X509Certificate;
  readonly source: string;
}

/** Each key and certificate once, in the order in which they were found. */
export interface Contents {
  readonly keys: readonly FoundKey[];
  readonly certificates: readonly FoundCertificate[];
  readonly findings: readonly Finding[];
  /** Sentences about what was done or passed over, for whoever wants to know. */
  readonly notes: readonly string[];
}
