// What the first process and its workers tell each other.
import type { NotedVerdict } from '../../console/verdicts.ts';
import type { MetricsSnapshot } from '../metrics/metrics.ts';
import type { ServeOptions } from '../options.ts';
import type { OwnTexts } from '../reload/tls-files.ts';

export type ToWorker =
  /** `lastSound`: in place of files that are broken at the moment. */
  | { readonly kind: 'open'; readonly options: ServeOptions; readonly lastSound: OwnTexts }
  | { readonly kind: 'close'; readonly deadlineMs: number }
  | { readonly kind: 'snapshot'; readonly id: number }
  /** The answer to `metrics`; without a text, they could not be put together. */
  | { readonly kind: 'metrics'; readonly id: number; readonly text: string | undefined }
  | Found;

export type FromWorker =
  | { readonly kind: 'opened'; readonly port: number }
  | { readonly kind: 'failed'; readonly sentence: string }
  | { readonly kind: 'closed'; readonly cutOff: number }
  | { readonly kind: 'snapshot'; readonly id: number; readonly snapshot: MetricsSnapshot }
  /** Asks for those of all processes. */
  | { readonly kind: 'metrics'; readonly id: number }
  | Found;

/** A diagnosis in one process, for the console of all. */
interface Found {
  readonly kind: 'verdict';
  readonly verdict: NotedVerdict;
}
