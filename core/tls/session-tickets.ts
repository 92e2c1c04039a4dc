// Session tickets of one agent, each with the server chain that was verified when its session began.
import type { ClientCertificateUse } from './client-flight.ts';
import type { ServerChain } from './server-certificate.ts';

export interface Ticket {
  readonly session: Buffer;
  readonly chain: ServerChain;
  /** Milliseconds since 1970 when the chain expires; then a full handshake is needed. */
  readonly validUntil: number;
  /** True when the server asked for a client certificate in the full handshake. */
  readonly asked: boolean;
  /** Of the full handshake. */
  readonly client: ClientCertificateUse;
  readonly protocol: string;
}

export interface TicketStore {
  take(now: number): Ticket | undefined;
  keep(ticket: Ticket): void;
  clear(): void;
}

/** Servers send at most two in a handshake; more serve a burst of new connections. */
const most = 4;

export function ticketStore(): TicketStore {
  let tickets: Ticket[] = [];
  return {
    take(now) {
      const ticket = tickets.pop();
      if (ticket && now > ticket.validUntil) {
        tickets = [];
        return undefined;
      }
      // RFC 8446, appendix C.4: a TLS 1.3 ticket is used once; a TLS 1.2 session may be used again.
      if (ticket?.protocol === 'TLSv1.2') tickets.push(ticket);
      return ticket;
    },
    keep(ticket) {
      if (ticket.protocol === 'TLSv1.2') tickets = [ticket];
      else if (tickets.push(ticket) > most) tickets.shift();
    },
    clear() {
      tickets = [];
    },
  };
}
