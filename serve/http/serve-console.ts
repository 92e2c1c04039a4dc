// The console of `serve`: its page, its state for each caller, and the verdicts of all processes.
import type { IncomingHttpHeaders } from 'node:http';
import { type ConsoleCaller, openConsole } from '../../console/console.ts';
import { type ConsolePage, isVisit, openPage } from '../../console/files.ts';
import { createRecentVerdicts, type RecordedVerdict, verdictOf } from '../../console/recent-verdicts.ts';
import { answerConsole } from '../../console/routes.ts';
import type { Diagnosis } from '../../core/diagnosis/diagnosis.ts';
import { listIdentities } from '../../core/identity/directory.ts';
import type { IdentitySource } from '../../core/identity/identity.ts';
import type { HttpAnswer } from '../../listener/http-answer.ts';
import { isLoopbackHeader } from '../../listener/loopback.ts';
import type { RouteMatch } from '../../listener/route.ts';
import { type Caller, mayUse } from '../auth/callers.ts';

export interface ServeConsole {
  /** Served without authentication: it contains no data. */
  readonly page: ConsolePage;
  /** Rejects if the folder of identities cannot be read. */
  answer(route: RouteMatch, caller: Caller | undefined): Promise<HttpAnswer>;
  /** Adds a diagnosis of this process. */
  diagnosed(diagnosis: Diagnosis): void;
  /** Adds a verdict of another process. */
  addVerdict(verdict: RecordedVerdict): void;
}

/** `onVerdict` is called for each verdict of this process. Throws if a file of the page is missing. */
export function openServeConsole(
  identities: string,
  source: IdentitySource,
  onVerdict: (verdict: RecordedVerdict) => void,
): ServeConsole {
  const page = openPage();
  const verdicts = createRecentVerdicts();
  const console = openConsole({
    place: 'directory',
    source,
    stages: ['AWSCURRENT', 'AWSPENDING', 'AWSPREVIOUS'],
    names: () => listIdentities(identities),
    verdicts,
  });
  return {
    page,
    answer: (route, caller) =>
      answerConsole(console, route, { contentType: undefined, body: Buffer.alloc(0), caller: consoleCaller(caller) }),
    diagnosed(diagnosis) {
      const verdict = verdictOf(diagnosis, Date.now());
      verdicts.add(verdict);
      onVerdict(verdict);
    },
    addVerdict: verdicts.add,
  };
}

/** Whether a cross-site request is a link or an address that a person opened, which may load the page. */
export function isPageVisit(headers: IncomingHttpHeaders, isOnLoopback: boolean): boolean {
  return isVisit(headers) && (!isOnLoopback || isLoopbackHeader(headers.host ?? ''));
}

function consoleCaller(caller: Caller | undefined): ConsoleCaller | undefined {
  return caller && { name: caller.name, mayUse: (identity) => mayUse(caller, identity) };
}
