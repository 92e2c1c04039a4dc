// The event that each program is called with, and the context: API Gateway's payload format 2.0, as Lambda hands it
// over.

export function invocationEvent(url: string, identity = 'platform'): { body: string } & Record<string, unknown> {
  const path = `/v1/identities/${identity}/invocations`;
  return {
    version: '2.0',
    routeKey: 'POST /v1/identities/{identity}/invocations',
    rawPath: path,
    rawQueryString: '',
    headers: { 'content-type': 'application/json' },
    pathParameters: { identity },
    requestContext: { requestId: 'bench', http: { method: 'POST', path, protocol: 'HTTP/1.1' }, stage: '$default' },
    isBase64Encoded: false,
    body: JSON.stringify({ url, method: 'GET', headers: { accept: 'application/json' } }),
  };
}

export const context = {
  awsRequestId: 'bench',
  functionName: 'bench',
  getRemainingTimeInMillis: () => 29_000,
};

export type Handler = (event: unknown, context: unknown) => Promise<{ statusCode: number; body: string }>;
