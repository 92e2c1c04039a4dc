// Exit codes, and the errors that set them.
import { CommanderError } from 'commander';
import type { CountersignError, ErrorCode } from '../core/errors.ts';

/** docs/command.md has the same table; a test compares them. */
export const exitCodes = {
  /** Done, or the answer is yes. */
  done: 0,
  /** The answer is no, or the request was refused and nothing was changed. */
  refused: 1,
  /** The command line or the environment is wrong. Nothing was sent. */
  usage: 2,
  /** There is no answer: the peer could not be reached, or did not finish. */
  unavailable: 3,
  /** `invoke --fail`: the API answered with a status of 400 or more. The same code as curl's. */
  httpError: 22,
  /** A defect of Countersign (EX_SOFTWARE of sysexits.h). */
  defect: 70,
  /** Ctrl-C: 128 and the number of the signal. */
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** An error to throw. `code` is for programs (--json), `sentence` for people. Neither contains secrets. */
export function refusal(code: string, sentence: string): CommanderError {
  return new CommanderError(exitCodes.refused, code, sentence);
}

export function usageError(sentence: string): CommanderError {
  return new CommanderError(exitCodes.usage, 'usage', sentence);
}

export function unavailable(code: string, sentence: string): CommanderError {
  return new CommanderError(exitCodes.unavailable, code, sentence);
}

export function interruption(): CommanderError {
  return new CommanderError(exitCodes.interrupted, 'interrupted', 'Interrupted.');
}

const byErrorCode: Partial<Record<ErrorCode, ExitCode>> = {
  'invalid-request': exitCodes.usage,
  'identity-unavailable': exitCodes.unavailable,
  'issuer-unavailable': exitCodes.unavailable,
  'announcement-failed': exitCodes.unavailable,
  'too-busy': exitCodes.unavailable,
  'internal-error': exitCodes.defect,
};

/** The exit code for an error of core/errors.ts: 1 unless the table has another. */
export function exitCodeOf(error: CountersignError): ExitCode {
  return byErrorCode[error.code] ?? exitCodes.refused;
}
