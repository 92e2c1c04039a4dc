// Invokes a handler as Lambda does: with a context, a deadline, and limits on event and response.
import { randomUUID } from 'node:crypto';
import type { Context } from 'aws-lambda';
import { limits } from '../../core/settings.ts';
import { localAccountId } from './event.ts';

export interface LocalFunction {
  readonly name: string;
  readonly handler: (event: never, context: Context) => unknown;
}

/** How an invocation ended; `payload` is the JSON text of what the handler returned. */
export type Outcome =
  | { readonly kind: 'answered'; readonly payload: string }
  | { readonly kind: 'failed'; readonly reason: unknown }
  | { readonly kind: 'event-too-large' }
  | { readonly kind: 'timed-out' };

/** Lambda's own figure, from its error message: 6 MiB and 100 bytes. */
export const maxAnswerBytes = 6_291_556;

/**
 * Never throws. After the timeout the handler goes on, as behind API Gateway, and its result is dropped.
 * Source: AWS, "Lambda quotas", invocation payload.
 */
export async function invokeFunction(fn: LocalFunction, event: object, timeoutMs: number): Promise<Outcome> {
  const text = JSON.stringify(event);
  if (Buffer.byteLength(text) > limits.maxEventBytes) return { kind: 'event-too-large' };

  const timer = Promise.withResolvers<Outcome>();
  const timeout = setTimeout(() => timer.resolve({ kind: 'timed-out' }), timeoutMs);
  try {
    return await Promise.race([run(fn, JSON.parse(text), makeContext(fn.name, timeoutMs)), timer.promise]);
  } finally {
    clearTimeout(timeout);
  }
}

async function run(fn: LocalFunction, event: unknown, context: Context): Promise<Outcome> {
  try {
    const payload = JSON.stringify((await fn.handler(event as never, context)) ?? null);
    if (Buffer.byteLength(payload) <= maxAnswerBytes) return { kind: 'answered', payload };
    const reason = `Response payload size exceeded maximum allowed payload size (${maxAnswerBytes} bytes).`;
    return { kind: 'failed', reason: new Error(reason) };
  } catch (reason) {
    return { kind: 'failed', reason };
  }
}

/** Source: AWS, "Using the Lambda context object to retrieve Node.js function information". */
function makeContext(functionName: string, timeoutMs: number): Context {
  const deadline = performance.now() + timeoutMs;
  const ignored = () => undefined;
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:local:${localAccountId}:function:${functionName}`,
    memoryLimitInMB: '512',
    awsRequestId: randomUUID(),
    logGroupName: `/aws/lambda/${functionName}`,
    logStreamName: 'local',
    getRemainingTimeInMillis: () => Math.max(0, Math.floor(deadline - performance.now())),
    done: ignored,
    fail: ignored,
    succeed: ignored,
  };
}
