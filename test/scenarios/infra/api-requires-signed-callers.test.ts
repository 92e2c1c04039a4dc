// Only signed callers can reach the functions, through the routes of the API.
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { routes } from '../../../core/settings.ts';
import { synthesize } from '../../support/infra/synthesize.ts';

const stack = synthesize({ 'countersign:callers': ['platform', 'acme-bank'] });
afterAll(() => stack.remove());

describe('the API', () => {
  it('has the routes of the settings and requires a signature on each', () => {
    const made = Object.values(stack.resources('AWS::ApiGatewayV2::Route')).map(({ Properties }) => Properties);
    expect(made.map((route) => route.RouteKey).sort()).toEqual(Object.values(routes).sort());
    expect(made.map((route) => route.AuthorizationType)).toEqual(made.map(() => 'AWS_IAM'));
  });

  it('gives each route group a function of its own', () => {
    const targets = Object.values(stack.resources('AWS::ApiGatewayV2::Integration')).map(
      ({ Properties }) => Properties,
    );
    expect(targets.map((target) => target.IntegrationUri).sort()).toEqual([
      '<CertificateFunction.Arn>',
      '<DiagnoseFunction.Arn>',
      '<HealthFunction.Arn>',
      '<InvokeFunction.Arn>',
    ]);
    for (const target of targets) expect(target.PayloadFormatVersion).toBe('2.0');
  });

  it('can call each function by its own route; the only other caller is Secrets Manager', () => {
    const everyone = Object.values(stack.resources('AWS::Lambda::Permission')).map(({ Properties }) => Properties);
    const permissions = everyone.filter(({ Principal }) => Principal !== 'secretsmanager.amazonaws.com');
    expect(everyone).toHaveLength(permissions.length + 1);
    expect(permissions.map((permission) => permission.SourceArn).sort()).toEqual(
      Object.values(routes)
        .map(
          (route) => `arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<ApiHttpApi>/*/*${path(route)}`,
        )
        .sort(),
    );
    for (const permission of permissions) expect(permission.Principal).toBe('apigateway.amazonaws.com');
    stack.template.resourceCountIs('AWS::Lambda::Url', 0);
  });

  it('throttles, and sends no CORS headers', () => {
    const { ApiStage } = stack.resources('AWS::ApiGatewayV2::Stage');
    expect(ApiStage?.Properties).toMatchObject({
      StageName: '$default',
      DefaultRouteSettings: { ThrottlingRateLimit: 100, ThrottlingBurstLimit: 200 },
    });
    const { ApiHttpApi } = stack.resources('AWS::ApiGatewayV2::Api');
    expect(ApiHttpApi?.Properties).not.toHaveProperty('CorsConfiguration');
  });

  it('logs caller and route as JSON, without query, headers and user agent', () => {
    const { ApiStage } = stack.resources('AWS::ApiGatewayV2::Stage');
    const settings = ApiStage?.Properties.AccessLogSettings as { Format: string; DestinationArn: string };
    expect(settings.DestinationArn).toBe('<ApiAccessLog.Arn>');
    expect(Object.values(JSON.parse(settings.Format) as Record<string, string>).sort()).toEqual([
      '$context.error.message',
      '$context.identity.sourceIp',
      '$context.identity.userArn',
      '$context.integrationErrorMessage',
      '$context.integrationLatency',
      '$context.path',
      '$context.requestId',
      '$context.requestTimeEpoch',
      '$context.responseLatency',
      '$context.responseLength',
      '$context.routeKey',
      '$context.status',
    ]);
  });
});

describe("a caller's policy", () => {
  it.each(['platform', 'acme-bank'])('allows its caller the identity %s and no other', (identity) => {
    const name = `${identity === 'platform' ? 'Platform' : 'AcmeBank'}CallerPolicy`;
    const policy = stack.resources('AWS::IAM::ManagedPolicy')[name];
    const api = 'arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<ApiHttpApi>/$default';
    const document = policy?.Properties.PolicyDocument as { Statement: { Resource: string[] }[] };
    expect(document.Statement).toEqual([
      {
        Sid: 'UseOneIdentity',
        Effect: 'Allow',
        Action: 'execute-api:Invoke',
        Resource: Object.values(routes)
          .map((route) => `${api}/${route.replace(' ', '').replace('{identity}', identity)}`)
          .sort(),
      },
    ]);
    expect(stack.outputs[`${name}Arn`]?.Value).toBe(`<${name}>`);
  });

  it('can be written by hand from the pattern in the outputs', () => {
    expect(stack.outputs.InvocationRouteArn?.Value).toBe(
      'arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<ApiHttpApi>/$default/POST/v1/identities/IDENTITY/invocations',
    );
    expect(stack.outputs.ApiUrl?.Value).toBe('<ApiHttpApi.ApiEndpoint>');
  });

  it('is an output, and docs/deploy.md explains every output', () => {
    const documented = readFileSync('docs/deploy.md', 'utf8').matchAll(/^\| `([A-Z]\w+)` \|/gm);
    const names = Object.keys(stack.outputs).filter((name) => name !== 'AcmeBankCallerPolicyArn');
    expect([...documented].map(([, name]) => name).sort()).toEqual(names.sort());
  });
});

function path(route: string): string {
  return route.slice(route.indexOf(' ') + 1);
}
