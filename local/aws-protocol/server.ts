// An AWS service on loopback: takes a request to its action, and waits for what is under way before it closes.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { listen, urlOf } from '../../listener/listen.ts';
import { isLoopback } from '../../listener/loopback.ts';
import { AwsError } from './aws-error.ts';
import { actionNameOf, readBody, type Service, writeAnswer, writeError } from './request.ts';

export interface AwsServerOptions {
  readonly service: Service;
  /** Throws UnknownOperationException. */
  readonly actionNamed: (name: string) => (body: object) => object | Promise<object>;
  /** The answer to what is no AwsError; the thrown is its cause. */
  readonly internalError: (cause: unknown) => AwsError;
  /** 0 for any free one. */
  readonly port: number;
  readonly host: string;
  /** For sentences: what it is, and the option that chooses another port. */
  readonly what: string;
  readonly option: string;
}

export interface AwsServer {
  readonly url: string;
  /** Answers what has been understood, then lets go of the port. */
  close(): Promise<void>;
}

/** Throws an Error of one sentence when it cannot listen there. */
export async function startAwsServer(options: AwsServerOptions): Promise<AwsServer> {
  const { service, actionNamed, host, port, what, option } = options;
  if (!isLoopback(host)) {
    throw new Error(`${what.replace(/^the/, 'The')} listens on loopback only, and ${host} is not a loopback address.`);
  }
  /** What has been understood and not yet answered. */
  const underway = new Set<Promise<void>>();

  const server = createServer(async (request, response) => {
    response.setHeader('x-amzn-requestid', randomUUID());
    try {
      const action = actionNamed(actionNameOf(request, service));
      const body = await readBody(request, service.maxBodyBytes);
      const done = perform(() => action(body), response);
      underway.add(done);
      await done;
      underway.delete(done);
    } catch (error) {
      writeError(response, asAwsError(error));
    }
  });

  async function perform(action: () => object | Promise<object>, response: ServerResponse): Promise<void> {
    try {
      writeAnswer(response, await action());
    } catch (error) {
      writeError(response, asAwsError(error));
    }
    if (!response.closed) await new Promise((resolve) => response.once('close', resolve));
  }

  function asAwsError(thrown: unknown): AwsError {
    return thrown instanceof AwsError ? thrown : options.internalError(thrown);
  }

  const at = await listen(server, { port, host, what, option });

  return {
    url: urlOf(host, at),
    async close() {
      const ended = once(server, 'close');
      server.close();
      await Promise.all(underway);
      // What is left are connections kept alive, and requests that never came to their end.
      server.closeAllConnections();
      await ended;
    },
  };
}
