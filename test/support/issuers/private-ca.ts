// A stand-in for AWS Private CA, written after its API reference: it checks what the SDK sends it, and signs with a
// real authority.
import { X509Certificate } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { readCertificateRequest } from '../../../core/x509/certificate.ts';
import type { Authority } from '../../../local/authority/authority.ts';

export const authorityArn =
  'arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/11223344-1234-1122-2233-112233445566';

/**
 * A fault to answer with in the place of the operation: an error name of the API reference, a status, or no answer at
 * all; `lost` does it first.
 */
export type Fault = { readonly error: string; readonly status?: number } | 'hang' | 'garbage' | 'cut' | 'lost';

export interface PrivateCa {
  readonly url: string;
  /** Each operation with its input, in order. */
  readonly calls: { readonly operation: string; readonly input: Record<string, unknown> }[];
  /** Certificates that were signed. */
  readonly signed: () => number;
  /** The next calls of an operation, one fault each. */
  failNext(operation: string, ...faults: Fault[]): void;
}

export interface PrivateCaOptions {
  readonly authority: Authority;
  readonly arn?: string;
  readonly status?: string;
  /** Times that GetCertificate says RequestInProgressException. */
  readonly pending?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

class ApiError extends Error {
  readonly status: number;
  constructor(name: string, status = 400) {
    super(`The stand-in says ${name}.`);
    this.name = name;
    this.status = status;
  }
}

/** IssueCertificate, IdempotencyToken: five minutes. */
const tokenMs = 300_000;
const day = 86_400_000;

export async function startPrivateCa(options: PrivateCaOptions): Promise<PrivateCa> {
  const { authority, arn = authorityArn, status = 'ACTIVE', now = Date.now } = options;
  const calls: PrivateCa['calls'] = [];
  const faults = new Map<string, Fault[]>();
  const tokens = new Map<string, { readonly arn: string; readonly until: number }>();
  const certificates = new Map<string, { readonly pem: string; pending: number }>();
  const root = new X509Certificate(authority.certificate);
  const keyAlgorithm =
    root.publicKey.asymmetricKeyType === 'rsa'
      ? `RSA_${root.publicKey.asymmetricKeyDetails?.modulusLength}`
      : `EC_${root.publicKey.asymmetricKeyDetails?.namedCurve}`;

  const operations: Record<string, (input: Record<string, unknown>) => object> = {
    DescribeCertificateAuthority: () => ({
      CertificateAuthority: {
        Arn: arn,
        Status: status,
        NotAfter: root.validToDate.getTime() / 1000,
        CertificateAuthorityConfiguration: { KeyAlgorithm: keyAlgorithm },
      },
    }),
    IssueCertificate(input) {
      if (status !== 'ACTIVE') throw new ApiError('InvalidStateException');
      const token = input.IdempotencyToken;
      // API reference: 1 to 36 characters, alphanumeric.
      if (typeof token !== 'string' || !/^[A-Za-z0-9]{1,36}$/.test(token)) throw new ApiError('ValidationException');
      const before = tokens.get(token);
      if (before && now() < before.until) return { CertificateArn: before.arn };
      const family = keyAlgorithm.startsWith('RSA') ? /^SHA(256|384|512)WITHRSA$/ : /^SHA(256|384|512)WITHECDSA$/;
      if (!family.test(String(input.SigningAlgorithm))) throw new ApiError('InvalidArgsException');
      if (!/^arn:aws[a-z-]*:acm-pca:::template\/EndEntityClientAuthCertificate\/V1$/.test(String(input.TemplateArn))) {
        throw new ApiError('InvalidArnException');
      }
      const asked = readCertificateRequest(Buffer.from(String(input.Csr), 'base64').toString());
      if (!asked?.isSigned) throw new ApiError('MalformedCSRException');
      const validity = input.Validity as { Type?: unknown; Value?: unknown };
      if (validity?.Type !== 'DAYS' || !Number.isInteger(validity.Value)) throw new ApiError('InvalidArgsException');
      const notAfter = new Date(now() + Number(validity.Value) * day);
      if (notAfter > root.validToDate) throw new ApiError('ValidationException');
      const { subject, publicKey, alternativeNames } = asked;
      // "issuance time minus 60 minutes" (API reference, ValidityNotBefore).
      const notBefore = new Date(now() - 3_600_000);
      const { certificate } = authority.certify({
        subject,
        publicKey,
        alternativeNames,
        usage: 'client',
        notBefore,
        notAfter,
      });
      const issued = `${arn}/certificate/${BigInt(`0x${new X509Certificate(certificate).serialNumber}`)}`;
      certificates.set(issued, { pem: certificate, pending: options.pending ?? 0 });
      tokens.set(token, { arn: issued, until: now() + tokenMs });
      return { CertificateArn: issued };
    },
    GetCertificate(input) {
      const issued = certificates.get(String(input.CertificateArn));
      if (!issued) throw new ApiError('ResourceNotFoundException');
      if (issued.pending > 0) {
        issued.pending -= 1;
        throw new ApiError('RequestInProgressException');
      }
      return {
        Certificate: issued.pem.trimEnd(),
        CertificateChain: (authority.intermediates + authority.root).trimEnd(),
      };
    },
  };

  function answer(request: IncomingMessage, text: string): object {
    const operation = /^ACMPrivateCA\.(\w+)$/.exec(String(request.headers['x-amz-target']))?.[1] ?? '';
    const input = JSON.parse(text) as Record<string, unknown>;
    calls.push({ operation, input });
    const credential = /^AWS4-HMAC-SHA256 Credential=[^/]+\/\d{8}\/([a-z0-9-]+)\/acm-pca\/aws4_request,/.exec(
      request.headers.authorization ?? '',
    );
    if (!credential) throw new ApiError('IncompleteSignatureException');
    if (credential[1] !== arn.split(':')[3]) throw new ApiError('InvalidArnException');
    if (input.CertificateAuthorityArn !== arn) throw new ApiError('ResourceNotFoundException');
    return operations[operation]?.(input) ?? { __type: 'UnknownOperationException' };
  }

  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const operation = String(request.headers['x-amz-target']).split('.')[1] ?? '';
    const fault = faults.get(operation)?.shift();
    if (fault !== undefined) calls.push({ operation, input: {} });
    if (fault === 'hang') return;
    if (fault === 'cut') return void request.socket.destroy();
    response.setHeader('content-type', 'application/x-amz-json-1.1');
    try {
      if (fault === 'lost') {
        answer(request, Buffer.concat(chunks).toString());
        return void request.socket.destroy();
      }
      if (fault === 'garbage') return void response.end('{"Certificate": SECRET');
      if (fault !== undefined) throw new ApiError(fault.error, fault.status);
      response.end(JSON.stringify(answer(request, Buffer.concat(chunks).toString())));
    } catch (thrown) {
      const { name, message, status: code = 500 } = thrown as ApiError;
      response.writeHead(code).end(JSON.stringify({ __type: name, message }));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    signed: () => certificates.size,
    failNext: (operation, ...more) => void faults.set(operation, [...(faults.get(operation) ?? []), ...more]),
  };
}
