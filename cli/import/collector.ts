// Collects the contents of the files of one import: each key and certificate once, findings and notes.
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { parseCertificate, readUsageFields } from '../../core/x509/certificate.ts';
import {
  certificateKeyFault,
  type KeyFault,
  type KeyForm,
  keyFaultWords,
  privateKeyFault,
  publicKeyIdentifier,
} from '../../core/x509/keys.ts';
import type { AskPassphrase, Contents, FoundCertificate, FoundKey, PassphraseRequest } from './contents.ts';
import { type Secret, secretOf } from './derive.ts';
import { finding, findingOf, type ImportFinding, type ImportFindingCode, refused, shown } from './finding.ts';
import { Allowance, most } from './limits.ts';

export class Collector {
  readonly allowance = new Allowance();
  readonly #ask: AskPassphrase;
  readonly #keys = new Map<string, FoundKey>();
  readonly #certificates = new Map<string, FoundCertificate>();
  /** By their sentence: each once. */
  readonly #findings = new Map<string, ImportFinding>();
  readonly #notes = new Set<string>();

  constructor(ask: AskPassphrase) {
    this.#ask = ask;
  }

  /** Throws `key-damaged`, `key-type`, `key-too-large` and `explicit-curve`. */
  key(der: Buffer, form: KeyForm, source: string, alias?: string): void {
    const fault = privateKeyFault(der, form, source);
    refuseFault(fault, source, 'a private key');
    let key: KeyObject;
    let identifier: string;
    try {
      if (fault) throw new Error(fault);
      key = createPrivateKey({ key: der, format: 'der', type: form });
      // Damage must show here, not where the key is used.
      identifier = publicKeyIdentifier(key);
    } catch {
      throw refused('key-damaged', source, `${source} holds a private key that cannot be read.`);
    }
    const known = this.#keys.get(identifier) ?? { key, source: shown(source), aliases: [] };
    this.#keys.set(identifier, { ...known, aliases: withAlias(known.aliases, alias) });
  }

  /** Throws `certificate-damaged`, `key-too-large` and `explicit-curve`. */
  certificate(der: Buffer, source: string, alias?: string): void {
    const fault = certificateKeyFault(der, source);
    refuseFault(fault, source, 'a certificate with a key');
    const certificate = fault ? undefined : parseCertificate(der);
    if (certificate === undefined || readUsageFields(certificate.raw) === undefined) {
      throw refused('certificate-damaged', source, `${source} holds a certificate that cannot be read.`);
    }
    const { fingerprint256 } = certificate;
    const known = this.#certificates.get(fingerprint256) ?? { certificate, source: shown(source), aliases: [] };
    this.#certificates.set(fingerprint256, { ...known, aliases: withAlias(known.aliases, alias) });
  }

  /** Throws `passphrase-needed` without a passphrase, and any error of the callback. */
  async secret(request: PassphraseRequest, sentence: string): Promise<Secret> {
    const passphrase = await this.#ask({ ...request, name: shown(request.name) });
    if (passphrase === undefined) throw refused('passphrase-needed', request.name, sentence);
    return secretOf(passphrase, request.name);
  }

  /** Counts an object, entry or bag, then reads it. Throws `too-many-objects`. */
  async object(where: string, reading: () => Promise<void> | void): Promise<void> {
    this.allowance.object(where);
    await this.attempt(reading);
  }

  /**
   * Runs `reading` and turns its error into a finding; objects that were found before stay. After too many findings,
   * nothing more is read.
   */
  async attempt(reading: () => Promise<void> | void): Promise<void> {
    if (this.#findings.size > most.findings) return;
    try {
      await reading();
    } catch (thrown) {
      this.#add(findingOf(thrown));
    }
  }

  finding(code: ImportFindingCode, where: string, sentence: string): void {
    this.#add(finding(code, where, sentence));
  }

  #add(found: ImportFinding): void {
    const isOneTooMany = this.#findings.size >= most.findings && !this.#findings.has(found.sentence);
    const sentence = `The import stopped after ${most.findings} findings; there may be more.`;
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

function withAlias(aliases: readonly string[], alias: string | undefined): readonly string[] {
  return alias === undefined || aliases.includes(alias) ? aliases : [...aliases, alias];
}

/** Damage has a finding of its own. */
function refuseFault(fault: KeyFault | undefined, source: string, what: string): void {
  if (fault === undefined || fault === 'key-malformed') return;
  throw refused(fault, source, `${source} holds ${what} ${keyFaultWords[fault]}.`);
}
