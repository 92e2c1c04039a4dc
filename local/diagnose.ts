// The door of `npm run diagnose`: where to ask, what to print, and the exit code.
import { resolve } from 'node:path';
import { variables } from '../functions/config.ts';
import { type DiagnoseOptions, diagnoseHelp, readDiagnoseOptions } from './diagnose-options.ts';
import {
  type DiagnosisQuestion,
  type DiagnosisResult,
  diagnoseHere,
  diagnoseInLocalCloud,
  diagnoseThroughGateway,
  withSource,
} from './diagnosis-call.ts';
import { diagnosisLines } from './diagnosis-text.ts';
import { painter } from './print.ts';
import { harmless, harmlessJson, harmlessly } from './terminal-text.ts';

const localGateway = 'http://127.0.0.1:8080';

process.stdout.on('error', () => process.exit(0));
process.exitCode = await main();
// Node would wait for connections that the SDK keeps open.
process.stdout.write('', () => process.exit());

/** @returns 0 when access is granted, 1 when it is not, 2 when the command line is wrong */
async function main(): Promise<number> {
  let options: DiagnoseOptions | undefined;
  try {
    options = readDiagnoseOptions(process.argv.slice(2));
  } catch (error) {
    return complain(error, 2);
  }
  if (!options) {
    print([diagnoseHelp]);
    return 0;
  }
  try {
    return show(await ask(options), options);
  } catch (error) {
    return complain(error, 1);
  }
}

async function ask({ url, identity, probe, timeoutMs, source, api }: DiagnoseOptions): Promise<DiagnosisResult> {
  const question: DiagnosisQuestion = {
    url,
    ...(probe === undefined ? {} : { probe: probe === 'none' ? false : { path: probe } }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
  if (api !== undefined) return diagnoseThroughGateway(api, identity, question);
  if (source !== undefined || process.env[variables.identitySource]) {
    return diagnoseHere(withSource(process.env, absolute(source)), identity, question);
  }
  return await diagnoseInLocalCloud(localGateway, identity, question);
}

/** `directory:` with a path as people type them. */
function absolute(source: string | undefined): string | undefined {
  const path = source?.startsWith('directory:') ? source.slice('directory:'.length) : undefined;
  return path ? `directory:${resolve(path)}` : source;
}

function show(result: DiagnosisResult, { isJson, url, identity }: DiagnoseOptions): number {
  const paint = painter(process.stdout.isTTY === true && !process.env.NO_COLOR);
  if (isJson) print([harmlessJson('diagnosis' in result ? result.diagnosis : result.failed)]);
  else if ('diagnosis' in result) {
    const { version } = harmlessly(result.diagnosis.identity);
    print([
      `${url} as ${identity}${version ? `, version ${version}` : ''}`,
      '',
      ...diagnosisLines(result.diagnosis, paint),
    ]);
  } else {
    const { code, detail, hint } = harmlessly(result.failed);
    print([`${paint('red', code)}: ${detail}`, hint]);
  }
  return 'diagnosis' in result && result.diagnosis.verdict === 'access-granted' ? 0 : 1;
}

function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

function complain(error: unknown, code: number): number {
  const { message, code: reason } = error as NodeJS.ErrnoException;
  const missing = reason === 'ERR_MODULE_NOT_FOUND' && /Cannot find package '([^']+)'/.exec(message)?.[1];
  console.error(
    missing
      ? `The package ${missing} is not installed: run npm ci first.`
      : message.split('\n').map(harmless).join('\n'),
  );
  return code;
}
