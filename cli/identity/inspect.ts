// `identity inspect`: prints one version of an identity and the state of its rotation.
import type { CommandContext } from '../context.ts';
import { exitCodes, refusal, usageError } from '../exit-code.ts';
import type { IdentityState, StageName } from '../store/identity-store.ts';
import { openStore } from '../store/open-store.ts';
import type { StoreOptions } from '../store/store-options.ts';
import { requireIdentity } from './change.ts';
import { identityLines, identityView } from './identity-view.ts';

export interface InspectOptions extends StoreOptions {
  readonly stage?: string;
}

const stages: Readonly<Record<string, StageName>> = {
  current: 'AWSCURRENT',
  pending: 'AWSPENDING',
  previous: 'AWSPREVIOUS',
};

/** Ends with 1 if the identity cannot be used. */
export async function inspectIdentity(name: string, options: InspectOptions, context: CommandContext): Promise<void> {
  const stage = Object.hasOwn(stages, options.stage ?? 'current') ? stages[options.stage ?? 'current'] : undefined;
  if (stage === undefined) throw usageError('--stage must be current, pending or previous.');
  const store = await openStore(options, context);
  const state = await requireIdentity(name, store);
  const stored = stage === 'AWSCURRENT' && !state.hasCurrent ? undefined : await store.read(name, stage);
  const hasRequest = (await store.request(name)) !== undefined;
  if (stored === undefined) {
    const instead = hasRequest ? ' A certificate request waits: countersign identity csr shows it.' : '';
    throw refusal('no-version', `"${name}" has nothing at ${stage}.${instead}`);
  }
  const view = identityView(name, stage, stored, context.now());
  const { paint } = context.output;
  context.output.answer({ identity: name, place: state.place, ...view, ...stateOf(state, hasRequest) }, () => [
    `${paint('bold', name)}  ${state.place}`,
    ...identityLines(view, paint),
    'Rotation',
    ...rotationLines(state, hasRequest, view.renewal !== undefined).map((line) => `  ${line}`),
  ]);
  if (!view.isUsable) context.end(exitCodes.refused);
}

function stateOf({ hasPrevious, pending, rotation }: IdentityState, hasRequest: boolean): object {
  return { hasPrevious, pending: pending ?? null, hasRequest, ...(rotation === undefined ? {} : { rotation }) };
}

function rotationLines(
  { hasPrevious, pending, rotation }: IdentityState,
  hasRequest: boolean,
  hasRenewal: boolean,
): readonly string[] {
  const { isEnabled, lastAt, nextAt } = rotation ?? {};
  return [
    rotation === undefined
      ? hasRenewal
        ? 'by countersign identity renew'
        : 'by hand: no renewal is set'
      : isEnabled
        ? `enabled${lastAt ? `, last on ${lastAt.slice(0, 10)}` : ''}${nextAt ? `, next by ${nextAt.slice(0, 10)}` : ''}`
        : 'not enabled',
    ...(pending === undefined
      ? []
      : [
          `under way: version ${pending.version} ${pending.hasValue ? 'has its certificate and is tested' : 'has no certificate yet'}`,
        ]),
    ...(hasRequest ? ['a certificate request waits: countersign identity csr'] : []),
    hasPrevious ? 'the version before is kept: countersign identity rollback' : 'there is no version to roll back to',
  ];
}
