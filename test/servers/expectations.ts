// The expected outcome of every cell on every server, written by hand from the server's configuration before a run.
import {
  type Answer,
  alert,
  ambiguousAlert,
  closed,
  closedInHandshake,
  granted,
  grantedWithoutRequest,
  neverAsked,
  noHandshake,
  notAskedWithoutRequest,
  page,
  perVersion,
  type ServerExpectation,
  untrusted,
  withoutCertificate,
  withoutRequest,
} from './outcomes.ts';
import type { RemedyKind } from './remedies.ts';

/** These cells depend on Countersign alone; docs/servers.md shows them once. */
export const sameOnAll = {
  accepted: granted,
  acceptedRsa: granted,
  notRevoked: granted,
  neverAsked,
  acceptedQuietly: grantedWithoutRequest,
  serverExpired: untrusted('server-certificate-expired'),
  serverUnknown: untrusted('server-certificate-untrusted', ' (unknown-root, inferred)'),
  serverOtherName: untrusted('server-certificate-name-mismatch'),
  serverNoIntermediate: untrusted('server-certificate-untrusted', ' (missing-intermediate, inferred)'),
  oldProtocol: noHandshake('protocol_version'),
} as const;

/** The alerts of OpenSSL (ssl_x509err2alert in ssl/statem/statem_lib.c). */
const byOpenssl = {
  ...sameOnAll,
  absent: perVersion(
    withoutCertificate(ambiguousAlert('handshake_failure')),
    withoutCertificate(alert('certificate_required')),
  ),
  unknownAuthority: alert('unknown_ca'),
  refusedQuietly: withoutRequest(alert('unknown_ca')),
  expired: alert('certificate_expired'),
  notYetValid: alert('bad_certificate'),
  wrongUsage: alert('unsupported_certificate'),
  noIntermediate: alert('unknown_ca'),
  revoked: alert('certificate_revoked'),
} as const;

/** Servers that say that a certificate is revoked. */
const namesRevocation = { revoked: 'rotate the identity' } as const;

/** Apache per location: TLS 1.3 has no renegotiation, so the customer must ask in the handshake. */
function lateOnly(older: RemedyKind) {
  return { 'TLSv1.2': older, 'TLSv1.3': 'ask in the handshake' } as const;
}

/** One answer for every fault of a certificate. */
function always(answer: Answer) {
  return {
    refusedQuietly: withoutRequest(answer),
    unknownAuthority: answer,
    expired: answer,
    notYetValid: answer,
    wrongUsage: answer,
    noIntermediate: answer,
    revoked: answer,
  };
}

const opensslNote =
  'These servers send the alerts of OpenSSL: `unknown_ca` for a missing intermediate and for an unknown CA, `bad_certificate` for a certificate that is not yet valid. TLS 1.2 has no alert for an absent certificate, so `handshake_failure` is `inferred`.';

const byGo = {
  ...sameOnAll,
  absent: withoutCertificate(alert('bad_certificate')),
  ...always(alert('bad_certificate')),
};

export const expectations = {
  nginx: {
    version: '1.22.',
    cells: {
      ...sameOnAll,
      absent: withoutCertificate(page(400)),
      ...always(page(400)),
      refusedQuietly: grantedWithoutRequest,
    },
    remedies: { refusedQuietly: '–' },
    note: 'The handshake always succeeds. nginx refuses in HTTP: one page for every certificate it does not accept, another for an absent one. Its error log has the reason at level `info`.',
  },
  apache: {
    version: '2.4.',
    cells: byOpenssl,
    remedies: namesRevocation,
    note: opensslNote,
  },
  apacheLocation: {
    version: '2.4.',
    cells: {
      ...byOpenssl,
      acceptedQuietly: { ...notAskedWithoutRequest, certainty: 'inferred' },
      refusedQuietly: { ...notAskedWithoutRequest, certainty: 'inferred' },
      accepted: perVersion(granted, page(403)),
      acceptedRsa: perVersion(granted, page(403)),
      notRevoked: perVersion(granted, page(403)),
      absent: perVersion(ambiguousAlert('handshake_failure'), page(403)),
      unknownAuthority: perVersion(alert('unknown_ca'), page(403)),
      expired: perVersion(alert('certificate_expired'), page(403)),
      notYetValid: perVersion(alert('bad_certificate'), page(403)),
      wrongUsage: perVersion(alert('unsupported_certificate'), page(403)),
      noIntermediate: perVersion(alert('unknown_ca'), page(403)),
      revoked: perVersion(alert('certificate_revoked'), page(403)),
    },
    remedies: {
      acceptedQuietly: 'name a path in the probe',
      refusedQuietly: 'name a path in the probe',
      accepted: lateOnly('–'),
      acceptedRsa: lateOnly('–'),
      notRevoked: lateOnly('–'),
      // What a server accepts in a renegotiation cannot be read.
      absent: lateOnly('read the log'),
      unknownAuthority: lateOnly('trust the root'),
      expired: lateOnly('rotate the identity'),
      notYetValid: lateOnly('rotate the identity'),
      wrongUsage: lateOnly('issue for client authentication'),
      noIntermediate: lateOnly('store the intermediate'),
      revoked: lateOnly('rotate the identity'),
    },
    note: 'With TLS 1.3, Apache refuses every client that cannot authenticate after the handshake, such as Node, before it reads a certificate. With TLS 1.2 it asks in a renegotiation after the request, and then answers as it does server-wide.',
  },
  haproxy: {
    version: '2.6.',
    cells: byOpenssl,
    remedies: namesRevocation,
    note: opensslNote,
  },
  caddy: {
    version: 'Go 1.19.',
    cells: byGo,
    note: 'Caddy sends `bad_certificate` for every fault of a certificate and for an absent one. It reads no revocation list and cannot be set below TLS 1.2.',
  },
  stunnel: {
    version: '5.',
    cells: byOpenssl,
    remedies: namesRevocation,
    note: opensslNote,
  },
  lighttpd: {
    version: '1.4.',
    cells: { ...byOpenssl, serverNoIntermediate: noHandshake('internal_error') },
    remedies: { ...namesRevocation, serverNoIntermediate: 'read the log' },
    note: 'As the servers with the alerts of OpenSSL, with one difference: given its own certificate alone, lighttpd builds the chain from the authorities it trusts for clients. If it cannot, it presents no certificate.',
  },
  openssl: {
    version: '3.0.',
    cells: byOpenssl,
    remedies: namesRevocation,
    note: opensslNote,
  },
  gnutls: {
    version: '3.7.',
    cells: {
      ...sameOnAll,
      absent: perVersion(
        withoutCertificate(ambiguousAlert('decode_error')),
        withoutCertificate(alert('certificate_required')),
      ),
      ...always(alert('access_denied')),
      wrongUsage: granted,
      oldProtocol: closedInHandshake,
    },
    remedies: { wrongUsage: '–' },
    note: 'gnutls-serv sends `access_denied` for every fault of a certificate and accepts one without client authentication. TLS 1.2 has no alert for an absent certificate, so `decode_error` is `inferred`.',
  },
  tomcat: {
    version: 'Java 17.',
    cells: {
      ...sameOnAll,
      absent: withoutCertificate(alert('bad_certificate')),
      ...always(alert('certificate_unknown')),
    },
    note: 'Java sends `certificate_unknown` for every fault of a certificate and `bad_certificate` for an absent one. `-Djavax.net.debug=ssl:handshake` prints the reason.',
  },
  javaSocket: {
    version: '17.',
    cells: {
      ...sameOnAll,
      absent: withoutCertificate(alert('bad_certificate')),
      ...always(alert('certificate_unknown')),
    },
    note: 'Java sends `certificate_unknown` for every fault of a certificate and `bad_certificate` for an absent one. `-Djavax.net.debug=ssl:handshake` prints the reason.',
  },
  javaHttps: {
    version: '17.',
    cells: { ...sameOnAll, absent: withoutCertificate(closed), ...always(closed), oldProtocol: closedInHandshake },
    note: 'com.sun.net.httpserver closes the connection without an alert for every fault, so the reason is always `inferred`.',
  },
  go: {
    version: '1.19.',
    cells: byGo,
    note: 'This version sends `bad_certificate` for every fault of a certificate and for an absent one. crypto/tls reads no revocation list.',
  },
  node: {
    version: '24.',
    cells: { ...sameOnAll, absent: byOpenssl.absent, ...always(closed) },
    note: 'Node completes the handshake with any certificate. If it does not accept the certificate, it closes the connection without an alert, so the reason is always `inferred`. An absent certificate gets the alert of OpenSSL.',
  },
} as const satisfies Record<string, ServerExpectation>;

export type ServerName = keyof typeof expectations;
