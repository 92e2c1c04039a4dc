// How long a server asks to be left alone: Retry-After (RFC 9110, section 10.2.3), in seconds or as a date.

/** IMF-fixdate, the one form that is written today (RFC 9110, section 5.6.7). Date.parse takes much that is no date of HTTP. */
const httpDate =
  /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** Milliseconds from `now` (milliseconds since 1970), 0 for a date that is over; undefined for what is neither form. */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  if (!httpDate.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
