// The truth about every server, written by hand: what each cell must come to, and what the server does not tell.
import {
  absent,
  alert,
  closed,
  granted,
  neverAsked,
  noHandshake,
  notAskedYet,
  noWord,
  page,
  perVersion,
  presumed,
  quietly,
  type Told,
  type Truth,
  untrusted,
  vague,
} from './told.ts';

/** What depends on Countersign alone, whoever serves. */
const ours = {
  accepted: granted,
  acceptedRsa: granted,
  notRevoked: granted,
  neverAsked,
  acceptedQuietly: presumed,
  serverExpired: untrusted('server-certificate-expired'),
  serverUnknown: untrusted('server-certificate-untrusted', ' (unknown-root, inferred)'),
  serverOtherName: untrusted('server-certificate-name-mismatch'),
  serverNoIntermediate: untrusted('server-certificate-untrusted', ' (missing-intermediate, inferred)'),
  oldProtocol: noHandshake('protocol_version'),
} as const;

/** OpenSSL's own alerts, which most servers hand on (ssl_x509err2alert in ssl/statem/statem_lib.c). */
const byOpenssl = {
  ...ours,
  absent: perVersion(absent(vague('handshake_failure')), absent(alert('certificate_required'))),
  unknownAuthority: alert('unknown_ca'),
  refusedQuietly: quietly(alert('unknown_ca')),
  expired: alert('certificate_expired'),
  notYetValid: alert('bad_certificate'),
  wrongUsage: alert('unsupported_certificate'),
  noIntermediate: alert('unknown_ca'),
  revoked: alert('certificate_revoked'),
} as const;

/** The same answer whatever is wrong with the certificate. */
function always(answer: Told) {
  return {
    refusedQuietly: quietly(answer),
    unknownAuthority: answer,
    expired: answer,
    notYetValid: answer,
    wrongUsage: answer,
    noIntermediate: answer,
    revoked: answer,
  };
}

const opensslSilence =
  'It does not tell a missing intermediate from an unknown CA (`unknown_ca` for both), nor a certificate that is not yet valid from a bad one; in TLS 1.2 it has no alert of its own for a certificate that is absent, so `handshake_failure` is `inferred`.';

const byGo = { ...ours, absent: absent(alert('bad_certificate')), ...always(alert('bad_certificate')) };

export const truths = {
  nginx: {
    version: '1.22.',
    cells: { ...ours, absent: absent(page(400)), ...always(page(400)), refusedQuietly: presumed },
    silence:
      'Its handshake always succeeds: only a request gets to know, by one and the same page for every certificate it does not accept (the reason is in its error log at level `info`), and by another page for none.',
  },
  apache: {
    version: '2.4.',
    cells: byOpenssl,
    silence: opensslSilence,
  },
  apacheLocation: {
    version: '2.4.',
    cells: {
      ...byOpenssl,
      acceptedQuietly: { ...notAskedYet, certainty: 'inferred' },
      refusedQuietly: { ...notAskedYet, certainty: 'inferred' },
      accepted: perVersion(granted, page(403)),
      acceptedRsa: perVersion(granted, page(403)),
      notRevoked: perVersion(granted, page(403)),
      absent: perVersion(vague('handshake_failure'), page(403)),
      unknownAuthority: perVersion(alert('unknown_ca'), page(403)),
      expired: perVersion(alert('certificate_expired'), page(403)),
      notYetValid: perVersion(alert('bad_certificate'), page(403)),
      wrongUsage: perVersion(alert('unsupported_certificate'), page(403)),
      noIntermediate: perVersion(alert('unknown_ca'), page(403)),
      revoked: perVersion(alert('certificate_revoked'), page(403)),
    },
    silence:
      'With TLS 1.3 it refuses every client that cannot authenticate after the handshake, Node among them, before it looks at any certificate: the obstacle is the server’s configuration, or TLS 1.3. With TLS 1.2 it asks by renegotiation, after the request, and then says what Apache says server-wide.',
  },
  haproxy: {
    version: '2.6.',
    cells: byOpenssl,
    silence: opensslSilence,
  },
  caddy: {
    version: '2.6.',
    cells: byGo,
    silence:
      'It answers `bad_certificate` whatever is wrong with the certificate, and when there is none; it reads no revocation list, and cannot be set below TLS 1.2.',
  },
  stunnel: {
    version: '5.',
    cells: byOpenssl,
    silence: opensslSilence,
  },
  lighttpd: {
    version: '1.4.',
    cells: { ...byOpenssl, serverNoIntermediate: noHandshake('internal_error') },
    silence: `${opensslSilence} Given its own certificate alone, it tries to build the chain from the authorities it trusts for clients, and when it cannot, it presents no certificate at all.`,
  },
  openssl: {
    version: '3.0.',
    cells: byOpenssl,
    silence: opensslSilence,
  },
  gnutls: {
    version: '3.7.',
    cells: {
      ...ours,
      absent: perVersion(absent(vague('decode_error')), absent(alert('certificate_required'))),
      ...always(alert('access_denied')),
      wrongUsage: granted,
      oldProtocol: noWord,
    },
    silence:
      'gnutls-serv answers `access_denied` whatever is wrong with the certificate, accepts one without client authentication, and in TLS 1.2 has no alert of its own for none (`decode_error`, `inferred`).',
  },
  tomcat: {
    version: '10.1.',
    cells: { ...ours, absent: absent(alert('bad_certificate')), ...always(alert('certificate_unknown')) },
    silence:
      'It answers `certificate_unknown` whatever is wrong with the certificate, and `bad_certificate` when there is none; `-Djavax.net.debug=ssl:handshake` prints the reason.',
  },
  javaSocket: {
    version: '17.',
    cells: { ...ours, absent: absent(alert('bad_certificate')), ...always(alert('certificate_unknown')) },
    silence:
      'It answers `certificate_unknown` whatever is wrong with the certificate, and `bad_certificate` when there is none; `-Djavax.net.debug=ssl:handshake` prints the reason.',
  },
  javaHttps: {
    version: '17.',
    cells: { ...ours, absent: absent(closed), ...always(closed), oldProtocol: noWord },
    silence:
      'com.sun.net.httpserver closes the connection without an alert, whatever the reason: that it is the certificate is always `inferred`.',
  },
  go: {
    version: '1.19.',
    cells: byGo,
    silence:
      'This version answers `bad_certificate` whatever is wrong with the certificate, and when there is none; crypto/tls reads no revocation list.',
  },
  node: {
    version: '24.',
    cells: { ...ours, absent: byOpenssl.absent, ...always(closed) },
    silence:
      'It completes the handshake with any certificate and closes the connection without an alert when it does not accept it: that is always `inferred`. Only a certificate that is absent gets OpenSSL’s alert.',
  },
} as const satisfies Record<string, Truth>;

export type ServerName = keyof typeof truths;
