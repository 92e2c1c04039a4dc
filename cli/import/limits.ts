// Limits of one import: size and number of files and objects, and the work of deriving keys from passphrases.
import { refused } from './finding.ts';

export const most = {
  files: 64,
  fileBytes: 1_048_576,
  /** Keys, certificates, bags of PKCS#12 and other objects, of all files; a Java installation has about 150 roots. */
  objects: 1_024,
  /** A damaged file can cause as many findings as it has bytes. */
  findings: 100,
  /** OWASP's Password Storage Cheat Sheet asks for 1,300,000 of PBKDF2 with SHA-1, and for less of the others. */
  iterations: 5_000_000,
  /** Of all derivations of all files, in blocks of a digest: about 10 s. */
  work: 20_000_000,
  /** N · r · 128 bytes; `openssl pkcs8 -scrypt` asks for 16 MiB. */
  scryptBytes: 134_217_728,
  scryptLanes: 16,
  passphraseBytes: 4_096,
} as const;

/** What is left for one import. */
export class Allowance {
  #objects = 0;
  #work = 0;

  /** Throws `too-many-objects`. */
  object(where: string): void {
    this.#objects += 1;
    if (this.#objects <= most.objects) return;
    const sentence = `There are more than ${most.objects} keys, certificates and other objects; give only those of the identity.`;
    throw refused('too-many-objects', where, sentence);
  }

  /** Throws `work-too-much` before any of the work is done. `blocks`: digests for each iteration. */
  iterations(where: string, iterations: number, blocks: number): void {
    if (iterations > most.iterations) {
      const sentence = `${where} asks for ${iterations} iterations to make a key of its passphrase; ${most.iterations} is the most.`;
      throw refused('work-too-much', where, sentence);
    }
    this.work(where, iterations * blocks);
  }

  work(where: string, amount: number): void {
    this.#work += amount;
    if (this.#work <= most.work) return;
    const sentence = `${where} and what was read before it ask for more work on passphrases than is allowed in one import.`;
    throw refused('work-too-much', where, sentence);
  }
}
