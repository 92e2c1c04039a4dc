// Whether the dates of a certificate can be read at all: a certificate comes from anybody.
import type { X509Certificate } from 'node:crypto';

/**
 * To be asked before `validFromDate` and `validToDate` of a certificate that nobody has checked: of a date that it cannot
 * read, Node 24.21 makes whatever lies in memory, mostly an invalid Date and seldom a valid one. Its texts are sound:
 * they say "Bad time value" then.
 */
export function hasReadableDates({ validFrom, validTo }: X509Certificate): boolean {
  return !Number.isNaN(Date.parse(validFrom)) && !Number.isNaN(Date.parse(validTo));
}
