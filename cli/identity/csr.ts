// `identity csr`: prints the certificate request that waits for a signature, or makes a key and its request.
import { X509Certificate } from 'node:crypto';
import { CountersignError } from '../../core/errors.ts';
import { type KeyAlgorithm, keyAlgorithms } from '../../core/identity/renewal.ts';
import { certificateRequest, keyAlgorithmOf, newPrivateKey } from '../../core/issuers/certificate-request.ts';
import { readCertificateRequest } from '../../core/x509/certificate.ts';
import { readName } from '../../core/x509/distinguished-name.ts';
import { canonicalPem } from '../../core/x509/pem.ts';
import type { CommandContext } from '../context.ts';
import { refusal, usageError } from '../exit-code.ts';
import type { IdentityState, IdentityStore, PendingRequest } from '../store/identity-store.ts';
import { openStore, type WriteOptions } from '../store/open-store.ts';
import { requireName } from './change.ts';
import { parseMembers } from './identity-view.ts';

export interface CsrOptions extends WriteOptions {
  readonly subject?: string;
  readonly name?: readonly string[];
  readonly key?: string;
  readonly reuseKey?: boolean;
  readonly new?: boolean;
}

/** Only the request, which is public, goes to stdout. Its key stays in the store. */
export async function showRequest(name: string, options: CsrOptions, context: CommandContext): Promise<void> {
  requireName(name);
  const algorithm = algorithmFrom(options.key);
  const store = await openStore(options, context);
  void context.interrupted;
  const state = await store.state(name);
  const waiting = await store.request(name);
  const kept = options.new ? undefined : waiting;
  if (kept !== undefined && isAsking(options)) {
    throw refusal(
      'request-waits',
      `A request of "${name}" waits already and cannot be changed. Print it without options, or replace it and its key with --new.`,
    );
  }
  // A rotation continues with the request that it made.
  if (options.new && state?.pending !== undefined) {
    throw refusal(
      'rotation-under-way',
      `A rotation of "${name}" waits for this request. Cancel the rotation first (docs/rotation.md).`,
    );
  }
  const made = kept === undefined;
  const { certificateRequest: text } =
    kept ?? (await makeRequest(name, state, { ...options, algorithm, givesUp: waiting }, store, context));
  const subject = subjectOf(text);
  const key = options.reuseKey ? 'The current key is used' : 'A new key is stored';
  context.output.progress(
    made ? `${key} in ${store.place}. This is its certificate request.` : `This request waits in ${store.place}.`,
  );
  context.output.progress(
    `Have it signed for client authentication, then: countersign identity complete ${name} --certificate FILE`,
  );
  if (context.isJson)
    context.output.answer({ identity: name, place: store.place, made, subject, certificateRequest: text }, () => []);
  else context.output.raw(text);
}

function isAsking({ subject, name = [], key, reuseKey }: CsrOptions): boolean {
  return subject !== undefined || name.length > 0 || key !== undefined || reuseKey === true;
}

async function makeRequest(
  name: string,
  state: IdentityState | undefined,
  options: CsrOptions & { readonly algorithm: KeyAlgorithm | undefined; readonly givesUp: PendingRequest | undefined },
  store: IdentityStore,
  context: CommandContext,
): Promise<{ certificateRequest: string }> {
  if (state?.rotation?.isEnabled) {
    const renewal = `"${name}" is rotated by Secrets Manager, and no request waits`;
    throw refusal('no-request', `${renewal}. Start a rotation with countersign identity rotate ${name}.`);
  }
  const members = state?.hasCurrent ? await membersInUse(name, options.subject !== undefined, store) : {};
  const currentKey = typeof members.privateKey === 'string' ? members.privateKey : undefined;
  const like = readable(members.certificate);
  if (options.reuseKey && currentKey === undefined) throw usageError('--reuse-key needs a current key.');
  if (!options.reuseKey) context.output.progress('Making a key.');
  const kind = options.algorithm ?? keyAlgorithmOf(currentKey ?? '') ?? 'EC_P256';
  const privateKey = options.reuseKey && currentKey ? currentKey : await newPrivateKey(kind);
  const text = certificateRequest({
    privateKey,
    subject: options.subject ?? (like === undefined ? `CN=${name}` : undefined),
    names: options.name,
    like,
  });
  context.interrupted.throwIfAborted();
  // Only now, when nothing else can fail: the old key cannot be restored.
  if (options.givesUp !== undefined) await store.deleteRequest(name, options.givesUp.for);
  if ((await store.saveRequest(name, { privateKey, certificateRequest: text })) === 'kept')
    return { certificateRequest: text };
  throw refusal(
    'changed-meanwhile',
    `Another request of "${name}" was made at the same moment. Run the command again to print it.`,
  );
}

/**
 * The stored identity can be unusable, which the new certificate will repair. With a subject nothing of it is needed.
 */
async function membersInUse(
  name: string,
  hasSubject: boolean,
  store: IdentityStore,
): Promise<Readonly<Record<string, unknown>>> {
  try {
    return parseMembers((await store.read(name, 'AWSCURRENT'))?.document ?? '');
  } catch (thrown) {
    if (!hasSubject || !(thrown instanceof CountersignError) || thrown.code !== 'identity-unusable') throw thrown;
    return {};
  }
}

function algorithmFrom(text: string | undefined): KeyAlgorithm | undefined {
  if (text === undefined) return undefined;
  const found = keyAlgorithms.find((one) => one === text.toUpperCase());
  if (found) return found;
  throw usageError(`--key must be one of ${keyAlgorithms.join(', ')}.`);
}

function readable(pem: unknown): string | undefined {
  try {
    return new X509Certificate(canonicalPem(String(pem))).toString();
  } catch {
    return undefined;
  }
}

function subjectOf(request: string): string {
  const fields = readCertificateRequest(request);
  return fields === undefined ? '' : readName(fields.subject).text;
}
