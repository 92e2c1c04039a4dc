// A recorded handshake of mbedTLS 3.6.6 (Debian trixie, libmbedtls21) over TLS 1.3: the server asks for a client
// certificate, does not trust it, and sends its alert under the key of the handshake.
//
// Recorded with `record` of this folder against a server of `mbedtls_ssl_handshake` with MBEDTLS_SSL_VERIFY_REQUIRED
// and a CA that did not issue the client certificate. The server logged "The certificate is not correctly signed by the
// trusted CA". The secrets are those of this one connection; its certificates and keys were thrown away.

/** Every byte that the client received. */
export const mbedtlsRefusal: Buffer = Buffer.from(
  [
    'FgMDAHoCAAB2AwMTOM9ars1hETEZYiRRXLGm4vrxkwv6wleAnsGP78/PhCBvdEesa684VcFsMj3VqzmX8WmHttRWi6nCANTvRYZsABMCAAAu',
    'ACsAAgMEADMAJAAdACBmkGrRgAd8e4L1ctBlRX/azck6/S/QKW7HTjgljpD8chQDAwABARcDAwAgbneMYCQeMW8KafGet+5aVpfB6xsHUvTE',
    'xf4/FMIC+7kXAwMAMAxEpwJHnK6JX7YtAd1miuMNM3siYgACdeE3uN8IeL715xcWWmJBO9bGfT5VjDpnxxcDAwHASWEpc96kFNau7CX2WR7X',
    'U+01CZjj4nvnXYZ9LkeEAEfcRuWhR8SHmjN7i00TMiZvAfqWtMSi6rgofbNyuXkWnk1gWQgFZCUtOpk7dcbftzCrat+S5ZjrHRY++iki3f8J',
    '2M3zcWKtE8oYqbZTfqi1f4DC+5/OdJkg17ZdH9ufqmrvzYIYkUntfQNfPBIWvfc3+ZS2YR17aO3qrDEKHdH2fqZ/KzzuY0Ubm7LYM8NbK60L',
    'K4yTAPLLPolKpjXXL5MIrvz2nZmDM62oFXTgOUkvegclKPZ3U52eZAkKzvT5NOEdh39Z1u4y4FSBaGU6qOkCPg0T/71tubEs0leKMI23aBq+',
    'yMVa/5aifpP584QGh2zOAjDL4Cuhlq0PIGoJqEozC9UF46yq27c78xA6dNsYbi17xm5Zvol5ZHsBP3gCtJSEMxoirr9JBYtAYWbcdeVJw1fc',
    'YEzlpqFGyqH6z9ZviomKakgvC7O9BMQCAr5fmW5pzVw/kPz5deAi5xwAn4rd4omUqTSp3Zucs94UwCLNEv1SGNuciBQrckgGCzDuJ3ExGAl7',
    'ieZuvR2GA1/W4BaDFw5nSoockjQjaGjGqAEMxBcDAwBgwdrIji5cj473D3TZQhE/qazv3LFs7F9bWnItIEH7qzDlBxJnv4OQPu/9+skPxa75',
    'oeIJjhQ6dL9sjbWLO9tbLMBkLdoORaSoIOZ43Un91s6x3uzF5jE6GZJ+5ZYrAgDCFwMDAFBm07Z4WTdoS2X1YZYg6aOD0P5TsQ7CmcR312AH',
    'H0VuZfkg4aTGdLXgdWwAtguapLrJCpwV+07sBT/LR3sFXCT4JCeePI2nw9d/CCpkl9HqVRcDAwAgmczWoWbsV9P5aC4wtpTOi7p4w9fWiCAU',
    'rXBw5H2WooI=',
  ].join(''),
  'base64',
);

/** Lines of NSS's key log: the server's handshake secret, and its first application secret. */
export const mbedtlsSecrets: readonly Buffer[] = [
  'SERVER_HANDSHAKE_TRAFFIC_SECRET ab12a12cd640ac54eb3b5ed4efc23c4eb1f90d7429482948876698abfbea015b ' +
    '3ffa8404243123c2830b4d2cb838cd50b6425722ba91c8519a9430e42606290dda785dae2c1d55a54679bc39ca0dadfb\n',
  'SERVER_TRAFFIC_SECRET_0 ab12a12cd640ac54eb3b5ed4efc23c4eb1f90d7429482948876698abfbea015b ' +
    '51a28340a0f12749ae2006f2ac5dc12c4045011cf76eb7d77d9149a7a0e9b6994aa02e082a05a9d4e69be29e6a73bc3b\n',
].map((line) => Buffer.from(line));
