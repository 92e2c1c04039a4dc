// A stand-in for EventBridge's PutEvents on loopback, which stores the events.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

interface BusEvent {
  readonly bus: string;
  readonly source: string;
  readonly detailType: string;
  readonly resources: readonly string[];
  // Each test asserts on the members it is about.
  // biome-ignore lint/suspicious/noExplicitAny: reason above
  readonly detail: any;
}

export interface EventBus {
  readonly url: string;
  readonly events: BusEvent[];
  /** The error name for every further request, or for the entry of a successful request. */
  refuse: { readonly request?: string; readonly entry?: string } | undefined;
}

/** AWS: EventBridge API reference, PutEvents. */
export async function startBus(): Promise<EventBus> {
  const bus: EventBus & { url: string } = { url: '', events: [], refuse: undefined };
  const server = createServer(async (request, response) => {
    const { Entries } = JSON.parse(await text(request));
    const type = { 'content-type': 'application/x-amz-json-1.1' };
    if (request.headers['x-amz-target'] !== 'AWSEvents.PutEvents' || bus.refuse?.request) {
      const name = bus.refuse?.request ?? 'UnknownOperationException';
      return response.writeHead(400, type).end(JSON.stringify({ __type: name, message: 'No.' }));
    }
    if (bus.refuse?.entry) {
      const entry = { ErrorCode: bus.refuse.entry, ErrorMessage: 'No.' };
      return response.writeHead(200, type).end(JSON.stringify({ FailedEntryCount: 1, Entries: [entry] }));
    }
    for (const { EventBusName, Source, DetailType, Resources, Detail } of Entries) {
      const detail = JSON.parse(Detail);
      bus.events.push({ bus: EventBusName, source: Source, detailType: DetailType, resources: Resources, detail });
    }
    const answer = {
      FailedEntryCount: 0,
      Entries: Entries.map((_: unknown, index: number) => ({ EventId: `e${index}` })),
    };
    return response.writeHead(200, type).end(JSON.stringify(answer));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  bus.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return bus;
}
