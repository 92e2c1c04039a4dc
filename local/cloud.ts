// The local cloud, brought up in order and down again: what AWS would run, an authority, the demo API, the platform's identity.
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
  /** How long the functions keep an identity before they ask again; absent: as deployed. */
  readonly identityTtlSeconds?: number;
  /** Told what a function threw; `at` of the rotation function. */
  readonly onFailure: (functionName: string, reason: unknown, at?: FailedStep) => void;
  /** Whether the platform's identity is rotated on a schedule, where nobody has said otherwise; absent: it is. */
  readonly isScheduled?: boolean;
  /** Told of each step of a rotation that the function has taken. */
  readonly onStep?: (step: string, tookMs: number) => void;
}

export interface Cloud {
  readonly gatewayUrl: string;
  readonly secretsManagerUrl: string;
  readonly authorityUrl: string;
  readonly eventBusUrl: string;
  readonly secretId: string;
  readonly hosts: readonly RunningHost[];
  /** What was put on the event bus, oldest first. */
  readonly events: readonly BusEvent[];
  /** Open connections to a host of the demo API that were made with this client certificate. */
  openConnections(host: string, fingerprint256: string): number;
  /** Where the functions write their log lines and metrics. */
  readonly logFile: string;
  /** Sentences to print: what is wrong with the platform's identity, or peculiar to it. */
  readonly notices: readonly string[];
  /** Calls that the gateway has not answered yet. */
  callsUnderWay(): number;
  /** Lets the calls under way finish, then takes everything down in reverse order. */
  close(): Promise<void>;
}

/** Throws an Error whose message is a sentence; what was up by then is down again. */
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
    // While what their steps need is still there.
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
      // Whoever put it there can only mend it while Secrets Manager runs; calls say what is wrong with it.
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
