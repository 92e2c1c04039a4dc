// `identity complete`: the certificate that came back joins the key that waits for it, is proved like an import, and goes into use.
import { createPrivateKey } from 'node:crypto';
import { escapeForTerminal } from '../../core/escape-for-terminal.ts';
import { publicKeyIdentifier } from '../../core/x509/keys.ts';
import type { CommandContext } from '../context.ts';
import { refusal } from '../exit-code.ts';
import type { InputFile } from '../import/contents.ts';
import { readFiles } from '../import/read-files.ts';
import type { KeptRequest } from '../store/identity-store.ts';
import { openStore, type WriteOptions } from '../store/open-store.ts';
import { carriedOver, requireName, requireSize, wasChanged } from './change.ts';
import { certificatesOf } from './described.ts';
import { readInputFiles } from './input-files.ts';
import { judgedIdentity, refuse } from './judged.ts';
import { followToEnd, secondsFrom } from './rotate.ts';
import { allWarnings, noRenewal, type SettingOptions, settingsFrom } from './settings.ts';

export interface CompleteOptions extends WriteOptions, SettingOptions {
  readonly certificate: string;
  readonly chain?: readonly string[];
  readonly wait?: boolean;
  readonly timeout: string;
}

export async function completeIdentity(name: string, options: CompleteOptions, context: CommandContext): Promise<void> {
  requireName(name);
  const seconds = secondsFrom(options.timeout);
  const given = await settingsFrom(options);
  const inputs = await readInputFiles([options.certificate, ...(options.chain ?? [])]);
  await requireNoKey(inputs);
  const store = await openStore(options, context);
  if (given.renewal !== undefined && !store.keepsRenewal) throw noRenewal();
  const { interrupted } = context;
  const state = await store.look(name);
  const request = await store.request(name);
  if (request === undefined) {
    throw refusal(
      'no-request',
      `No request of "${name}" waits in ${store.place}: countersign identity csr makes one, import takes a key and its certificate.`,
    );
  }
  const isRotation = state?.pending?.version === request.for;
  if (state?.pending && !isRotation) {
    throw refusal(
      'rotation-under-way',
      `The request of "${name}" is not the one that the rotation under way waits for (docs/rotation.md says how that one is given up).`,
    );
  }
  if (isRotation && (given.destinations !== undefined || given.renewal !== undefined)) {
    throw refusal(
      'rotation-under-way',
      'A rotation replaces the key and the certificates and nothing else, and would be refused at its end: say where it may go and how it is renewed before it begins, or afterwards.',
    );
  }
  const members = await carriedOver(name, state, store, given.destinations !== undefined);
  const { destinations = members.destinations, renewal = members.renewal } = given;
  // Where the authority left its chain out, the one in use may lead there.
  const issuers = certificatesOf(members).filter(({ role }) => role !== 'client');
  const pems = issuers.map(({ certificate }) => certificate.toString());
  const known = { name: 'the chain in use', bytes: Buffer.from(pems.join('')) };
  const key = { name: 'the request that waits', bytes: Buffer.from(request.privateKey) };
  const files = [key, ...inputs, ...(known.bytes.length > 0 ? [known] : [])];
  const judged = await judgedIdentity(files, async () => undefined, { destinations, renewal }, context);
  if (!('document' in judged)) return refuse(name, judged, context);
  requireKeyOf(request, judged.document.privateKey);

  const text = JSON.stringify({ ...members, ...judged.document });
  requireSize(text);
  interrupted.throwIfAborted();
  if (isRotation) {
    context.output.progress(`Putting it in for the rotation, in ${store.place}.`);
    await goOn(name, request, text);
  } else {
    context.output.progress(`Storing it in ${store.place}.`);
    const activation = { instead: state?.holder, ...(store.rotations ? { version: request.for } : {}) };
    if ((await store.activate(name, text, activation)) === 'changed') throw wasChanged(name);
    await store.dropRequest(name, request.for);
  }
  const unreadable = isRotation ? undefined : await store.unreadable?.(name);
  const warnings = allWarnings(destinations, judged.warnings, unreadable);
  for (const { sentence } of warnings) context.output.warn(sentence);
  // Not by `rotate`, which would begin another one where this one has ended by then.
  if (isRotation && options.wait) return await followToEnd(name, request.for, 'trying', seconds, store, context);
  const { chain, notes } = judged;
  const { paint } = context.output;
  const outcome = isRotation ? 'rotation-resumed' : 'activated';
  context.output.answer({ identity: name, outcome, place: store.place, chain, warnings, notes }, () => [
    ...chain.map(
      ({ role, subject, validTo }) => `  ${role.padEnd(12)}  ${escapeForTerminal(subject)}, to ${validTo.slice(0, 10)}`,
    ),
    `${paint('green', '✓')} proved by handshakes over TLS 1.2 and TLS 1.3`,
    isRotation
      ? `${paint('green', '✓')} The rotation goes on with it: countersign identity inspect ${name} shows how far it is.`
      : `${paint('green', '✓')} "${name}" is in use in ${store.place}.`,
  ]);

  async function goOn(identity: string, { for: version }: KeptRequest, document: string): Promise<void> {
    if ((await store.rotations?.fill(identity, version, document)) === 'exists') {
      throw refusal(
        'already-complete',
        `The rotation of "${identity}" has its certificate already, and a value stays: countersign identity rotate ${identity} goes on with it.`,
      );
    }
    await store.rotations?.begin(identity, version);
  }
}

/** Whoever sent the files must not choose the key: it would be his, and the one that waits would be gone. */
async function requireNoKey(files: readonly InputFile[]): Promise<void> {
  const [found] = (await readFiles(files, async () => undefined)).keys;
  if (found === undefined) return;
  throw refusal(
    'key-not-wanted',
    `There is a private key in ${found.source}, and what an authority sends back has none: only certificates are taken here, for the key that waits. countersign identity import takes a key and its certificate.`,
  );
}

/** Whatever the files hold and however they are read: nothing but the key that waits is put into use. */
function requireKeyOf({ privateKey }: KeptRequest, chosen: string): void {
  const [waiting, used] = [privateKey, chosen].map((pem) => publicKeyIdentifier(createPrivateKey(pem)));
  if (waiting !== used) throw new Error('Another key than that of the request would be put into use.');
}
