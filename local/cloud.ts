// The local cloud, brought up in order and down again: demo API, Secrets Manager, the platform's identity, the gateway.
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { defaults, platformIdentity } from '../functions/config.ts';
import { sendLinesTo } from '../functions/telemetry/line.ts';
import { openAuthorities } from './demo-api/authorities.ts';
import { type RunningHost, startDemoApi } from './demo-api/server.ts';
import { loadFunctions, localCredentials, localRegion, setEnvironment } from './gateway/functions.ts';
import { startGateway } from './gateway/server.ts';
import { storePlatformIdentity } from './platform-identity.ts';
import { startSecretsManager } from './secrets-manager/server.ts';
import { openFolder, openLog, stateFiles } from './state.ts';

export interface CloudOptions {
  readonly folder: string;
  /** 0 takes a free one; `api` is the first of the demo API's. */
  readonly ports: { readonly gateway: number; readonly secrets: number; readonly api: number };
  /** Told what a function threw. */
  readonly onFailure: (functionName: string, reason: unknown) => void;
}

export interface Cloud {
  readonly gatewayUrl: string;
  readonly secretsManagerUrl: string;
  readonly secretId: string;
  readonly hosts: readonly RunningHost[];
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
    await openFolder(options.folder);
    const authorities = await openAuthorities(files.authorities);
    const secrets = await up(startSecretsManager({ folder: files.secrets, port: options.ports.secrets }));
    setEnvironment(secrets.url);
    const { hosts } = await up(startDemoApi(authorities, options.ports.api));

    const secretId = `${defaults.secretPrefix}${platformIdentity}`;
    const client = new SecretsManagerClient({
      endpoint: secrets.url,
      region: localRegion,
      credentials: localCredentials,
    });
    const notices: string[] = [];
    const onNotice = (sentence: string) => notices.push(sentence);
    try {
      await storePlatformIdentity({ client, secretId, authorities, hosts, now: new Date(), onNotice });
    } catch (error) {
      // Whoever put it there can only mend it while Secrets Manager runs; calls say what is wrong with it.
      onNotice(error instanceof Error ? error.message : String(error));
    } finally {
      client.destroy();
    }

    const log = await up(openLog(files.log));
    sendLinesTo(log.write);
    const functions = await loadFunctions();
    const gateway = await up(startGateway({ functions, port: options.ports.gateway, onFailure: options.onFailure }));
    const { url: gatewayUrl, callsUnderWay } = gateway;
    const secretsManagerUrl = secrets.url;
    return { gatewayUrl, secretsManagerUrl, secretId, hosts, logFile: files.log, notices, callsUnderWay, close };
  } catch (error) {
    await close();
    throw error;
  }
}
