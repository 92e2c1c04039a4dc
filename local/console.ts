// The console of the local cloud: identities, rotations and events from the local services.
import {
  DescribeSecretCommand,
  type DescribeSecretCommandOutput,
  InvalidRequestException,
  ResourceNotFoundException,
  RotateSecretCommand,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { type Console, openConsole, type Rotations } from '../console/console.ts';
import { createRecentVerdicts } from '../console/recent-verdicts.ts';
import type { EventState, RotationState } from '../console/state.ts';
import { secretsManagerSource } from '../core/identity/secrets-manager.ts';
import { defaults, eventSource, identityNamePattern } from '../core/settings.ts';
import { secretList } from '../core/versions/secret-list.ts';
import type { BusEvent } from './event-bus/event.ts';

const prefix = defaults.secretPrefix;
const mostRejections = 10;

/** After setEnvironment, which the source and the list read. `events` has the oldest first. */
export function openLocalConsole(client: SecretsManagerClient, events: readonly BusEvent[]): Console {
  const secrets = secretList(prefix);
  return openConsole({
    place: 'local-cloud',
    source: secretsManagerSource({ prefix }),
    stages: ['AWSCURRENT', 'AWSPENDING', 'AWSPREVIOUS'],
    names: async () => (await secrets.all()).map(({ name }) => name),
    verdicts: createRecentVerdicts(),
    rotations: rotationsOf(client),
    events: () => events.flatMap((event) => eventState(event) ?? []).reverse(),
  });
}

function rotationsOf(client: SecretsManagerClient): Rotations {
  const describe = async (name: string) => {
    if (!identityNamePattern.test(name)) return undefined;
    try {
      return await client.send(new DescribeSecretCommand({ SecretId: `${prefix}${name}` }));
    } catch (thrown) {
      if (thrown instanceof ResourceNotFoundException) return undefined;
      throw thrown;
    }
  };
  return {
    async state(name) {
      const secret = await describe(name);
      return secret && rotationState(secret);
    },
    async begin(name) {
      const secret = await describe(name);
      if (!secret?.RotationEnabled) return 'not-set-up';
      if (isUnderWay(secret)) return 'under-way';
      try {
        await client.send(new RotateSecretCommand({ SecretId: `${prefix}${name}` }));
        return 'begun';
      } catch (thrown) {
        // Another client has started one meanwhile.
        if (thrown instanceof InvalidRequestException) return 'under-way';
        throw thrown;
      }
    },
  };
}

function rotationState(secret: DescribeSecretCommandOutput): RotationState {
  const { RotationEnabled = false, RotationRules, NextRotationDate, LastRotatedDate } = secret;
  const schedule = RotationRules?.ScheduleExpression;
  return {
    isEnabled: RotationEnabled,
    isUnderWay: isUnderWay(secret),
    ...(schedule !== undefined && { schedule }),
    ...(NextRotationDate && { nextAt: NextRotationDate.toISOString() }),
    ...(LastRotatedDate && { lastAt: LastRotatedDate.toISOString() }),
  };
}

function isUnderWay({ VersionIdsToStages = {} }: DescribeSecretCommandOutput): boolean {
  return Object.values(VersionIdsToStages).some(
    (stages) => stages.includes('AWSPENDING') && !stages.includes('AWSCURRENT'),
  );
}

/** Undefined for events of other sources. */
function eventState({ id, time, source, detail, 'detail-type': type }: BusEvent): EventState | undefined {
  const { identity, rejectedBy } = detail as { identity?: unknown; rejectedBy?: unknown };
  if (source !== eventSource || typeof identity !== 'string') return undefined;
  const hosts = Array.isArray(rejectedBy)
    ? rejectedBy.slice(0, mostRejections).flatMap((one) => placeOf(one) ?? [])
    : [];
  return { id, time, type, identity, ...(hosts.length > 0 && { rejectedBy: hosts }) };
}

function placeOf(rejection: { readonly host?: unknown; readonly port?: unknown } | null): string | undefined {
  return typeof rejection?.host === 'string' ? `${rejection.host}:${rejection.port}` : undefined;
}
