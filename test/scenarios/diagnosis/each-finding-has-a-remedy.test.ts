// One table from what was found to who must do what, with the directive of the server where its answer tells which it
// is.
import { describe, expect, it } from 'vitest';
import type { ClientFacts } from '../../../core/diagnosis/client-certificate.ts';
import { type Finding, findingCodes, type Remedy, stepOf } from '../../../core/diagnosis/diagnosis.ts';
import { byCode, byEvidence } from '../../../core/diagnosis/finding-remedies.ts';
import { type RemedyContext, remediesFor } from '../../../core/diagnosis/remedies.ts';
import { byServerReason } from '../../../core/diagnosis/server-remedies.ts';
import { type Evidence, errorTable } from '../../../core/errors.ts';
import { negotiationReasons } from '../../../core/tls/negotiation-failure.ts';

type Case = readonly [key: string, told: readonly string[], severity?: Finding['severity']];

const page = ' The page docs/customers.md has the configuration for';
const trust = `customer: Add the root certificate of the platform to the authorities trusted for clients, and accept the intermediates that come with the client certificate.${page}`;
const log = 'customer: Check in the log of the server why it refused the client certificate.';
const clock = 'customer: Check the clock of the server: the client certificate is valid from 2026-01-01 to 2026-12-31.';
const clockAndLists = 'customer: Check the clock of the server and renew its revocation lists: ';
const depth = 'customer: Allow a chain with 1 intermediate certificates below the root';
const sameKey =
  'customer: Compare the SHA-256 fingerprint of CN=Root in the trusted authorities of the server with ours, AA:BB:';
const lists = 'customer: If the server checks revocation: load a current revocation list';
const listKey = 'customer: If the server checks revocation: check that each list is signed with the key';
const inspection = 'network: If a device in front of api.test inspects TLS';
const serverLog = 'customer: Check in the log of the server why it ended the handshake';
const rotate = 'platform: Rotate the identity robot';

const client: ClientFacts = {
  validFrom: '2026-01-01',
  validTo: '2026-12-31',
  isValid: true,
  isForClients: true,
  isRsa: true,
  intermediates: 1,
  root: 'CN=Root',
  rootFingerprint: 'AA:BB',
};

const context: RemedyContext = {
  software: undefined,
  host: 'api.test',
  port: 443,
  identity: 'robot',
  page: undefined,
  nothingSent: false,
  isAsked: true,
  isGranted: false,
  issuers: 'any',
  client,
  tried: undefined,
};

const byTheCode: readonly Case[] = [
  ['name-resolution-failed', ['caller: Check the spelling of api.test.', 'customer: Publish an address']],
  ['connection-refused', ['customer: Start the API on that port']],
  ['connection-failed', ['network: Check the route from the platform to api.test.']],
  ['connection-timeout', ['network: Let the addresses of the platform through']],
  ['server-not-tls', ['caller: Use the port', 'customer: Enable TLS']],
  ['handshake-timeout', ['customer: Check why']],
  ['server-certificate-expired', ['customer: Install a certificate that is valid today']],
  ['server-certificate-expires-soon', ['customer: Renew the certificate CN=a before'], 'warning'],
  [
    'server-certificate-name-mismatch',
    ['customer: Install a certificate whose subject alternative names include b.test.', 'platform: Set the serverName'],
  ],
  ['server-certificate-weak', ['customer: Replace the certificate CN=a by one'], 'warning'],
  ['server-certificate-pin-mismatch', ['platform: Ask the customer', 'network: If the key did not change']],
  ['server-chain-unordered', [`customer: Serve the chain in order`], 'warning'],
  ['stapled-ocsp-revoked', ['customer: Replace the certificate'], 'warning'],
  ['stapled-ocsp-stale', ['customer: Make the server fetch'], 'warning'],
  ['stapled-ocsp-invalid', ['customer: Correct the OCSP response'], 'warning'],
  ['stapled-ocsp-missing', ['customer: Enable OCSP stapling'], 'warning'],
  ['stapled-ocsp-refused', ['customer: Let the server complete handshakes'], 'warning'],
  [
    'client-certificate-not-requested',
    [`customer: Enable client certificate verification for api.test on port 443.${page}`],
  ],
  ['client-issuer-not-accepted', [trust], 'warning'],
  ['client-signature-not-accepted', ['customer: Accept a signature algorithm', 'platform: Or issue the identity']],
  ['client-certificate-expires-soon', ['platform: Rotate the identity robot.'], 'warning'],
  ['server-certificate-untrusted', ['customer: Install a certificate whose chain is valid for servers']],
  ['stapled-ocsp-unknown', ['customer: Ask the authority'], 'warning'],
  [
    'client-chain-signature-not-accepted',
    ['customer: Accept the algorithms that the client certificates are signed with: rsa_pss.', 'platform: Or issue'],
    'warning',
  ],
  [
    'response-timeout',
    ['customer: Check why the API does not answer', 'caller: If the API only needs more time'],
    'warning',
  ],
  ['response-incomplete', ['customer: Check in the log of the API'], 'warning'],
  [
    'response-malformed',
    ['customer: Correct the response of the API at api.test on port 443: it is not valid HTTP/1.1.'],
    'warning',
  ],
  ['probe-unexpected-status', ['caller: Use a probe path that answers 2xx', 'platform: Or set the probe'], 'warning'],
  [
    'misdirected-request',
    ['platform: Set the serverName of the destination to the name', 'customer: Serve b.test at api.test on port 443'],
    'warning',
  ],
  ['identity-unusable', ['platform: Store a corrected version of the identity robot']],
];

/** Each reason with the finding that has it: a finding about the server can have a reason of the same name. */
const byTheEvidence: readonly (readonly [reason: string, code: string, told: readonly string[]])[] = [
  [
    'HPE_INVALID_CONSTANT',
    'response-malformed',
    ['caller: Check that an API listens for HTTPS at api.test on port 443.'],
  ],
  [
    'HPE_INVALID_VERSION',
    'response-malformed',
    ['caller: Check that an API listens for HTTPS at api.test on port 443.'],
  ],
  [
    'certificate-signature',
    'client-signature-not-accepted',
    ['customer: Accept certificates that are signed with', 'platform: Or have the identity issued'],
  ],
  [
    'self-signed',
    'server-certificate-untrusted',
    ['platform: If the certificate is the right one', 'customer: Or install'],
  ],
  [
    'unknown-root',
    'server-certificate-untrusted',
    ['platform: Add the customer’s root CN=Issuer to the serverRoots', 'customer: Send the platform that root'],
  ],
  [
    'missing-intermediate',
    'server-certificate-untrusted',
    [`customer: Serve the intermediate certificate CN=Issuer after the server’s own.${page}`],
  ],
  [
    'no-server-name',
    'misdirected-request',
    ['platform: Set the serverName of the destination to the name of the API', 'customer: Or serve'],
  ],
  ['validity', 'client-certificate-suspect', ['platform: Rotate the identity robot.']],
  [
    'chain-incomplete',
    'client-certificate-suspect',
    ['platform: Store the intermediate certificate CN=Issuer with the identity robot.'],
  ],
  [
    'extended-key-usage',
    'client-certificate-suspect',
    ['platform: Issue the identity with clientAuth in the extended key usage of CN=a.'],
  ],
  [
    'critical-extension',
    'client-certificate-suspect',
    ['platform: Issue the identity without the critical extension 1.2.3'],
  ],
  [
    'name-constraints',
    'client-certificate-suspect',
    ['platform: Issue the identity with names that the name constraints of CN=a permit'],
  ],
  ['chain-depth', 'client-certificate-suspect', [`customer: Allow 2 intermediate certificates`]],
  [
    'key-usage',
    'client-certificate-suspect',
    ['platform: Issue the identity with digitalSignature in the key usage of CN=a.'],
  ],
  ['key-type', 'client-certificate-suspect', ['platform: Issue the identity with a key that every server accepts']],
];

/** For each alert and page: by a server that names any issuer, and by one that names ours. */
const ofRefusals: readonly (readonly [alertOrPage: string, any: readonly string[], ours: readonly string[]])[] = [
  ['unknown_ca', [trust, log], [log, depth, sameKey, lists]],
  ['bad_certificate', [log, trust], [log, clock, depth, sameKey, lists]],
  ['certificate_unknown', [log, trust], [log, clock, depth, sameKey, lists]],
  ['access_denied', [log, trust], [log, clock, depth, sameKey, lists]],
  ['certificate_required', [trust, log], [log, clock, depth, sameKey, lists]],
  ['decrypt_error', [log, sameKey, listKey, inspection], [log, sameKey, listKey, inspection]],
  ['untrusted', [trust, log], [log, clock, depth, sameKey, lists]],
  ['certificate_expired', [clockAndLists], [clockAndLists]],
  ['certificate_revoked', [rotate, 'customer: Or correct'], [rotate, 'customer: Or correct']],
  ['unsupported_certificate', ['customer: Accept the key type', log], ['customer: Accept the key type', log]],
  ['denied', ['customer: Map the subject'], ['customer: Map the subject']],
  ['expired-or-revoked', [clockAndLists, rotate], [clockAndLists, rotate]],
  [
    'wanted-after-handshake',
    ['customer: Ask for the client certificate for the whole virtual host', 'platform: Set maxTlsVersion'],
    ['customer: Ask for the client certificate for the whole virtual host', 'platform: Set maxTlsVersion'],
  ],
];

const pages = ['untrusted', 'denied', 'expired-or-revoked', 'wanted-after-handshake'];

function evidenceOf(reason: string): Evidence {
  const words = { missingIssuer: 'CN=Issuer', signature: 'rsa_pkcs1_sha256', site: 'b.test', certificate: 'CN=a' };
  return { reason, ...words, extensions: ['1.2.3'], intermediates: 2 };
}

function refused(alertOrPage: string): Evidence {
  return pages.includes(alertOrPage) ? { page: alertOrPage } : { alert: alertOrPage };
}

describe('the remedy of', () => {
  it.each(byTheCode.map((row) => [row[0], row] as const))('%s', (code, [, told, severity = 'failure']) => {
    expectTold(
      remedies({
        code,
        severity,
        evidence: { subject: 'CN=a', expected: 'b.test', site: 'b.test', signatures: ['rsa_pss'] },
      }),
      told,
    );
  });

  it.each(byTheEvidence)('%s of %s', (reason, code, told) => {
    expectTold(remedies({ code, evidence: evidenceOf(reason) }), told);
  });

  it('everything that has one is in these tables', () => {
    expect(byTheCode.map(([code]) => code).sort()).toEqual(Object.keys(byCode).sort());
    expect(byTheEvidence.map(([key]) => key).sort()).toEqual(Object.keys(byEvidence).sort());
  });

  // The scenarios of failures and of negotiations hold the words of each.
  it.each(Object.entries(byServerReason))('%s, a cause at the server, is filled in', (reason, entries) => {
    const evidence = {
      reason,
      subject: 'CN=a',
      expected: 'b.test',
      serverName: 'b.test',
      minTlsVersion: 'TLSv1.3',
      maxTlsVersion: 'TLSv1.3',
    };
    const code = negotiationReasons.some((one) => one === reason)
      ? 'tls-negotiation-failed'
      : 'server-certificate-invalid';
    const named = remedies({ code, evidence });
    const { subject: _subject, ...without } = evidence;
    for (const all of [named, remedies({ code, evidence: without })]) {
      expect(all.map(({ who }) => who)).toEqual(entries.map(({ who }) => who));
      for (const remedy of all) expect(remedy.do).toMatch(/^[A-Z][^{}]+\.$/);
    }
    const ofAll = new Set(Object.values(byServerReason).map(([first]) => first?.do));
    expect(ofAll.size).toBe(Object.keys(byServerReason).length);
  });

  it('a certificate in serverRoots that is at fault is the platform’s to replace', () => {
    const evidence = { reason: 'CERT_HAS_EXPIRED', subject: 'CN=a', inServerRoots: true };
    expectTold(remedies({ code: 'server-certificate-expired', evidence }), [
      'platform: Replace CN=a in the serverRoots',
    ]);
  });

  it.each(ofRefusals)('a refusal by %s depends on the issuers that the server names', (alertOrPage, any, ours) => {
    const finding = { code: 'client-certificate-rejected', evidence: refused(alertOrPage) };
    expectTold(remedies(finding), any);
    expectTold(remedies(finding, { issuers: 'ours' }), ours);
    const isOfTrust = ['unknown_ca', 'certificate_required', 'untrusted'].includes(alertOrPage);
    if (isOfTrust) expectTold(remedies(finding, { issuers: 'others' }), [trust]);
    expectTold(remedies(finding, { nothingSent: true }), []);
  });

  it('a refusal of a certificate that has a fault is to the platform', () => {
    const code = 'client-certificate-rejected';
    const expired = { client: { ...client, isValid: false } };
    expectTold(remedies({ code, evidence: refused('certificate_expired') }, expired), [`${rotate}.`, clock]);
    expectTold(remedies({ code, evidence: refused('expired-or-revoked') }, expired), [`${rotate}.`, clockAndLists]);
    const forServers = { client: { ...client, isForClients: false } };
    expectTold(remedies({ code, evidence: refused('unsupported_certificate') }, forServers), [
      'customer: Accept the key type',
    ]);
  });

  it('an inferred refusal is the log, and to trust us; behind a complete handshake the log, with other causes', () => {
    const inferred = { code: 'client-certificate-rejected', certainty: 'inferred' } as const;
    const closed = 'customer: Check in the log of the server why it closed the connection: ';
    expectTold(remedies(inferred), [log, trust]);
    expectTold(remedies({ ...inferred, evidence: { handshake: 'complete' } }), [closed, trust]);
    expectTold(remedies(inferred, { issuers: 'ours' }), [log, clock, depth, sameKey, lists]);
  });

  it('a signature that does not verify over TLS 1.3 can be RSA-PSS, if our key is RSA', () => {
    const finding = { code: 'client-certificate-rejected', certainty: 'inferred' } as const;
    const evidence = { alert: 'decrypt_error', protocol: 'TLSv1.3' };
    const pss = [
      'customer: If the server cannot verify RSA-PSS',
      'platform: Or issue the identity robot with an EC key',
    ];
    expectTold(remedies({ ...finding, evidence }), [log, sameKey, ...pss, listKey, inspection]);
    const ec = { client: { ...client, isRsa: false } };
    expectTold(remedies({ ...finding, evidence }, ec), [log, sameKey, listKey, inspection]);
  });

  it.each([
    [{ alert: 'handshake_failure' }, [`${serverLog}.`, `customer: Offer TLS 1.2 or 1.3 with a current cipher suite`]],
    [{ alert: 'internal_error' }, [`${serverLog}: often it has no certificate for api.test`]],
    [{ alert: 'insufficient_security' }, ['customer: Accept AES-GCM with ECDHE']],
    [{ alert: 'access_denied' }, ['customer: Check the rules of the server for client addresses']],
    [{ alert: 'illegal_parameter' }, ['customer: Update the TLS library', inspection]],
    [{ alert: 'decode_error' }, ['customer: Update the TLS library', inspection]],
    [{ alert: 'user_canceled' }, [`${serverLog}.`]],
    [{ reason: 'ECONNRESET' }, ['customer: Check in the log of the server, and of a load balancer', 'network: If the']],
    [{ reason: 'ERR_SSL_BAD_LENGTH' }, [`${serverLog}.`]],
  ])('a handshake that ends with %j, before a cause shows', (evidence, told) => {
    expectTold(remedies({ code: 'tls-negotiation-failed', evidence: evidence as Evidence }), told);
  });

  it('nginx has one page for every fault, and its log needs a level', () => {
    const finding = { code: 'client-certificate-rejected', evidence: { page: 'untrusted' } };
    const [first] = remedies(finding, { issuers: 'ours', software: 'nginx' });
    expect(first).toMatchObject({ who: 'customer', do: expect.stringMatching(/error_log at the level info\.$/) });
  });

  it('a plain 403 is the log and the rules of access; to trust us only where our issuer is not named', () => {
    const forbidden = {
      code: 'client-certificate-rejected',
      certainty: 'inferred',
      evidence: { status: 403 },
    } as const;
    const access = 'customer: Check that the subject of the client certificate has access';
    expectTold(remedies(forbidden), [log, access, trust]);
    expectTold(remedies(forbidden, { issuers: 'ours' }), [log, access]);
  });

  it('a time-out after our certificate is the verification of the server', () => {
    const slow = 'customer: Check why the server does not finish the verification of the client certificate';
    expectTold(remedies({ code: 'handshake-timeout', certainty: 'inferred' }), [slow]);
    const evidence = { handshake: 'unconfirmed' };
    expectTold(remedies({ code: 'response-timeout', certainty: 'inferred', evidence }), [slow]);
    const orApi = remedies({ code: 'response-timeout', certainty: 'inferred' });
    expectTold(orApi, [slow, 'caller: If the API only needs more time']);
    expect(orApi[1]?.do).toContain('--timeout');
  });

  it('a missing certificate of which only its kind is inferred is for both kinds', () => {
    const evidence = evidenceOf('unknown-root');
    const code = 'server-certificate-untrusted';
    expectTold(remedies({ code, certainty: 'inferred', evidence }), [
      'platform: If CN=Issuer is a root: add it to the serverRoots of the destination.',
      `customer: If CN=Issuer is an intermediate: serve it after the server’s own certificate.${page}`,
    ]);
  });

  it('a certificate that expires soon comes after the fault that was found', () => {
    const soon: Finding = {
      code: 'client-certificate-expires-soon',
      severity: 'warning',
      detail: 'It expires soon.',
      certainty: 'observed',
    };
    const refusal: Finding = {
      code: 'client-certificate-rejected',
      severity: 'failure',
      detail: 'It is refused.',
      certainty: 'observed',
      evidence: { alert: 'unknown_ca' },
    };
    const told = remediesFor([stepOf(4, [soon], 0), stepOf(5, [refusal], 0)], context);
    expectTold(told, [trust, log, rotate]);
  });

  it('what did not keep it from letting us in is to look why, and of a note none', () => {
    const code = 'client-issuer-not-accepted';
    expectTold(remedies({ code, severity: 'warning' }, { isGranted: true }), [
      'customer: Check that the server verifies client certificates',
    ]);
    expectTold(remedies({ code: 'connection-refused', severity: 'note' }), []);
  });
});

describe('every finding', () => {
  // What the steps say with a reason, an alert or a page has a remedy by that.
  const notes = [
    'server-protocol-old',
    'client-certificate-asked-late',
    'client-certificate-accepted',
    'handshake-not-read',
    'tls12-tried',
    'probe-answered',
    'not-probed',
  ];
  // What ends a call or a rotation is no finding of a diagnosis.
  const neverFound = ['response-too-large', 'new-certificate-rejected'];

  it.each(findingCodes.filter((code) => !notes.includes(code)))('%s, a failure or a warning, has a remedy', (code) => {
    const evidence = code === 'client-certificate-suspect' ? { reason: 'key-type' } : {};
    expect(remedies({ code, severity: 'warning', evidence })).not.toEqual([]);
  });

  it.each(
    Object.entries(errorTable)
      .filter(([code, { step }]) => (step !== undefined || code.startsWith('response-')) && !neverFound.includes(code))
      .map(([code]) => code),
  )('%s, an error of a connection, has a remedy', (code) => {
    // Its reason is never absent.
    const evidence = code === 'server-certificate-invalid' ? { reason: 'other' } : {};
    expect(remedies({ code, evidence })).not.toEqual([]);
  });

  it('a server that never asked, at a path that was not tried, has one for the caller', () => {
    const code = 'client-certificate-not-requested';
    expectTold(remedies({ code, certainty: 'inferred' }), ['caller: Run the diagnosis again', 'customer: Enable']);
  });
});

describe('the directive', () => {
  const untrusted = { code: 'client-certificate-rejected', evidence: { page: 'untrusted' } };
  const unordered = { code: 'server-chain-unordered', severity: 'warning' } as const;

  it.each([
    [
      'nginx',
      'nginx',
      'ssl_client_certificate /etc/ssl/api/platform-root.pem; ssl_verify_client on; ssl_verify_depth 3;',
    ],
    [
      'apache',
      'Apache httpd',
      'in VirtualHost: SSLCACertificateFile /etc/ssl/api/platform-root.pem, SSLVerifyClient require, SSLVerifyDepth 3',
    ],
    [
      'caddy',
      'Caddy',
      'in client_auth: mode require_and_verify, trusted_ca_cert_file /etc/ssl/api/platform-root.pem (later versions: trust_pool file /etc/ssl/api/platform-root.pem)',
    ],
  ] as const)('of %s says how to trust', (software, server, directive) => {
    const [remedy] = remedies(untrusted, { software, page: 'untrusted' });
    expect(remedy).toMatchObject({ who: 'customer', server, directive });
    expect(remedy?.do).not.toContain('docs/customers.md');
  });

  it('of nginx says how to serve the chain, and of a load balancer the page does', () => {
    expect(remedies(unordered, { software: 'nginx' })).toMatchObject([
      { directive: 'ssl_certificate /etc/ssl/api/server.pem;', server: 'nginx' },
    ]);
    const [elsewhere] = remedies(unordered, { software: 'alb' });
    expect(elsewhere).not.toHaveProperty('directive');
    expect(elsewhere?.do).toContain('docs/customers.md');
  });

  it('of Apache says where to ask', () => {
    const late = { code: 'client-certificate-rejected', evidence: { page: 'wanted-after-handshake' } };
    const [remedy] = remedies(late, { software: 'apache', page: 'wanted-after-handshake' });
    expect(remedy?.directive).toBe('in VirtualHost, outside of Location and Directory: SSLVerifyClient require');
  });
});

it('a warning comes after the failure', () => {
  const expiring = {
    code: 'server-certificate-expires-soon',
    severity: 'warning',
    detail: 'It is so.',
    certainty: 'observed',
    evidence: { subject: 'CN=api' },
  } as const;
  const refused = {
    code: 'client-certificate-rejected',
    severity: 'failure',
    detail: 'It is so.',
    certainty: 'observed',
    evidence: { alert: 'unknown_ca' },
  } as const;
  const told = remediesFor([stepOf(3, [expiring], 0), stepOf(5, [refused], 0)], { ...context, issuers: 'others' });
  expect(told.map((remedy) => remedy.do)).toEqual([
    expect.stringMatching(/^Add the root certificate/),
    expect.stringMatching(/^Renew the certificate CN=api/),
  ]);
});

function remedies(finding: Partial<Finding> & { code: string }, more: Partial<RemedyContext> = {}): readonly Remedy[] {
  const whole = { severity: 'failure', detail: 'It is so.', certainty: 'observed', ...finding } as const;
  return remediesFor([stepOf(5, [whole], 0)], { ...context, ...more });
}

function expectTold(actual: readonly Remedy[], told: readonly string[]): void {
  expect(actual).toHaveLength(told.length);
  for (const [index, words] of told.entries()) {
    const { who, do: what, directive } = actual[index] as Remedy;
    expect(`${who}: ${what}`.slice(0, words.length)).toBe(words);
    // The customer may not call the platform's API.
    expect(what).not.toMatch(/\/v1\/|[{}]/);
    expect(directive).toBeUndefined();
  }
}
