// The entry of the package @countersign/cdk.
export type { ApiKind, EgressApi, RouteName } from './api/egress-api.ts';
export { Countersign, type Identity } from './countersign.ts';
export type { CountersignProps, IdentityRotation, PrivateAccess, Replica } from './props.ts';
