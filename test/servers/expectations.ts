// The expected outcome of every cell on every server, written by hand from the server's configuration before a run.
import {
  type Answer,
  alert,
  ambiguousAlert,
  closed,
  closedInHandshake,
  granted,
  grantedWithoutRequest,
  hangsBehindHandshake,
  hangsInHandshake,
  misdirected,
  neverAsked,
  noHandshake,
  notAskedWithoutRequest,
  page,
  perVersion,
  type ServerExpectation,
  unknownWithoutRequest,
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
  p521: granted,
  versionLimits: noHandshake('protocol_version'),
  misdirected,
  mustStaple: granted,
  commonNameOnly: untrusted('server-certificate-name-mismatch'),
  http2Only: noHandshake('no_application_protocol'),
  unknownName: noHandshake('unrecognized_name'),
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
  clockAhead: alert('certificate_expired'),
  clockBehind: alert('bad_certificate'),
  namesakeRoot: alert('unknown_ca'),
  shallow: alert('unknown_ca'),
  listExpired: alert('certificate_expired'),
  listMissing: alert('unknown_ca'),
  // Faults that the function has no alert for.
  criticalExtension: alert('certificate_unknown'),
  constrained: alert('certificate_unknown'),
  keyUsage: alert('unsupported_certificate'),
  // TLS 1.2: the curve is checked with the signature (tls12_check_peer_sigalg). TLS 1.3: the client has none to send.
  p256Only: perVersion(ambiguousAlert('illegal_parameter'), withoutCertificate(alert('certificate_required'))),
  sha1Only: withoutCertificate(ambiguousAlert('handshake_failure')),
  hangs: perVersion(hangsInHandshake, hangsBehindHandshake),
} as const;

const byOpensslRemedies = {
  clockAhead: 'check clock and lists',
  listExpired: 'check clock and lists',
  revoked: 'rotate the identity',
  p256Only: { 'TLSv1.2': 'issue with a usual key', 'TLSv1.3': 'accept the signature' },
} as const;

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
    clockAhead: answer,
    clockBehind: answer,
    namesakeRoot: answer,
    shallow: answer,
    listExpired: answer,
    listMissing: answer,
    criticalExtension: answer,
    constrained: answer,
    keyUsage: answer,
  };
}

const opensslNote =
  'These servers send the alerts of OpenSSL: `unknown_ca` for a missing intermediate and for an unknown CA, `bad_certificate` for a certificate that is not yet valid. TLS 1.2 has no alert for an absent certificate, so `handshake_failure` is `inferred`.';

const byGo = {
  ...sameOnAll,
  absent: withoutCertificate(alert('bad_certificate')),
  ...always(alert('bad_certificate')),
  // crypto/x509 checks the extended key usage of a client alone.
  keyUsage: granted,
};

const byJava = {
  ...sameOnAll,
  absent: withoutCertificate(alert('bad_certificate')),
  ...always(alert('certificate_unknown')),
  hangs: perVersion(hangsInHandshake, hangsBehindHandshake),
} as const;

export const expectations = {
  nginx: {
    version: '1.22.',
    cells: {
      ...sameOnAll,
      absent: withoutCertificate(page(400)),
      ...always(page(400)),
      refusedQuietly: grantedWithoutRequest,
      p256Only: perVersion(ambiguousAlert('illegal_parameter'), withoutCertificate(page(400))),
      sha1Only: withoutCertificate(page(400)),
      // It looks the certificate up once the handshake is complete.
      hangs: hangsBehindHandshake,
    },
    // No request was sent, and nginx refuses in HTTP.
    remedies: { refusedQuietly: 'trust the root', p256Only: byOpensslRemedies.p256Only },
    note: 'The handshake always succeeds. nginx refuses in HTTP: one page for every certificate it does not accept, another for an absent one. Its error log has the reason at level `info`.',
  },
  apache: {
    version: '2.4.',
    cells: {
      ...byOpenssl,
      // mod_ssl's own callback (ssl_callback_SSLVerify) replaces the verdict of OpenSSL.
      shallow: ambiguousAlert('internal_error'),
      listExpired: alert('certificate_unknown'),
    },
    remedies: { ...byOpensslRemedies, listExpired: 'read the log' },
    note: opensslNote,
  },
  apacheLocation: {
    version: '2.4.',
    cells: {
      ...byOpenssl,
      p521: perVersion(granted, page(403)),
      mustStaple: perVersion(granted, page(403)),
      clockAhead: perVersion(alert('certificate_expired'), page(403)),
      clockBehind: perVersion(alert('bad_certificate'), page(403)),
      namesakeRoot: perVersion(alert('unknown_ca'), page(403)),
      shallow: perVersion(ambiguousAlert('internal_error'), page(403)),
      listExpired: perVersion(alert('certificate_unknown'), page(403)),
      listMissing: perVersion(alert('unknown_ca'), page(403)),
      criticalExtension: perVersion(alert('certificate_unknown'), page(403)),
      constrained: perVersion(alert('certificate_unknown'), page(403)),
      keyUsage: perVersion(alert('unsupported_certificate'), page(403)),
      p256Only: perVersion(ambiguousAlert('illegal_parameter'), page(403)),
      sha1Only: ambiguousAlert('handshake_failure'),
      hangs: perVersion(hangsBehindHandshake, page(403)),
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
    weak: [
      {
        cell: 'listMissing',
        version: 'TLSv1.2',
        remedy: 'trust the root',
        reason: 'The alert is that of an unknown CA, and a renegotiation hides which authorities the server names.',
      },
    ],
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
      p521: lateOnly('–'),
      mustStaple: lateOnly('staple OCSP'),
      clockAhead: lateOnly('check clock and lists'),
      clockBehind: lateOnly('read the log'),
      // To add the root that signed is the remedy here too.
      namesakeRoot: lateOnly('trust the root'),
      shallow: lateOnly('allow the depth'),
      listExpired: lateOnly('read the log'),
      listMissing: lateOnly('read the log'),
      criticalExtension: lateOnly('issue without the extension'),
      constrained: lateOnly('issue within the constraints'),
      keyUsage: lateOnly('issue with digitalSignature'),
      p256Only: lateOnly('issue with a usual key'),
      sha1Only: 'read the log',
      hangs: lateOnly('find out what hangs'),
    },
    note: 'With TLS 1.3, Apache refuses every client that cannot authenticate after the handshake, such as Node, before it reads a certificate. With TLS 1.2 it asks in a renegotiation after the request, and then answers as it does server-wide.',
  },
  haproxy: {
    version: '2.6.',
    cells: byOpenssl,
    remedies: byOpensslRemedies,
    note: opensslNote,
  },
  caddy: {
    version: 'Go 1.19.',
    cells: { ...byGo, unknownName: noHandshake('internal_error') },
    remedies: { keyUsage: '–', unknownName: 'read the log' },
    note: 'Caddy sends `bad_certificate` for every fault of a certificate and for an absent one. It reads no revocation list and cannot be set below TLS 1.2.',
  },
  stunnel: {
    version: '5.',
    cells: byOpenssl,
    remedies: byOpensslRemedies,
    note: opensslNote,
  },
  lighttpd: {
    version: '1.4.',
    cells: { ...byOpenssl, serverNoIntermediate: noHandshake('internal_error') },
    remedies: { ...byOpensslRemedies, serverNoIntermediate: 'read the log' },
    note: 'As the servers with the alerts of OpenSSL, with one difference: given its own certificate alone, lighttpd builds the chain from the authorities it trusts for clients. If it cannot, it presents no certificate.',
  },
  openssl: {
    version: '3.0.',
    cells: byOpenssl,
    // It sends its own certificate twice.
    remedies: {
      ...byOpensslRemedies,
      accepted: 'serve the chain in order',
      acceptedRsa: 'serve the chain in order',
      acceptedQuietly: 'serve the chain in order',
      notRevoked: 'serve the chain in order',
      p521: 'serve the chain in order',
      mustStaple: 'serve the chain in order',
    },
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
      // It takes a list for what it is, whatever its date, and asks for none.
      listExpired: granted,
      listMissing: granted,
      keyUsage: ambiguousAlert('internal_error'),
      oldProtocol: closedInHandshake,
      versionLimits: noHandshake('handshake_failure'),
    },
    remedies: { wrongUsage: '–', listExpired: '–', listMissing: '–' },
    note: 'gnutls-serv sends `access_denied` for every fault of a certificate and accepts one without client authentication. TLS 1.2 has no alert for an absent certificate, so `decode_error` is `inferred`.',
  },
  tomcat: {
    version: 'Java 17.',
    cells: byJava,
    note: 'Java sends `certificate_unknown` for every fault of a certificate and `bad_certificate` for an absent one. `-Djavax.net.debug=ssl:handshake` prints the reason.',
  },
  javaSocket: {
    version: '17.',
    cells: byJava,
    note: 'Java sends `certificate_unknown` for every fault of a certificate and `bad_certificate` for an absent one. `-Djavax.net.debug=ssl:handshake` prints the reason.',
  },
  javaHttps: {
    version: '17.',
    cells: {
      ...sameOnAll,
      absent: withoutCertificate(closed),
      ...always(closed),
      oldProtocol: closedInHandshake,
      versionLimits: closedInHandshake,
      unknownName: closedInHandshake,
      hangs: byJava.hangs,
    },
    remedies: { unknownName: 'read the log' },
    note: 'com.sun.net.httpserver closes the connection without an alert for every fault, so the reason is always `inferred`.',
  },
  go: {
    version: '1.19.',
    cells: { ...byGo, hangs: perVersion(hangsInHandshake, hangsBehindHandshake) },
    remedies: { keyUsage: '–' },
    note: 'This version sends `bad_certificate` for every fault of a certificate and for an absent one. crypto/tls reads no revocation list.',
  },
  node: {
    version: '24.',
    cells: {
      ...sameOnAll,
      absent: byOpenssl.absent,
      ...always(closed),
      p256Only: byOpenssl.p256Only,
      // Its callback for the name fails, and it closes.
      unknownName: closedInHandshake,
    },
    remedies: { p256Only: byOpensslRemedies.p256Only, unknownName: 'read the log' },
    note: 'Node completes the handshake with any certificate. If it does not accept the certificate, it closes the connection without an alert, so the reason is always `inferred`. An absent certificate gets the alert of OpenSSL.',
  },
  hitch: {
    version: '1.7.',
    cells: byOpenssl,
    remedies: byOpensslRemedies,
    note: opensslNote,
  },
  squid: {
    version: '5.',
    cells: byOpenssl,
    remedies: byOpensslRemedies,
    note: opensslNote,
  },
  nghttpx: {
    version: '1.5',
    cells: byOpenssl,
    remedies: byOpensslRemedies,
    note: opensslNote,
  },
  uwsgi: {
    version: '2.0.',
    cells: {
      ...byOpenssl,
      // uwsgi_ssl_new_server_context enables one group, P-256, which counts for certificates too in TLS 1.2 alone.
      p521: perVersion(ambiguousAlert('illegal_parameter'), granted),
    },
    remedies: { ...byOpensslRemedies, p521: { 'TLSv1.2': 'issue with a usual key', 'TLSv1.3': '–' } },
    note: 'As the servers with the alerts of OpenSSL, with one difference: over TLS 1.2, uWSGI accepts keys on P-256 and of RSA only.',
  },
  python: {
    version: '3.11.',
    cells: byOpenssl,
    // It names no authority, and to add the root that signed is the remedy here too.
    remedies: { ...byOpensslRemedies, namesakeRoot: 'trust the root' },
    weak: (['TLSv1.2', 'TLSv1.3'] as const).map((version) => ({
      cell: 'listMissing',
      version,
      remedy: 'trust the root',
      reason: 'The alert is that of an unknown CA, and the server names no authority.',
    })),
    note: opensslNote,
  },
  lighttpdGnutls: {
    version: '1.4.',
    cells: {
      ...sameOnAll,
      absent: withoutCertificate(closed),
      ...always(alert('access_denied')),
      wrongUsage: granted,
      // It hands the lists to GnuTLS only where `ca-dn-file` is set as well (mod_gnutls_verify_set_tlist).
      revoked: granted,
      listExpired: granted,
      listMissing: granted,
      // GnuTLS returns an error here, and lighttpd sends no alert for one.
      shallow: closed,
      keyUsage: closed,
      oldProtocol: closedInHandshake,
      versionLimits: closedInHandshake,
    },
    remedies: {
      // It names no authority and has one alert for every fault.
      unknownAuthority: 'read the log',
      refusedQuietly: 'read the log',
      wrongUsage: '–',
      revoked: '–',
      listExpired: '–',
      listMissing: '–',
    },
    note: 'mod_gnutls sends `access_denied` for most faults of a certificate, and closes the connection without an alert for others and for an absent one. It accepts a certificate without client authentication. This version reads a revocation list, but does not use it.',
  },
  lighttpdWolfssl: {
    version: '1.4.',
    cells: {
      ...sameOnAll,
      unknownAuthority: alert('unknown_ca'),
      refusedQuietly: withoutRequest(alert('unknown_ca')),
      noIntermediate: alert('unknown_ca'),
      // It looks for the issuer by its key identifier.
      namesakeRoot: alert('unknown_ca'),
      expired: alert('certificate_expired'),
      notYetValid: alert('certificate_expired'),
      wrongUsage: alert('bad_certificate'),
      // It cannot read such a certificate, and sends no alert for that.
      criticalExtension: closed,
      constrained: alert('bad_certificate'),
      // It is checked against the cipher suite, and TLS 1.3's say nothing of signatures (ProcessPeerCerts).
      keyUsage: perVersion(alert('bad_certificate'), granted),
      // It chooses TLS 1.2, and finds no cipher suite for it.
      versionLimits: perVersion(noHandshake('handshake_failure'), noHandshake('protocol_version')),
    },
    remedies: {
      // It names no authority, and to add the root that signed is the remedy here too.
      namesakeRoot: 'trust the root',
      // It ends a handshake with a request for a staple, unless the authority of its own certificate is loaded.
      accepted: 'let in who asks for a staple',
      acceptedRsa: 'let in who asks for a staple',
      acceptedQuietly: 'let in who asks for a staple',
      p521: 'let in who asks for a staple',
      mustStaple: 'let in who asks for a staple',
      keyUsage: { 'TLSv1.2': 'issue with digitalSignature', 'TLSv1.3': 'let in who asks for a staple' },
    },
    note: 'wolfSSL sends `certificate_expired` for a certificate that is not yet valid as well, and `bad_certificate` for most other faults. It closes the connection if a client asks for a stapled OCSP response, unless the authority of its own certificate is loaded; a diagnosis asks, and then tries without, as calls do.',
  },
  lighttpdMbedtls: {
    version: '1.4.',
    cells: {
      ...sameOnAll,
      absent: withoutCertificate(closed),
      unknownAuthority: alert('unknown_ca'),
      refusedQuietly: withoutRequest(alert('unknown_ca')),
      noIntermediate: alert('unknown_ca'),
      namesakeRoot: alert('unknown_ca'),
      expired: alert('certificate_expired'),
      notYetValid: alert('certificate_unknown'),
      clockAhead: alert('certificate_expired'),
      clockBehind: alert('certificate_unknown'),
      wrongUsage: alert('unsupported_certificate'),
      keyUsage: alert('unsupported_certificate'),
      p256Only: alert('unsupported_certificate'),
      // The callback for the depth sets "other".
      shallow: alert('access_denied'),
      // It reads no certificate with a critical extension that it does not know, such as name constraints.
      criticalExtension: alert('bad_certificate'),
      constrained: alert('bad_certificate'),
      // It chooses TLS 1.2, and finds no cipher suite for it.
      versionLimits: noHandshake('handshake_failure'),
    },
    remedies: {
      clockAhead: 'check clock and lists',
    },
    note: 'mbedTLS 2.28 has no TLS 1.3. It names most faults, sends `certificate_unknown` for a certificate that is not yet valid, and closes the connection without an alert for an absent one.',
  },
  nss: {
    version: '3.',
    cells: {
      ...sameOnAll,
      // It sends no session ticket.
      acceptedQuietly: perVersion(grantedWithoutRequest, unknownWithoutRequest),
      absent: perVersion(
        withoutCertificate(alert('bad_certificate')),
        withoutCertificate(alert('certificate_required')),
      ),
      unknownAuthority: alert('unknown_ca'),
      refusedQuietly: withoutRequest(alert('unknown_ca')),
      noIntermediate: alert('unknown_ca'),
      // It looks for the issuer by its key identifier.
      namesakeRoot: alert('unknown_ca'),
      expired: alert('certificate_expired'),
      notYetValid: alert('certificate_expired'),
      clockAhead: alert('certificate_expired'),
      clockBehind: alert('certificate_expired'),
      wrongUsage: alert('certificate_unknown'),
      keyUsage: alert('certificate_unknown'),
      revoked: alert('certificate_revoked'),
      // The date of a list is not looked at, and a missing list refuses no certificate.
      listExpired: granted,
      listMissing: granted,
      criticalExtension: alert('bad_certificate'),
      constrained: alert('bad_certificate'),
    },
    remedies: {
      revoked: 'rotate the identity',
      clockAhead: 'check clock and lists',
      clockBehind: 'check clock and lists',
      listExpired: '–',
      listMissing: '–',
    },
    note: 'NSS sends `certificate_expired` for a certificate that is not yet valid as well, and `certificate_unknown` for one without client authentication. TLS 1.2 has no alert for an absent certificate; NSS sends `bad_certificate`.',
  },
  erlang: {
    version: '10.',
    cells: {
      ...sameOnAll,
      // It sends no session ticket.
      acceptedQuietly: perVersion(grantedWithoutRequest, unknownWithoutRequest),
      absent: byOpenssl.absent,
      unknownAuthority: alert('unknown_ca'),
      refusedQuietly: withoutRequest(alert('unknown_ca')),
      noIntermediate: alert('unknown_ca'),
      namesakeRoot: alert('unknown_ca'),
      expired: alert('certificate_expired'),
      notYetValid: alert('certificate_expired'),
      clockAhead: alert('certificate_expired'),
      clockBehind: alert('certificate_expired'),
      // path_validation_alert in ssl_handshake.erl has no alert for these two.
      wrongUsage: ambiguousAlert('handshake_failure'),
      shallow: ambiguousAlert('handshake_failure'),
      revoked: alert('certificate_revoked'),
      listExpired: alert('bad_certificate'),
      listMissing: alert('bad_certificate'),
      criticalExtension: alert('unsupported_certificate'),
      constrained: alert('bad_certificate'),
      // Of a leaf it checks the extended key usage alone.
      keyUsage: granted,
    },
    remedies: {
      revoked: 'rotate the identity',
      clockAhead: 'check clock and lists',
      clockBehind: 'check clock and lists',
      keyUsage: '–',
    },
    note: 'Erlang sends `certificate_expired` for a certificate that is not yet valid as well. It sends `handshake_failure`, which has other meanings, for one without client authentication and for a chain that is too deep.',
  },
  ruby: {
    version: '3.1.',
    cells: byOpenssl,
    remedies: byOpensslRemedies,
    note: opensslNote,
  },
  bouncyCastleSocket: {
    version: '1.72',
    cells: {
      ...sameOnAll,
      // ProvSSLSocketDirect and ProvTlsServer: one alert for what the trust manager throws.
      ...always(alert('certificate_unknown')),
      // It sends no session ticket.
      acceptedQuietly: perVersion(grantedWithoutRequest, unknownWithoutRequest),
      absent: byOpenssl.absent,
    },
    note: 'Bouncy Castle sends `certificate_unknown` for every fault of a certificate, as Java does. For an absent one it sends `handshake_failure` over TLS 1.2 and `certificate_required` over TLS 1.3.',
  },
} as const satisfies Record<string, ServerExpectation>;

export type ServerName = keyof typeof expectations;
