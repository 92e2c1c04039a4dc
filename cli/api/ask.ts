// The two questions that verbs ask of an API, and what may come of each.

import type { Diagnosis } from '../../core/diagnosis/diagnosis.ts';
import type { InvocationAnswer } from '../../core/invocation/answer.ts';
import { limits } from '../../core/settings.ts';
import { type Result, readDiagnosis, readInvocation } from './answers.ts';
import type { Api } from './api.ts';

/** docs/api.md, "The diagnosis". */
export interface DiagnosisQuestion {
  readonly url: string;
  readonly probe?: { readonly path: string } | false;
  readonly timeoutMs?: number;
}

/** docs/api.md, "The request". */
export interface InvocationQuestion {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
  readonly bodyBase64?: string;
  readonly timeoutMs?: number;
  readonly requireMutual?: boolean;
}

/** A host is what people have at hand; anything with a scheme of its own is left for the guard to judge. */
export function urlOf(text: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`;
}

/** Throws `unavailable` when there is no answer, or one that is neither a diagnosis nor a problem. */
export async function askDiagnosis(
  api: Api,
  identity: string,
  question: DiagnosisQuestion,
): Promise<Result<Diagnosis>> {
  const patienceMs = question.timeoutMs ?? limits.defaultTimeoutMs;
  return readDiagnosis(api, await api.ask({ route: 'diagnoses', identity, body: question, patienceMs }));
}

/** The same of an invocation. */
export async function askInvocation(
  api: Api,
  identity: string,
  question: InvocationQuestion,
): Promise<Result<InvocationAnswer>> {
  const patienceMs = question.timeoutMs ?? limits.defaultTimeoutMs;
  return readInvocation(api, await api.ask({ route: 'invocations', identity, body: question, patienceMs }));
}
