// Agents by identity version and endpoint; closes idle ones and bounds the open connections.
import type { Destination } from '../destination/destination.ts';
import type { LookupFunction } from '../destination/resolve.ts';
import type { Target } from '../destination/target.ts';
import type { Identity } from '../identity/identity.ts';
import { openFilesLimit } from '../open-files-limit.ts';
import { EndpointAgent, type EndpointAgentEvents } from './endpoint-agent.ts';
import { contextOf } from './secure-context.ts';

export interface Pool {
  /**
   * The agent of this identity version for this endpoint. Calls with requireMutual have their own agent, so that the
   * handshake meets the requirement and later calls need no check.
   */
  agent(identity: Identity, destination: Destination, target: Target, requireMutual: boolean): EndpointAgent;
  /** For a replaced or evicted version: its calls finish, its connections close, and no new one is kept. */
  retire(identity: Identity): void;
  /** Closes idle connections now and others after their call, and stops the sweep. */
  close(): void;
  readonly openConnections: number;
  readonly agents: number;
}

export interface PoolLimits {
  /** Connections kept open, idle ones included. */
  readonly maxConnections: number;
  /** A caller whose identity can go anywhere can name any number of hosts. */
  readonly maxAgents: number;
  /** Milliseconds without a call after which an agent is evicted. */
  readonly maxIdleMs: number;
  readonly sweepEveryMs: number;
}

export interface PoolOptions {
  readonly limits?: PoolLimits;
  /** Milliseconds since 1970; compared with certificate dates and the age of idle connections. */
  readonly now?: () => number;
  /** Instead of the system's resolver. */
  readonly lookup?: LookupFunction;
}

export function createPool({ limits = defaultLimits(), now = Date.now, lookup }: PoolOptions = {}): Pool {
  const agents = new Map<Identity, Map<string, EndpointAgent>>();
  let agentCount = 0;
  /** A call can still use a retired version; its connections must not outlive the call. */
  const retired = new WeakSet<Identity>();
  /** Agents that can have idle connections, least recently used first. */
  const byUse = new Set<EndpointAgent>();
  let open = 0;
  let isClosed = false;
  let sweptTo = now();

  const evict = (identity: Identity, key: string, agent: EndpointAgent) => {
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
        if (agent.inUse === 0 && sweptTo - agent.lastUsed > limits.maxIdleMs) evict(identity, key, agent);
      }
    }
  };
  /** Evicts the least recently used tenth at once, so that the search is rare. */
  const evictUnusedAgents = () => {
    const unused = [...agents].flatMap(([identity, ofIdentity]) =>
      [...ofIdentity].filter(([, agent]) => agent.inUse === 0).map(([key, agent]) => ({ identity, key, agent })),
    );
    unused.sort((one, other) => one.agent.lastUsed - other.agent.lastUsed);
    for (const { identity, key, agent } of unused.slice(0, Math.ceil(limits.maxAgents / 10)))
      evict(identity, key, agent);
  };
  const closeExcess = () => {
    if (open <= limits.maxConnections) return;
    for (const agent of byUse) {
      const closed = agent.closeIdle();
      // Its next call adds it again; until then it has no idle connection.
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
      // The limit counts only once a connection is idle.
      closeExcess();
      byUse.add(agent);
    },
    closed() {
      open--;
    },
  };
  // Timers do not run in a frozen function, so a late call sweeps as well.
  const sweeper = setInterval(sweep, limits.sweepEveryMs).unref();

  const newAgent = (identity: Identity, destination: Destination, target: Target, requireMutual: boolean) => {
    const context = contextOf(identity, destination);
    const { name } = identity;
    return new EndpointAgent({ target, destination, identity: name, context, requireMutual, now, lookup }, events);
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
      const key = requireMutual ? `${target.authority} mutual` : target.authority;
      let agent = agents.get(identity)?.get(key);
      // A previous version uses the destinations of the current one, which can change.
      if (agent && agent.destination !== destination) {
        evict(identity, key, agent);
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
      for (const [key, agent] of agents.get(identity) ?? []) evict(identity, key, agent);
    },
    close() {
      isClosed = true;
      clearInterval(sweeper);
      for (const [identity, ofIdentity] of agents) for (const [key, agent] of ofIdentity) evict(identity, key, agent);
    },
    get openConnections() {
      return open;
    },
    get agents() {
      return agentCount;
    },
  };
}

/** Connections use three quarters of the file descriptors; Lambda allows 1,024 (AWS: Lambda quotas). */
function defaultLimits(): PoolLimits {
  return limitsFor(Math.floor((openFilesLimit() ?? 1024) * 0.75));
}

export function limitsFor(maxConnections: number): PoolLimits {
  return {
    maxConnections,
    maxAgents: 20_000,
    maxIdleMs: 300_000,
    sweepEveryMs: 30_000,
  };
}
