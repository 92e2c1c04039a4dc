// Whether a destination turned the client certificate down: in the handshake, by closing the connection, or in HTTP.

import { refusalPage } from '../http/advice.ts';
import type { ExchangeResult, HttpResponse } from '../http/exchange.ts';

export function isRejected(outcome: ExchangeResult): boolean {
  if ('failure' in outcome) return outcome.failure.error.code === 'client-certificate-rejected';
  return isRefusal(outcome.answer);
}

/** What a server wants after the handshake it would not get with another certificate either. */
export function isRefusal({ status, body }: HttpResponse): boolean {
  if (status < 400) return false;
  const page = refusalPage(status, body);
  return page !== undefined && page.kind !== 'wanted-after-handshake';
}
