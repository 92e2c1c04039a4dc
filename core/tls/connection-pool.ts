// The agents in use: found by identity version and endpoint, let go when idle, bounded in what they keep open.
import { readFileSync } from 'node:fs';
import type { Destination } from '../destination/destination.ts';
import type { LookupFunction } from '../destination/resolve.ts';
import type { Target } from '../destination/target.ts';
import type { Identity } from '../identity/identity.ts';
import { EndpointAgent, type EndpointAgentEvents } from './endpoint-agent.ts';
import { contextOf } from './secure-context.ts';

export interface Pool {
  /**
   * The agent of this identity version to this endpoint. The endpoint with and without a demand for mutual TLS are two
   * agents, so that the demand is met by the handshake and costs nothing afterwards.
   */
  agent(identity: Identity, destination: Destination, target: Target, requireMutual: boolean): EndpointAgent;
  /** A version that was replaced or let go: its calls finish, its connections close, and none is kept for it again. */
  retire(identity: Identity): void;
  /** Closes every idle connection, the others after their call, and stops the sweeping. */
  close(): void;
  readonly openConnections: number;
  readonly agents: number;
}

export interface PoolLimits {
  /** Connections kept open, idle ones included. */
  readonly maxConnections: number;
  /** Agents kept: a caller whose identity may go anywhere can name any number of hosts. */
  readonly maxAgents: number;
  /** A agent that had no call for so long is let go, in milliseconds. */
  readonly maxIdleMs: number;
  readonly sweepEveryMs: number;
}

export interface PoolOptions {
  readonly limits?: PoolLimits;
  /** Milliseconds since 1970: what the dates of certificates and the age of idle connections are held against. */
  readonly now?: () => number;
  /** Instead of the system's resolver. */
  readonly lookup?: LookupFunction;
}

export function createPool({ limits = defaultLimits(), now = Date.now, lookup }: PoolOptions = {}): Pool {
  const agents = new Map<Identity, Map<string, EndpointAgent>>();
  let agentCount = 0;
  /** A call may still hold a version that was let go; what it opens must not outlive it. */
  const retired = new WeakSet<Identity>();
  /** Every agent that may have idle connections, the least recently used first. */
  const byUse = new Set<EndpointAgent>();
  let open = 0;
  let isClosed = false;
  let sweptTo = now();

  const forget = (identity: Identity, key: string, agent: EndpointAgent) => {
    const ofIdentity = agents.get(identity);
    if (ofIdentity?.delete(key)) agentCount--;
    if (ofIdentity?.size === 0) agents.delete(identity);
    byUse.delete(agent);
    agent.retire();
  };
  const sweep = () => {
    sweptTo = now();
    for (const [identity, ofIdentity] of agents) {
      for (const [key, agent] of ofIdentity) {
        if (agent.inUse === 0 && sweptTo - agent.lastUsed > limits.maxIdleMs) forget(identity, key, agent);
      }
    }
  };
  /** The tenth that was not used for longest goes at once, so that the search for it is rare. */
  const evictUnusedAgents = () => {
    const unused = [...agents].flatMap(([identity, ofIdentity]) =>
      [...ofIdentity].filter(([, agent]) => agent.inUse === 0).map(([key, agent]) => ({ identity, key, agent })),
    );
    unused.sort((one, other) => one.agent.lastUsed - other.agent.lastUsed);
    for (const { identity, key, agent } of unused.slice(0, Math.ceil(limits.maxAgents / 10)))
      forget(identity, key, agent);
  };
  const closeExcess = () => {
    if (open <= limits.maxConnections) return;
    for (const agent of byUse) {
      const closed = agent.closeIdle();
      // It comes back with its next call; until then it has nothing left to close.
      if (agent.inUse === 0) byUse.delete(agent);
      if (closed > 0) return;
    }
  };
  const events: EndpointAgentEvents = {
    opened() {
      open++;
      closeExcess();
    },
    idle(agent) {
      // Connections that were all in use when they opened are too many only now.
      closeExcess();
      byUse.add(agent);
    },
    closed() {
      open--;
    },
  };
  // Timers stand still in a frozen function, so a call that comes late sweeps as well.
  const sweeper = setInterval(sweep, limits.sweepEveryMs).unref();

  const newAgent = (identity: Identity, destination: Destination, target: Target, requireMutual: boolean) => {
    const context = contextOf(identity, destination);
    return new EndpointAgent({ target, destination, context, requireMutual, now, lookup }, events);
  };

  return {
    agent(identity, destination, target, requireMutual) {
      if (isClosed || retired.has(identity)) {
        const agent = newAgent(identity, destination, target, requireMutual);
        agent.retire();
        return agent;
      }
      const time = now();
      if (time - sweptTo > limits.sweepEveryMs * 2) sweep();
      const key = `${target.host}:${target.port}${requireMutual ? ' mutual' : ''}`;
      let agent = agents.get(identity)?.get(key);
      // A previous version is presented on the terms of the current one, which may change beside it.
      if (agent && agent.destination !== destination) {
        forget(identity, key, agent);
        agent = undefined;
      }
      if (!agent) {
        if (agentCount >= limits.maxAgents) evictUnusedAgents();
        agent = newAgent(identity, destination, target, requireMutual);
        const ofIdentity = agents.get(identity) ?? new Map<string, EndpointAgent>();
        agents.set(identity, ofIdentity.set(key, agent));
        agentCount++;
      }
      agent.lastUsed = time;
      byUse.delete(agent);
      byUse.add(agent);
      return agent;
    },
    retire(identity) {
      retired.add(identity);
      for (const [key, agent] of agents.get(identity) ?? []) forget(identity, key, agent);
    },
    close() {
      isClosed = true;
      clearInterval(sweeper);
      for (const [identity, ofIdentity] of agents) for (const [key, agent] of ofIdentity) forget(identity, key, agent);
    },
    get openConnections() {
      return open;
    },
    get agents() {
      return agentCount;
    },
  };
}

/** Three quarters of what the process may open are for connections: Lambda gives a function 1,024 file descriptors (AWS: Lambda quotas). */
function defaultLimits(): PoolLimits {
  return {
    maxConnections: Math.floor(openFilesLimit() * 0.75),
    maxAgents: 20_000,
    maxIdleMs: 300_000,
    sweepEveryMs: 30_000,
  };
}

function openFilesLimit(): number {
  try {
    const line = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return Number(line?.[1] ?? 1024);
  } catch {
    return 1024;
  }
}
