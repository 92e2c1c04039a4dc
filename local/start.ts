// The entry point of `npm start` and `npm run demo`.
import { openly } from '../cli/api/access.ts';
import { openOverHttp } from '../cli/api/over-http.ts';
import { diagnosisLines } from '../cli/diagnosis-text.ts';
import { platformIdentity, variables } from '../core/settings.ts';
import type { Cloud } from './cloud.ts';
import { callThroughGateway, invocationOf } from './demo-call.ts';
import {
  callLines,
  diagnoseLine,
  failedStepLine,
  type HostOutcome,
  linesToTry,
  outcomeTable,
  places,
} from './print.ts';
import { complain, helpText, openProgram, readOptions, type StartOptions, temporaryFolder } from './program.ts';
import type { FailedStep } from './rotation.ts';

const { paint, signal } = openProgram();

process.exit(await main());

/** @returns the exit code: 0, 1 if the start fails, 2 for wrong options */
async function main(): Promise<number> {
  let options: StartOptions;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    return complain(error, 2);
  }
  if (options.wantsHelp) {
    print([helpText]);
    return 0;
  }
  if ((process.env[variables.identitySource] || 'secrets-manager') !== 'secrets-manager') {
    const sentence = `The local cloud reads identities from its own Secrets Manager alone: unset ${variables.identitySource}.`;
    return complain(new Error(sentence), 2);
  }
  try {
    return await serve(options, options.folder ?? temporaryFolder('countersign-demo-'));
  } catch (error) {
    return complain(error, 1);
  }
}

async function serve({ isDemo, ports }: StartOptions, folder: string): Promise<number> {
  const { startCloud } = await import('./cloud.ts');
  const onFailure = (name: string, reason: unknown, at?: FailedStep) =>
    at ? console.error(failedStepLine(at, reason)) : console.error(`${name} failed:`, reason);
  const cloud = await startCloud({ folder, ports, isScheduled: !isDemo, onFailure });
  try {
    print(['', ...places(cloud, isDemo ? undefined : folder, paint)]);
    if (cloud.notices.length > 0) print(['', ...cloud.notices]);
    const isGranted = await showCall(cloud);
    if (isDemo) return (await showFailures(cloud)) && isGranted ? 0 : 1;
    print(['', 'To try, in another terminal:', '', ...linesToTry(cloud, paint), '', 'Ctrl-C stops it.']);
    await stopped();
    const calls = cloud.callsUnderWay();
    if (calls > 0) {
      print([`Waiting up to 5 s for ${calls} call${calls === 1 ? '' : 's'}; Ctrl-C again ends it at once.`]);
    }
    return 0;
  } finally {
    await cloud.close();
  }
}

/** @returns whether access was granted */
async function showCall(cloud: Cloud): Promise<boolean> {
  const [healthy] = cloud.hosts;
  if (!healthy) return false;
  const invocation = invocationOf(healthy);
  const result = await callThroughGateway(cloud.gatewayUrl, invocation);
  print([
    '',
    `One call through all of it: GET ${(invocation as { url: string }).url}`,
    '',
    ...callLines(result, paint),
  ]);
  if ('failed' in result) return false;
  const isDiagnosed = await showDiagnosis(cloud);
  return isDiagnosed && result.answered.status === 200;
}

/** Prints a diagnosis as `npm run diagnose` does. @returns whether access was granted */
async function showDiagnosis(cloud: Cloud): Promise<boolean> {
  const [healthy] = cloud.hosts;
  const url = `https://${healthy?.host}:${healthy?.port}`;
  const result = await openOverHttp(new URL(cloud.gatewayUrl), openly).diagnose(platformIdentity, { url });
  if ('problem' in result) return false;
  print(['', `The same host diagnosed: ${diagnoseLine(cloud, url)}`, '', ...diagnosisLines(result.answer, paint)]);
  return result.answer.verdict === 'access-granted';
}

/** @returns whether every host failed as it should */
async function showFailures(cloud: Cloud): Promise<boolean> {
  const outcomes: HostOutcome[] = [];
  for (const host of cloud.hosts.filter((candidate) => candidate.expected)) {
    if (signal.aborted) break;
    const result = await callThroughGateway(cloud.gatewayUrl, invocationOf(host));
    const { code, step } = 'failed' in result ? result.failed : { code: 'access granted', step: undefined };
    const isExpected = code === host.expected?.code && step === host.expected.step;
    outcomes.push({ host, code, step, isExpected });
  }
  print(['', 'And one call for each way to fail:', '', ...outcomeTable(outcomes, paint), '']);
  return outcomes.every(({ isExpected }) => isExpected);
}

function stopped(): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  // Signal handlers do not keep the process alive; the servers do.
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.map((line) => line.trimEnd()).join('\n')}\n`);
}
