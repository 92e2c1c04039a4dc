// The console of an installation of one's own: its page for everybody, what it shows for callers, verdicts of all processes.
import type { IncomingHttpHeaders } from 'node:http';
import { type Console, type ConsoleCaller, openConsole } from '../../console/console.ts';
import { type ConsolePage, isVisit, openPage } from '../../console/files.ts';
import { answerOfConsole } from '../../console/routes.ts';
import { createVerdicts, type NotedVerdict, verdictOf } from '../../console/verdicts.ts';
import type { Diagnosis } from '../../core/diagnosis/diagnosis.ts';
import type { IdentitySource } from '../../core/identity/identity.ts';
import type { HttpAnswer } from '../../listener/http-answer.ts';
import { isLoopbackHeader } from '../../listener/loopback.ts';
import type { RouteMatch } from '../../listener/route.ts';
import { type Caller, mayUse } from '../auth/callers.ts';
import { identityFolders } from '../readiness.ts';

export interface OwnConsole {
  /** A file of the page, which holds nothing of anybody: also for one that follows a link from another page. */
  readonly page: ConsolePage;
  /** Rejects when the folder cannot be read. */
  answer(route: RouteMatch, caller: Caller | undefined): Promise<HttpAnswer>;
  /** Takes up a diagnosis of this process. */
  diagnosed(diagnosis: Diagnosis): void;
  /** What another process found. */
  take(verdict: NotedVerdict): void;
}

/** `onVerdict` is told what was found in this process. Throws when a file of the page is missing. */
export function openOwnConsole(
  identities: string,
  source: IdentitySource,
  onVerdict: (verdict: NotedVerdict) => void,
): OwnConsole {
  const page = openPage();
  const verdicts = createVerdicts();
  const console: Console = openConsole({
    place: 'directory',
    source,
    stages: ['AWSCURRENT'],
    names: () => identityFolders(identities),
    verdicts,
  });
  return {
    page,
    answer: (route, caller) =>
      answerOfConsole(console, route, { contentType: undefined, body: Buffer.alloc(0), caller: consoleCaller(caller) }),
    diagnosed(diagnosis) {
      const verdict = verdictOf(diagnosis, Date.now());
      verdicts.add(verdict);
      onVerdict(verdict);
    },
    take: verdicts.add,
  };
}

/** Whether a request that other pages could have made is one of a person who follows a link or types the address. */
export function isPersonsVisit(headers: IncomingHttpHeaders, isOnLoopback: boolean): boolean {
  return isVisit(headers) && (!isOnLoopback || isLoopbackHeader(headers.host ?? ''));
}

function consoleCaller(caller: Caller | undefined): ConsoleCaller | undefined {
  return caller && { name: caller.name, mayUse: (identity) => mayUse(caller, identity) };
}
