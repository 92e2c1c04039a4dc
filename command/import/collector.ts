// Gathers what the files of one import hold: each key and certificate once, with the findings and notes on the way.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { hasReadableDates } from '../../functions/identity/certificate-dates.ts';
import { readCertificateFields } from '../../functions/identity/certificate-fields.ts';
import type { AskPassphrase, Contents, FoundCertificate, FoundKey, PassphraseRequest } from './contents.ts';
import { type Finding, type FindingCode, finding, findingOf, refused, shown } from './finding.ts';
import { Allowance, most } from './limits.ts';
import { publicKeyIdentifier } from './public-key.ts';
import { type Secret, secretOf } from './secret.ts';

/** How the octets of a private key are laid out: RFC 5958, RFC 8017, RFC 5915. */
export type KeyForm = 'pkcs8' | 'pkcs1' | 'sec1';

export class Collector {
  readonly allowance = new Allowance();
  readonly #ask: AskPassphrase;
  readonly #keys = new Map<string, FoundKey>();
  readonly #certificates = new Map<string, FoundCertificate>();
  /** By what they say: each once. */
  readonly #findings = new Map<string, Finding>();
  readonly #notes = new Set<string>();

  constructor(ask: AskPassphrase) {
    this.#ask = ask;
  }

  /** Throws `key-damaged`. */
  key(der: Buffer, form: KeyForm, source: string): void {
    let key: KeyObject;
    let identifier: string;
    try {
      key = createPrivateKey({ key: der, format: 'der', type: form });
      // What cannot be read is found here, not where the key is used.
      identifier = publicKeyIdentifier(key);
    } catch {
      throw refused('key-damaged', source, `${source} holds a private key that cannot be read.`);
    }
    if (!this.#keys.has(identifier)) this.#keys.set(identifier, { key, source: shown(source) });
  }

  /** Throws `certificate-damaged`. */
  certificate(der: Buffer, source: string): void {
    let certificate: X509Certificate;
    try {
      certificate = new X509Certificate(der);
      void certificate.publicKey;
      if (!hasReadableDates(certificate)) throw new Error('Its dates cannot be read.');
      // OpenSSL does not look into extensions that nobody asks for.
      readCertificateFields(certificate.raw);
    } catch {
      throw refused('certificate-damaged', source, `${source} holds a certificate that cannot be read.`);
    }
    const { fingerprint256 } = certificate;
    if (!this.#certificates.has(fingerprint256)) {
      this.#certificates.set(fingerprint256, { certificate, source: shown(source) });
    }
  }

  /** Throws `passphrase-needed` when there is none, and whatever the asking throws. */
  async secret(request: PassphraseRequest, sentence: string): Promise<Secret> {
    const passphrase = await this.#ask({ ...request, name: shown(request.name) });
    if (passphrase === undefined) throw refused('passphrase-needed', request.name, sentence);
    return secretOf(passphrase, request.name);
  }

  /** One object, entry or bag, whatever it is: counted before it is looked at. Throws `too-many-objects`. */
  async object(where: string, reading: () => Promise<void> | void): Promise<void> {
    this.allowance.object(where);
    await this.attempt(reading);
  }

  /**
   * Runs one reading; what it cannot read becomes a finding, and whatever it found before stays. Where there are too many
   * findings already, nothing is read any more.
   */
  async attempt(reading: () => Promise<void> | void): Promise<void> {
    if (this.#findings.size > most.findings) return;
    try {
      await reading();
    } catch (thrown) {
      this.#add(findingOf(thrown));
    }
  }

  finding(code: FindingCode, where: string, sentence: string): void {
    this.#add(finding(code, where, sentence));
  }

  #add(found: Finding): void {
    const isOneTooMany = this.#findings.size >= most.findings && !this.#findings.has(found.sentence);
    const sentence = `And more: after ${most.findings} findings nothing else was read.`;
    const added = isOneTooMany ? finding('too-many-findings', 'files', sentence) : found;
    if (!this.#findings.has(added.sentence)) this.#findings.set(added.sentence, added);
  }

  note(sentence: string): void {
    this.#notes.add(shown(sentence));
  }

  contents(): Contents {
    return {
      keys: [...this.#keys.values()],
      certificates: [...this.#certificates.values()],
      findings: [...this.#findings.values()],
      notes: [...this.#notes],
    };
  }
}
