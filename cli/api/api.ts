// What the verbs ask: the routes of the API, answered in this process or by somebody over HTTP.
import type { routes } from '../../core/settings.ts';

export interface ApiQuestion {
  readonly route: keyof typeof routes;
  /** Stands in the route; a name of identityNamePattern. */
  readonly identity?: string;
  /** Sent as JSON. */
  readonly body?: object;
  /** Milliseconds after which whoever is asked must have answered by its own account. */
  readonly patienceMs: number;
}

export interface ApiAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

export interface Api {
  /** For a sentence: `The API at https://…`. */
  readonly place: string;
  /** Throws `unavailable` of exit-code.ts when there is no answer; a problem document is one. */
  ask(question: ApiQuestion): Promise<ApiAnswer>;
  /** What is open in between is closed. */
  close(): void;
}

/** How long a call over the network may take beyond what the API gives itself, in milliseconds. */
export const patienceBeyondMs = 5_000;
