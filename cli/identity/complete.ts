// `identity complete`: joins the signed certificate with the waiting key, tests both like an import, and puts them into
// use.
import { createPrivateKey } from 'node:crypto';
import { escapeForTerminal } from '../../core/escape-for-terminal.ts';
import { stagingLabels } from '../../core/versions/versions.ts';
import { publicKeyIdentifier } from '../../core/x509/keys.ts';
import type { CommandContext } from '../context.ts';
import { refusal } from '../exit-code.ts';
import type { InputFile } from '../import/contents.ts';
import { readFiles } from '../import/read-files.ts';
import type { PendingRequest, Renewals } from '../store/identity-store.ts';
import { openStore, type WriteOptions } from '../store/open-store.ts';
import { changedMeanwhile, membersToKeep, requireName, requireSize } from './change.ts';
import { identityWarnings, readIdentitySettings, type SettingOptions } from './destination-options.ts';
import { certificatesOf } from './identity-view.ts';
import { reportFindings, validateImport } from './import.ts';
import { readInputFiles } from './input.ts';
import { checkMutual, mutualCheckLines, type ReachOption, withRequireMutual } from './mutual-check.ts';
import { renewedText, runRenewal } from './renew.ts';
import { followToEnd, parseTimeout } from './rotate.ts';

export interface CompleteOptions extends WriteOptions, SettingOptions, ReachOption {
  readonly certificate: string;
  readonly chain?: readonly string[];
  readonly wait?: boolean;
  readonly timeout: string;
}

export async function completeIdentity(name: string, options: CompleteOptions, context: CommandContext): Promise<void> {
  requireName(name);
  const seconds = parseTimeout(options.timeout);
  const given = await readIdentitySettings(options, context.readInput);
  const inputs = await readInputFiles([options.certificate, ...(options.chain ?? [])], context.readInput);
  await requireNoKey(inputs);
  const store = await openStore(options, context);
  const { interrupted } = context;
  const state = await store.state(name);
  const request = await store.request(name);
  if (request === undefined) {
    throw refusal(
      'no-request',
      `No certificate request of "${name}" waits in ${store.place}. Make one with countersign identity csr, or import a key with its certificate.`,
    );
  }
  const isRotation = state?.pending?.version === request.for;
  if (state?.pending && !isRotation) {
    throw refusal(
      'rotation-under-way',
      `The request of "${name}" does not belong to the rotation under way. To cancel that rotation, see docs/rotation.md.`,
    );
  }
  if (isRotation && (given.destinations !== undefined || given.renewal !== undefined)) {
    throw refusal(
      'rotation-under-way',
      'A rotation replaces only the key and the certificates. Change destinations and renewal before it begins or after it ends.',
    );
  }
  const members = await membersToKeep(name, state, store, given.destinations !== undefined);
  const { destinations = members.destinations, renewal = members.renewal } = given;
  // If the certificate came without its chain, try the issuers of the chain in use.
  const issuers = certificatesOf(members).filter(({ role }) => role !== 'client');
  const pems = issuers.map(({ certificate }) => certificate.toString());
  const known = { name: 'the chain in use', bytes: Buffer.from(pems.join('')) };
  const key = { name: 'the request that waits', bytes: Buffer.from(request.privateKey) };
  const files = [key, ...inputs, ...(known.bytes.length > 0 ? [known] : [])];
  const validated = await validateImport(files, async () => undefined, { destinations, renewal }, context);
  if (!('document' in validated)) return reportFindings(name, validated, context);
  requireKeyOf(request, validated.document.privateKey);

  const whole = { ...members, ...validated.document };
  const added = given.destinations ?? [];
  const checks = await checkMutual(name, JSON.stringify(whole), added, options, context);
  const kept = added.length === 0 ? destinations : withRequireMutual(added, checks);
  const text = JSON.stringify({ ...whole, ...(kept === undefined ? {} : { destinations: kept }) });
  requireSize(text);
  interrupted.throwIfAborted();
  const { renewals } = store;
  if (isRotation) {
    context.output.progress(`Storing it for the rotation, in ${store.place}.`);
    if (renewals) return await renewWith(renewals);
    await goOn(name, request, text);
  } else {
    context.output.progress(`Storing it in ${store.place}.`);
    const activation = { instead: state?.holder, ...(store.rotations ? { version: request.for } : {}) };
    if ((await store.activate(name, text, activation)) === 'changed') throw changedMeanwhile(name);
    await store.deleteRequest(name, request.for);
  }
  const unreadable = isRotation ? undefined : await store.unreadable?.(name);
  const warnings = identityWarnings(kept, validated.warnings, unreadable, context.now());
  for (const { sentence } of warnings) context.output.warn(sentence);
  // `rotate` would start another rotation if this one has ended by now.
  if (isRotation && options.wait) return await followToEnd(name, request.for, 'trying', seconds, store, context);
  const { chain, notes } = validated;
  const { paint } = context.output;
  const outcome = isRotation ? 'rotation-resumed' : 'activated';
  const mutualChecks = checks.length > 0 ? { mutualChecks: checks } : {};
  context.output.answer(
    { identity: name, outcome, place: store.place, chain, ...mutualChecks, warnings, notes },
    () => [
      ...chain.map(
        ({ role, subject, validTo }) =>
          `  ${role.padEnd(12)}  ${escapeForTerminal(subject)}, to ${validTo.slice(0, 10)}`,
      ),
      ...mutualCheckLines(checks, paint),
      `${paint('green', '✓')} tested by handshakes over TLS 1.2 and TLS 1.3`,
      isRotation
        ? `${paint('green', '✓')} The rotation continues: countersign identity inspect ${name} shows its progress.`
        : `${paint('green', '✓')} "${name}" is in use in ${store.place}.`,
    ],
  );

  /** In a directory the command runs the rest of the renewal itself. */
  async function renewWith({ exclusively }: Renewals): Promise<void> {
    const renewed = await exclusively(name, { restarts: false }, async (versions, token) => {
      if (token !== request?.for) throw changedMeanwhile(name);
      const next = { version: token, document: text, stages: [stagingLabels.pending] };
      if ((await versions.put(name, next)) === 'exists') throw alreadyComplete(`renew ${name}`);
      context.output.progress('Testing it at the destinations.');
      return await runRenewal(name, versions, token, context);
    });
    context.output.answer({ identity: name, outcome: 'activated', place: store.place, ...renewed }, () => [
      `${context.output.paint('green', '✓')} "${name}" is ${renewedText(renewed)}.`,
    ]);
  }

  function alreadyComplete(verb: string): Error {
    return refusal(
      'already-complete',
      `The rotation of "${name}" has its certificate already. Continue it with countersign identity ${verb}.`,
    );
  }

  async function goOn(identity: string, { for: version }: PendingRequest, document: string): Promise<void> {
    if ((await store.rotations?.fill(identity, version, document)) === 'exists') {
      throw alreadyComplete(`rotate ${identity}`);
    }
    await store.rotations?.begin(identity, version);
  }
}

/** The sender of the files must not be able to replace the waiting key with his own. */
async function requireNoKey(files: readonly InputFile[]): Promise<void> {
  const [found] = (await readFiles(files, async () => undefined)).keys;
  if (found === undefined) return;
  throw refusal(
    'key-not-wanted',
    `${found.source} contains a private key. This command accepts only certificates, for the key that waits. To import a key with its certificate, use countersign identity import.`,
  );
}

/** A last check: only the waiting key can be put into use. */
function requireKeyOf({ privateKey }: PendingRequest, chosen: string): void {
  const [waiting, used] = [privateKey, chosen].map((pem) => publicKeyIdentifier(createPrivateKey(pem)));
  if (waiting !== used) throw new Error('The key of the document is not the key of the request.');
}
