// The API that a verb asks: use cases in this process, or an API over HTTP.
import type { Diagnosis } from '../../core/diagnosis/diagnosis.ts';
import { escapeForTerminal } from '../../core/escape-for-terminal.ts';
import type { InvocationResult } from '../../core/invocation/answer.ts';
import type { routes } from '../../core/settings.ts';
import type { CommandContext } from '../context.ts';

/** docs/api.md, "The diagnosis". */
interface DiagnosisQuestion {
  readonly url: string;
  readonly probe?: { readonly path: string } | false;
  readonly timeoutMs?: number;
}

/** docs/api.md, "The request". */
interface InvocationQuestion {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
  readonly bodyBase64?: string;
  readonly timeoutMs?: number;
  readonly requireMutual?: boolean;
}

/** A problem document (RFC 9457), with the members that docs/errors.md describes. */
export interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly title?: string | undefined;
  readonly hint?: string | undefined;
  readonly step?: number | undefined;
  readonly retryable?: boolean | undefined;
  readonly diagnosis?: { readonly body: { readonly url: string } } | undefined;
}

export type Result<Answer> = { readonly answer: Answer } | { readonly problem: Problem };

export interface Api {
  /** For a sentence: `The API at https://…`. */
  readonly place: string;
  /** Throws `unavailable` of exit-code.ts when there is no answer, or one that is neither a result nor a problem. */
  invoke(identity: string, question: InvocationQuestion): Promise<Result<InvocationResult>>;
  diagnose(identity: string, question: DiagnosisQuestion): Promise<Result<Diagnosis>>;
  /** Closes open connections. */
  close(): void;
}

/** A request over HTTP. */
export interface ApiQuestion {
  readonly route: keyof typeof routes;
  /** Part of the route; a name of identityNamePattern. */
  readonly identity?: string;
  /** Sent as JSON. */
  readonly body?: object;
  /** Milliseconds that the API gives itself for its answer. */
  readonly timeoutMs: number;
}

export interface ApiAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

export interface HttpApi extends Api {
  /** Throws `unavailable` of exit-code.ts when there is no answer; a problem document is one. */
  ask(question: ApiQuestion): Promise<ApiAnswer>;
}

export function reportProblem(problem: Problem, { output }: CommandContext): void {
  const { code, title, step, detail, hint } = problem;
  const where = step === undefined ? '' : ` at step ${step}`;
  output.fail({
    code,
    // Escaping keeps each text on one line.
    heading: escapeForTerminal(title === undefined ? `${code}${where}` : `${title} (${code}${where})`),
    detail: escapeForTerminal(detail),
    hint: hint && escapeForTerminal(hint),
    document: problem,
  });
}
