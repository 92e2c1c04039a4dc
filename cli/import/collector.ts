// Gathers what the files of one import hold: each key and certificate once, with the findings and notes on the way.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { hasReadableDates } from '../../core/x509/certificate-dates.ts';
import {
  certificateKeyFault,
  type KeyFault,
  type KeyForm,
  keyFaultWords,
  privateKeyFault,
} from '../../core/x509/key-limits.ts';
import { readUsageFields } from '../../core/x509/usage-fields.ts';
import { readBer } from './ber.ts';
import type { AskPassphrase, Contents, FoundCertificate, FoundKey, PassphraseRequest } from './contents.ts';
import { type Finding, type FindingCode, finding, findingOf, refused, shown } from './finding.ts';
import { Allowance, most } from './limits.ts';
import { publicKeyIdentifier } from './public-key.ts';
import { type Secret, secretOf } from './secret.ts';

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

  /** Throws `key-damaged`, `key-type`, `key-too-large` and `explicit-curve`. */
  key(der: Buffer, form: KeyForm, source: string): void {
    const fault = privateKeyFault(der, form, (bytes) => readBer(bytes, source));
    refuseFault(fault, source, 'a private key');
    let key: KeyObject;
    let identifier: string;
    try {
      if (fault) throw new Error('It is not laid out as a key.');
      key = createPrivateKey({ key: der, format: 'der', type: form });
      // What cannot be read is found here, not where the key is used.
      identifier = publicKeyIdentifier(key);
    } catch {
      throw refused('key-damaged', source, `${source} holds a private key that cannot be read.`);
    }
    if (!this.#keys.has(identifier)) this.#keys.set(identifier, { key, source: shown(source) });
  }

  /** Throws `certificate-damaged`, `key-too-large` and `explicit-curve`. */
  certificate(der: Buffer, source: string): void {
    const fault = certificateKeyFault(der, (bytes) => readBer(bytes, source));
    refuseFault(fault, source, 'a certificate with a key');
    let certificate: X509Certificate;
    try {
      if (fault) throw new Error('Its key cannot be found.');
      certificate = new X509Certificate(der);
      void certificate.publicKey;
      if (!hasReadableDates(certificate)) throw new Error('Its dates cannot be read.');
      // OpenSSL does not look into extensions that nobody asks for.
      readUsageFields(certificate.raw);
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

/** Damage is said in other words than what OpenSSL must not see. */
function refuseFault(fault: KeyFault | undefined, source: string, what: string): void {
  if (fault === undefined || fault === 'key-malformed') return;
  throw refused(fault, source, `${source} holds ${what} ${keyFaultWords[fault]}.`);
}
