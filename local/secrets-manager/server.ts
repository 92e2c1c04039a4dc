// A Secrets Manager on loopback: AWS's API for the real SDK and the AWS CLI, its secrets kept in a folder.
import { isLoopback } from '../../listener/loopback.ts';
import { AwsError } from '../aws-protocol/aws-error.ts';
import { startAwsServer } from '../aws-protocol/server.ts';
import { actionNamed } from './actions.ts';
import { removeGone } from './delete.ts';
import type { Context } from './lookup.ts';
import type { RotationFunctions } from './rotation.ts';
import { type Rotations, type RotationsOptions, startRotations } from './rotation-run.ts';
import { openStore } from './store.ts';

export interface SecretsManagerOptions {
  /** Made when it is not there; private to the user (0700, files 0600), and to one server at a time. */
  readonly folder: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Must be loopback: whoever can connect can read every secret. */
  readonly host?: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Goes into the ARNs of new secrets. */
  readonly region?: string;
  /** Absent: there are none. */
  readonly rotationFunctions?: RotationFunctions;
  /** How rotations are timed; tests pass theirs. */
  readonly rotationTiming?: Pick<RotationsOptions, 'delaysMs' | 'wait'>;
}

export interface SecretsManager {
  /** For AWS_ENDPOINT_URL_SECRETS_MANAGER and `aws --endpoint-url`. */
  readonly url: string;
  /** Begins no further step of a rotation, and waits for the one under way; `close` does so too. */
  endRotations(): Promise<void>;
  /** Finishes what was begun, then lets go of the port and the folder. */
  close(): Promise<void>;
}

/** How often expired secrets are looked for. */
const sweepMs = 60_000;

/** A value of 64 KiB, each byte escaped as six characters, fits with room to spare. */
const maxBodyBytes = 1024 * 1024;

/**
 * Starts it, or throws an Error of one sentence for whoever started it: a folder or a state file that cannot be used, a
 * folder or a port that is taken.
 *
 * What it is not: it verifies no signature (requests must carry one of the right form, any credentials will do), knows
 * one account, encrypts nothing (the key of a file's encryption would lie beside it) and has no replicas and no
 * resource policies. It logs nothing.
 */
export async function startSecretsManager(options: SecretsManagerOptions): Promise<SecretsManager> {
  const { folder, port, host = '127.0.0.1', now = Date.now, region = 'us-east-1' } = options;
  if (!isLoopback(host)) {
    throw new Error(`The Secrets Manager listens on loopback only, and ${host} is not a loopback address.`);
  }
  const store = await openStore(folder);
  const { rotationFunctions = () => undefined } = options;
  let rotations: Rotations | undefined;
  const context: Context = { store, now, region, rotationFunctions, wakeRotations: () => rotations?.wake() };
  let nextSweep = Number.NEGATIVE_INFINITY;

  async function sweep(): Promise<void> {
    if (now() < nextSweep) return;
    nextSweep = now() + sweepMs;
    await removeGone(context);
  }

  const server = await startAwsServer({
    service: { target: 'secretsmanager', signingName: 'secretsmanager', maxBodyBytes },
    actionNamed(name) {
      const action = actionNamed(name);
      return async (body) => {
        await sweep();
        return action(body, context);
      };
    },
    internalError,
    port,
    host,
    what: 'Secrets Manager',
    option: '--secrets-port',
  }).catch(async (error) => {
    await store.close();
    throw error;
  });
  // Not before it listens: the first step of a rotation that is taken up again calls back at once.
  rotations = startRotations({ context, ...options.rotationTiming });

  async function stop(): Promise<void> {
    await rotations?.close();
    await server.close();
    await store.close();
  }

  let stopped: Promise<void> | undefined;
  return {
    url: server.url,
    endRotations: async () => rotations?.close(),
    close() {
      stopped ??= stop();
      return stopped;
    },
  };
}

function internalError(cause: unknown): AwsError {
  return new AwsError('InternalServiceError', 'Something unexpected happened inside the local Secrets Manager.', {
    cause,
  });
}
