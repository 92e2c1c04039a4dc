// Starts and stops the local cloud: the AWS services, an authority, the demo API, and the platform's identity.
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { defaults, platformIdentity } from '../core/settings.ts';
import { telemetry } from '../functions/telemetry.ts';
import { startAuthority } from './authority/server.ts';
import { openLocalConsole } from './console.ts';
import { openAuthorities } from './demo-api/authorities.ts';
import { type RunningHost, startDemoApi } from './demo-api/server.ts';
import type { BusEvent } from './event-bus/event.ts';
import { startEventBus } from './event-bus/server.ts';
import {
  loadFunctions,
  loadRotationFunction,
  localCredentials,
  localRegion,
  setEnvironment,
} from './gateway/functions.ts';
import { startGateway } from './gateway/server.ts';
import { storePlatformIdentity } from './platform-identity.ts';
import type { Ports } from './program.ts';
import { createRotation, currentFingerprint, type FailedStep, scheduleRotation } from './rotation.ts';
import { startSecretsManager } from './secrets-manager/server.ts';
import { openFolder, openLog, stateFiles } from './state.ts';

export interface CloudOptions {
  readonly folder: string;
  /** 0 takes a free one. */
  readonly ports: Ports;
  /** Seconds after which functions read an identity again; absent: as deployed. */
  readonly identityTtlSeconds?: number;
  /** Called when a function throws; `at` only for the rotation function. */
  readonly onFailure: (functionName: string, reason: unknown, at?: FailedStep) => void;
  /** Whether the platform's identity gets a rotation schedule if it has none; absent: true. */
  readonly isScheduled?: boolean;
  /** Called after each successful step of a rotation. */
  readonly onStep?: (step: string, tookMs: number) => void;
}

export interface Cloud {
  readonly gatewayUrl: string;
  readonly secretsManagerUrl: string;
  readonly authorityUrl: string;
  readonly eventBusUrl: string;
  readonly secretId: string;
  readonly hosts: readonly RunningHost[];
  /** Events of the bus, oldest first. */
  readonly events: readonly BusEvent[];
  /** Number of open connections to a demo host with this client certificate. */
  openConnections(host: string, fingerprint256: string): number;
  /** Log lines and metrics of the functions. */
  readonly logFile: string;
  /** Sentences to print about the platform's identity. */
  readonly notices: readonly string[];
  /** Number of calls that the gateway has not answered yet. */
  callsUnderWay(): number;
  /** Finishes the calls in progress, then stops everything in reverse order. */
  close(): Promise<void>;
}

/** Throws a one-sentence Error after stopping the parts that had started. */
export async function startCloud(options: CloudOptions): Promise<Cloud> {
  const running: { close(): Promise<void> }[] = [];
  const up = async <Part extends { close(): Promise<void> }>(starting: Promise<Part>): Promise<Part> => {
    const part = await starting;
    running.unshift(part);
    return part;
  };
  const close = async () => {
    for (const part of running.splice(0)) await part.close();
  };
  try {
    const files = stateFiles(options.folder);
    const { ports, identityTtlSeconds } = options;
    await openFolder(options.folder);
    const authorities = await openAuthorities(files.authorities);
    const rotation = createRotation(options);
    const { rotationFunctions } = rotation;
    const secrets = await startSecretsManager({ folder: files.secrets, port: ports.secrets, rotationFunctions });
    const endRotations = () => rotation.end(secrets);
    running.unshift({ close: () => endRotations().then(secrets.close) });
    const log = await up(openLog(files.log));
    telemetry.write = log.write;
    const bus = await up(startEventBus({ file: files.events, port: ports.events }));
    const authority = await up(startAuthority({ authority: authorities.platform, port: ports.authority }));
    const api = await up(startDemoApi(authorities, ports.api));
    // Rotations end before the parts that their steps need.
    running.unshift({ close: endRotations });
    setEnvironment({ secretsManagerUrl: secrets.url, eventBusUrl: bus.url, identityTtlSeconds });

    const { hosts } = api;
    const secretId = `${defaults.secretPrefix}${platformIdentity}`;
    const client = new SecretsManagerClient({
      endpoint: secrets.url,
      region: localRegion,
      credentials: localCredentials,
    });
    running.push({ close: async () => client.destroy() });
    const notices: string[] = [];
    const onNotice = (sentence: string) => notices.push(sentence);
    const place = { client, secretId, authorities, hosts, authorityUrl: authority.url, now: new Date(), onNotice };
    try {
      await storePlatformIdentity(place);
    } catch (error) {
      // Continue: the user can only correct the identity while Secrets Manager runs, and calls report the fault.
      onNotice(error instanceof Error ? error.message : String(error));
    }

    const functions = await loadFunctions();
    rotation.serve(await loadRotationFunction());
    const current = await currentFingerprint(client, secretId);
    if (current) api.pinClient(current);
    if (options.isScheduled ?? true) await scheduleRotation(client, secretId);
    const console = openLocalConsole(client, bus.events);
    const { onFailure } = options;
    const gateway = await up(startGateway({ functions, port: ports.gateway, onFailure, console }));
    return {
      gatewayUrl: gateway.url,
      secretsManagerUrl: secrets.url,
      authorityUrl: authority.url,
      eventBusUrl: bus.url,
      secretId,
      hosts,
      events: bus.events,
      openConnections: api.openConnections,
      logFile: files.log,
      notices,
      callsUnderWay: gateway.callsUnderWay,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
