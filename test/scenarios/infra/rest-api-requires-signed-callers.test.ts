// REST APIs, regional and private: the same routes under the same authorization as the HTTP API.
import { afterAll, describe, expect, it } from 'vitest';
import { routes } from '../../../core/settings.ts';
import { restStage } from '../../../local/gateway/rest-event.ts';
import { templateFaults } from '../../support/infra/resource-schemas.ts';
import { synthesize } from '../../support/infra/synthesize.ts';

const endpoints = ['vpce-0a1b2c3d', 'vpce-4e5f6a7b'];
const stacks = {
  rest: synthesize({ 'countersign:api': 'rest', 'countersign:callers': ['platform', 'acme-bank'] }),
  private: synthesize({
    'countersign:api': 'private',
    'countersign:apiEndpointIds': endpoints,
    'countersign:callers': ['platform', 'acme-bank'],
  }),
};
afterAll(() => {
  for (const stack of Object.values(stacks)) stack.remove();
});

const api = 'arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<ApiRestApi>';

describe.each(Object.entries(stacks))('the API %s', (kind, stack) => {
  const only = (type: string) => {
    const made = Object.values(stack.resources(type));
    expect(made).toHaveLength(1);
    return made[0]?.Properties ?? {};
  };

  it('agrees with the resource schemas, and has no HTTP API beside it', () => {
    expect(templateFaults(stack.template.toJSON() as Parameters<typeof templateFaults>[0])).toEqual([]);
    stack.template.resourceCountIs('AWS::ApiGatewayV2::Api', 0);
  });

  it('has a method for each route, which demands a signature', () => {
    const methods = Object.values(stack.resources('AWS::ApiGateway::Method')).map(({ Properties }) => Properties);
    expect(methods).toHaveLength(Object.keys(routes).length);
    for (const method of methods) {
      expect(method).toMatchObject({ AuthorizationType: 'AWS_IAM', Integration: { Type: 'AWS_PROXY' } });
    }
  });

  it('can call each function by its own route', () => {
    const permissions = Object.values(stack.resources('AWS::Lambda::Permission'))
      .map(({ Properties }) => Properties)
      .filter(({ Principal }) => Principal === 'apigateway.amazonaws.com');
    expect(permissions.map(({ SourceArn }) => SourceArn).sort()).toEqual(
      Object.values(routes)
        .map((route) => `${api}/<ApiRestApiDeploymentStagelive>/${pattern(route).replace('{identity}', '*')}`)
        .sort(),
    );
  });

  it('passes bodies on as text, without converting or compressing them', () => {
    const made = only('AWS::ApiGateway::RestApi');
    expect(made).not.toHaveProperty('BinaryMediaTypes');
    expect(made).not.toHaveProperty('MinimumCompressionSize');
  });

  it('throttles, counts, and logs who called what, with no query, header or user agent', () => {
    const stage = only('AWS::ApiGateway::Stage');
    expect(stage).toMatchObject({
      StageName: restStage,
      MethodSettings: [
        {
          HttpMethod: '*',
          ResourcePath: '/*',
          ThrottlingRateLimit: 100,
          ThrottlingBurstLimit: 200,
          MetricsEnabled: true,
          LoggingLevel: 'OFF',
          DataTraceEnabled: false,
        },
      ],
    });
    const { Format, DestinationArn } = stage.AccessLogSetting as Record<string, string>;
    expect(DestinationArn).toMatch(/:log-group:<ApiAccessLog>$/);
    expect(JSON.parse(Format ?? '')).toEqual({
      requestId: '$context.requestId',
      time: '$context.requestTimeEpoch',
      caller: '$context.identity.userArn',
      sourceIp: '$context.identity.sourceIp',
      route: '$context.httpMethod $context.resourcePath',
      path: '$context.path',
      status: '$context.status',
      responseBytes: '$context.responseLength',
      responseMs: '$context.responseLatency',
      functionMs: '$context.integrationLatency',
      functionError: '$context.integrationErrorMessage',
      error: '$context.error.message',
    });
    expect(stack.resources('AWS::Logs::LogGroup').ApiAccessLog?.Properties).toMatchObject({
      KmsKeyId: '<EncryptionKey.Arn>',
    });
  });

  it('sets the role that writes the logs of REST APIs, and leaves it behind: others use it', () => {
    const [account] = Object.values(stack.resources('AWS::ApiGateway::Account'));
    expect(account).toMatchObject({ DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
    const [stage] = Object.values(stack.template.findResources('AWS::ApiGateway::Stage'));
    expect(stage?.DependsOn).toEqual([expect.stringMatching(/^ApiRestApiAccount/)]);
  });

  it.each(['platform', 'acme-bank'])('lets the caller of %s use it and no other identity', (identity) => {
    const name = `${identity === 'platform' ? 'Platform' : 'AcmeBank'}CallerPolicy`;
    const document = stack.resources('AWS::IAM::ManagedPolicy')[name]?.Properties.PolicyDocument;
    expect(document).toMatchObject({
      Statement: [
        {
          Action: 'execute-api:Invoke',
          Resource: Object.values(routes)
            .map((route) => `${api}/${restStage}/${pattern(route).replace('{identity}', identity)}`)
            .sort(),
        },
      ],
    });
  });

  it('has outputs with its stage', () => {
    const host = kind === 'rest' ? '<ApiRestApi>' : `<ApiRestApi>-${endpoints[0]}`;
    expect(stack.outputs.ApiUrl?.Value).toBe(`https://${host}.execute-api.<AWS::Region>.<AWS::URLSuffix>/${restStage}`);
    expect(stack.outputs.InvocationRouteArn?.Value).toBe(`${api}/${restStage}/POST/v1/identities/IDENTITY/invocations`);
    expect(Object.keys(stack.outputs).filter((name) => name.includes('Endpoint'))).toEqual([]);
  });
});

it('a private API is reached through its endpoints only, and no resource policy allows what IAM does not', () => {
  const { ApiRestApi } = stacks.private.resources('AWS::ApiGateway::RestApi');
  expect(ApiRestApi?.Properties.EndpointConfiguration).toEqual({ Types: ['PRIVATE'], VpcEndpointIds: endpoints });
  expect(ApiRestApi?.Properties.Policy).toEqual({
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'OnlyThroughTheEndpoints',
        Effect: 'Deny',
        Action: 'execute-api:Invoke',
        Principal: { AWS: '*' },
        Resource: 'execute-api:/*',
        Condition: { StringNotEquals: { 'aws:SourceVpce': endpoints } },
      },
    ],
  });
  expect(stacks.rest.resources('AWS::ApiGateway::RestApi').ApiRestApi?.Properties).not.toHaveProperty('Policy');
});

it('an account that has a role for logs keeps it', () => {
  const stack = synthesize({ 'countersign:api': 'rest', 'countersign:apiLogsRole': 'false' });
  try {
    stack.template.resourceCountIs('AWS::ApiGateway::Account', 0);
  } finally {
    stack.remove();
  }
});

/** `POST/v1/…`, as in an ARN. */
function pattern(route: string): string {
  return route.replace(' ', '');
}
