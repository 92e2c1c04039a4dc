// TLS alerts: what a peer says when it ends a handshake, read from OpenSSL's errors and put into words.

export interface Alert {
  /** AlertDescription (RFC 8446, section 6; RFC 5246, section 7.2). */
  readonly number: number;
  /** The name in the RFC, `unknown_ca` say; `alert_<number>` when it has none. */
  readonly name: string;
}

/** IANA, TLS Alerts. */
const names: Readonly<Record<number, string>> = {
  0: 'close_notify',
  10: 'unexpected_message',
  20: 'bad_record_mac',
  21: 'decryption_failed',
  22: 'record_overflow',
  30: 'decompression_failure',
  40: 'handshake_failure',
  41: 'no_certificate',
  42: 'bad_certificate',
  43: 'unsupported_certificate',
  44: 'certificate_revoked',
  45: 'certificate_expired',
  46: 'certificate_unknown',
  47: 'illegal_parameter',
  48: 'unknown_ca',
  49: 'access_denied',
  50: 'decode_error',
  51: 'decrypt_error',
  60: 'export_restriction',
  70: 'protocol_version',
  71: 'insufficient_security',
  80: 'internal_error',
  86: 'inappropriate_fallback',
  90: 'user_canceled',
  100: 'no_renegotiation',
  109: 'missing_extension',
  110: 'unsupported_extension',
  111: 'certificate_unobtainable',
  112: 'unrecognized_name',
  113: 'bad_certificate_status_response',
  114: 'bad_certificate_hash_value',
  115: 'unknown_psk_identity',
  116: 'certificate_required',
  120: 'no_application_protocol',
  121: 'ech_required',
};

/**
 * The alert that ended a connection, from an error of Node. The wording of OpenSSL's codes changed between its versions
 * (SSLV3_ALERT_BAD_CERTIFICATE, SSL/TLS_ALERT_BAD_CERTIFICATE), so the numbers are read: "SSL alert number 48", or the
 * reason of a received alert, which is 1000 and the alert (openssl/sslerr.h, SSL_AD_REASON_OFFSET).
 */
export function alertIn(error: unknown): Alert | undefined {
  const text = error instanceof Error ? error.message : '';
  const stated = /SSL alert number (\d{1,3})\b/.exec(text);
  if (stated) return alert(Number(stated[1]));
  const packed = /\berror:0A0([0-9A-F]{5}):/i.exec(text);
  const reason = packed ? Number.parseInt(packed[1] as string, 16) - 1000 : -1;
  return reason >= 0 && reason <= 255 ? alert(reason) : undefined;
}

function alert(number: number): Alert {
  return { number, name: alertName(number) };
}

/** The same for an alert in an error of OpenSSL and for one that was read from the wire. */
export function alertName(number: number): string {
  return names[number] ?? `alert_${number}`;
}

/**
 * The meaning of an alert after the client certificate, and who must act. An alert does not show which authorities the
 * server accepts, so no hint begins with the root: a diagnosis reads them.
 */
const rejections: Readonly<Record<string, { readonly means: string; readonly hint: string }>> = {
  unknown_ca: {
    means: 'it does not find a trusted authority above the client certificate',
    hint: 'A diagnosis shows the authorities that the API accepts. If the issuer is not one of them, the customer must add the root certificate of the platform; if it is, the customer must check its log, the verification depth and its revocation lists.',
  },
  certificate_required: {
    means: 'it wants a client certificate and says that it got none',
    hint: 'The customer must compare the authorities its API accepts with the issuer of the client certificate.',
  },
  bad_certificate: {
    means: 'it finds the client certificate broken, or does not trust it',
    hint: 'The customer must look up the reason in the log of its API. If the root certificate of the platform is not trusted there, the customer must add it.',
  },
  unsupported_certificate: {
    means: 'it does not accept this kind of client certificate (its key, its signature or its usage)',
    hint: 'The customer must accept the key type and usage of the client certificate, or the platform must issue another.',
  },
  certificate_revoked: {
    means: 'the client certificate is on its revocation list',
    hint: 'The platform must rotate the identity, or the customer must correct its revocation list.',
  },
  certificate_expired: {
    means:
      'the client certificate, or the revocation list it is checked against, is outside its dates by the clock of the server',
    hint: 'If the client certificate is valid today, the customer must check the clock of its server and renew its revocation lists; if not, the platform must rotate the identity.',
  },
  certificate_unknown: {
    means: 'it does not accept the client certificate, for a reason it does not give',
    hint: 'The customer must look up the reason in the log of its API.',
  },
  access_denied: {
    means: 'it does not accept the client certificate, for a reason it does not give',
    hint: 'The customer must look up the reason in the log of its API.',
  },
  decrypt_error: {
    means: 'it could not verify a signature: of the handshake, of a certificate or of a revocation list',
    hint: 'The customer must look up in the log of its API which signature fails. A trusted root of the same name with another key, a server that cannot verify RSA-PSS, and a device that changes the handshake cause this.',
  },
  handshake_failure: {
    means: 'it ended the handshake after it had asked for the client certificate',
    hint: 'The customer must look up the reason in the log of its API. If the root certificate of the platform is not trusted there, the customer must add it.',
  },
};

/**
 * Alerts that speak of the client certificate by themselves (RFC 8446, section 6.2). The other two of the table have
 * more than one meaning: that they are about the certificate is inferred from the moment at which they come.
 */
export function isAboutCertificate(name: string): boolean {
  if (name === 'handshake_failure' || name === 'decrypt_error') return false;
  return Object.hasOwn(rejections, name) || name === 'no_certificate';
}

export function rejectionBy(name: string): { readonly means: string; readonly hint?: string } {
  return rejections[name] ?? { means: 'it ended the connection after it had asked for the client certificate' };
}
