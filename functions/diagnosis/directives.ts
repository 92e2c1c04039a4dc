// What a customer writes into the configuration of its server, for each task and each server that can be told.
import type { Software } from './software.ts';

export type Task =
  /** Demand client certificates, and trust the platform's root for them. */
  | 'trust-clients'
  /** Serve the whole chain. */
  | 'serve-chain'
  | 'protocols'
  /** Ask for the client certificate in the handshake, not later. */
  | 'ask-in-handshake';

const directives: Readonly<Record<Task, Readonly<Partial<Record<Software, string>>>>> = {
  'trust-clients': {
    nginx: 'ssl_client_certificate /etc/nginx/platform-root.pem; ssl_verify_client on; ssl_verify_depth 3;',
    apache:
      'SSLCACertificateFile /etc/apache2/platform-root.pem, SSLVerifyClient require and SSLVerifyDepth 3 in the VirtualHost',
    haproxy: 'bind :443 ssl crt /etc/haproxy/server.pem ca-file /etc/haproxy/platform-root.pem verify required',
    caddy: 'tls { client_auth { mode require_and_verify; trust_pool file /etc/caddy/platform-root.pem } }',
    // caCertificateFile is read by its OpenSSL alone; with Java's TLS it lets nobody in.
    tomcat:
      '<SSLHostConfig certificateVerification="required" truststoreFile="conf/clients.p12" truststorePassword="…" truststoreType="PKCS12">, the root imported into conf/clients.p12 with keytool',
    iis: 'the root into Local Computer\\Trusted Root Certification Authorities, its intermediates into Intermediate Certification Authorities; SSL Settings: Require',
    lighttpd:
      'ssl.verifyclient.activate = "enable", ssl.verifyclient.enforce = "enable", ssl.verifyclient.ca-file = "/etc/lighttpd/platform-root.pem"',
    alb: 'a trust store with the root of the platform: aws elbv2 create-trust-store, then modify-listener --mutual-authentication Mode=verify,TrustStoreArn=…',
    apigateway:
      'the root and the intermediates of the platform in the truststore object in S3, then a new truststoreVersion of the custom domain name',
    azure: 'the root and the intermediates of the platform in the SSL profile of the listener (client authentication)',
    cloudflare: 'the root of the platform as a bring-your-own CA for mTLS, bound to the host name',
    envoy:
      'require_client_certificate: true, validation_context: { trusted_ca: { filename: /etc/envoy/platform-root.pem } }',
  },
  'serve-chain': {
    nginx: 'ssl_certificate /etc/nginx/fullchain.pem;',
    apache: 'SSLCertificateFile /etc/apache2/fullchain.pem',
    haproxy: 'crt /etc/haproxy/server.pem, with the certificate, its intermediates and the key',
    caddy: 'tls /etc/caddy/fullchain.pem /etc/caddy/key.pem',
    tomcat:
      '<Certificate certificateFile="conf/cert.pem" certificateChainFile="conf/chain.pem" certificateKeyFile="conf/key.pem">',
    iis: 'the intermediate into Local Computer\\Intermediate Certification Authorities, then bind the certificate again',
    lighttpd: 'ssl.pemfile = "/etc/lighttpd/fullchain.pem"',
    alb: 'aws acm import-certificate --certificate-chain fileb://chain.pem',
    apigateway: 'aws acm import-certificate --certificate-chain fileb://chain.pem',
    envoy: 'certificate_chain: { filename: /etc/envoy/fullchain.pem }',
  },
  protocols: {
    nginx: 'ssl_protocols TLSv1.2 TLSv1.3;',
    apache: 'SSLProtocol -all +TLSv1.2 +TLSv1.3',
    haproxy: 'ssl-default-bind-options ssl-min-ver TLSv1.2',
  },
  'ask-in-handshake': {
    apache: 'SSLVerifyClient require in the VirtualHost, outside of Location and Directory',
    iis: 'netsh http add sslcert … clientcertnegotiation=enable',
  },
};

export function directiveFor(task: Task, software: Software): string | undefined {
  return directives[task][software];
}
