// The API of the kind that the props name.
import type { Construct } from 'constructs';
import type { CountersignProps } from '../props.ts';
import type { EgressApi, EgressApiProps } from './egress-api.ts';
import { HttpEgressApi } from './http-api.ts';
import { PrivateEndpoint } from './private-endpoint.ts';
import { RestEgressApi } from './rest-api.ts';

/** Throws an Error with one sentence for props that do not belong together. */
export function makeApi(scope: Construct, props: CountersignProps, shared: EgressApiProps): EgressApi {
  const { api = 'http', privateAccess, apiLogsRole: logsRole = true } = props;
  if (privateAccess !== undefined && api !== 'private') {
    throw new Error('privateAccess is for api: private only.');
  }
  if (api === 'http') return new HttpEgressApi(scope, 'Api', shared);
  const vpcEndpoints = api === 'private' ? endpointsOf(scope, privateAccess) : undefined;
  return new RestEgressApi(scope, 'Api', { ...shared, vpcEndpoints, logsRole });
}

function endpointsOf(scope: Construct, { vpcEndpoints = [], vpc, vpcSubnets }: CountersignProps['privateAccess'] = {}) {
  if (vpcEndpoints.length > 0 === (vpc !== undefined)) {
    throw new Error('api: private needs privateAccess with either vpcEndpoints or vpc.');
  }
  if (vpc === undefined) return vpcEndpoints;
  return [new PrivateEndpoint(scope, 'PrivateEndpoint', { vpc, vpcSubnets }).endpoint];
}
