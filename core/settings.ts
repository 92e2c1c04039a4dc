// Settings of the functions, read once from the environment, and limits that follow from Lambda and API Gateway.
import { isAbsolute } from 'node:path';

/** Environment variables: set by the stack, read by the functions. */
export const variables = {
  identitySource: 'COUNTERSIGN_IDENTITY_SOURCE',
  secretPrefix: 'COUNTERSIGN_SECRET_PREFIX',
  identityTtlSeconds: 'COUNTERSIGN_IDENTITY_TTL_SECONDS',
  docsUrl: 'COUNTERSIGN_DOCS_URL',
  eventBus: 'COUNTERSIGN_EVENT_BUS',
  renewals: 'COUNTERSIGN_RENEWALS',
} as const;

export const defaults = {
  secretPrefix: 'countersign/identities/',
  identityTtlSeconds: 60,
  /** Where docs/ is published. The name is reserved (RFC 2606, section 2), so it can never belong to anyone else. */
  docsUrl: 'https://countersign.example/docs/',
} as const;

/** The identity that every installation has; read during init. */
export const platformIdentity = 'platform';

/** Name of an identity in the route, in the name of its secret and in the name of its folder. */
export const identityNamePattern = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** The `source` of every event on the bus (AWS: EventBridge User Guide, "Event structure"). */
export const eventSource = 'countersign';

/** CloudWatch namespace of all metrics. */
export const metricsNamespace = 'Countersign';

/** Routes of the API in the notation of API Gateway. One function serves each. */
export const routes = {
  invocations: 'POST /v1/identities/{identity}/invocations',
  diagnoses: 'POST /v1/identities/{identity}/diagnoses',
  certificate: 'GET /v1/identities/{identity}/certificate',
  health: 'GET /v1/health',
} as const;

/** Routes for every caller that may use an identity. A route for operators would not be listed. */
export const callerRoutes = [
  'invocations',
  'diagnoses',
  'certificate',
  'health',
] as const satisfies readonly (keyof typeof routes)[];

export const limits = {
  /** API Gateway's integration timeout is 30 s (AWS: HTTP API quotas); the rest is for the response. */
  maxTimeoutMs: 28_000,
  defaultTimeoutMs: 10_000,
  /** Subtracted from Lambda's remaining time, so that the response can still be written. */
  timeoutReserveMs: 500,
  /** Decoded bytes of a response. In base64 they are 6 MB, Lambda's limit for synchronous responses. */
  maxAnswerBytes: 4_500_000,
  /** Lambda's limit for synchronous requests. */
  maxEventBytes: 6 * 1024 * 1024,
} as const;

type IdentitySourceSetting =
  | { readonly kind: 'secrets-manager' }
  | { readonly kind: 'directory'; readonly path: string };

export interface Settings {
  readonly identitySource: IdentitySourceSetting;
  /** Goes before an identity's name to make a secret's name. */
  readonly secretPrefix: string;
  /** After that an identity is read again in the background. */
  readonly identityTtlMs: number;
  /** URL of the folder that holds errors.md, with a slash at its end. */
  readonly docsUrl: string;
  /** Name or ARN of the bus that rotations are announced on; absent: they are not. */
  readonly eventBus: string | undefined;
  /** On Lambda, the runtime API answers on loopback. */
  readonly isOnLambda: boolean;
  /** The `renewal` of identities whose secret holds none yet, by name; not looked into here. */
  readonly renewals: Readonly<Record<string, object>>;
}

/**
 * AWS Lambda developer guide, "Defined runtime environment variables": in every environment of Lambda, and nowhere
 * else.
 */
const lambdaRuntime = 'AWS_LAMBDA_RUNTIME_API';

/** Throws an Error that names the variable and what it may be. An empty variable counts as absent. */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  return {
    identitySource: identitySource(environment[variables.identitySource]),
    secretPrefix: secretPrefix(environment[variables.secretPrefix]),
    identityTtlMs: ttlSeconds(environment[variables.identityTtlSeconds]) * 1000,
    docsUrl: docsUrl(environment[variables.docsUrl]),
    eventBus: eventBus(environment[variables.eventBus]),
    isOnLambda: Boolean(environment[lambdaRuntime]),
    renewals: renewals(environment[variables.renewals]),
  };
}

function identitySource(value: string | undefined): IdentitySourceSetting {
  if (!value || value === 'secrets-manager') return { kind: 'secrets-manager' };
  const path = value.startsWith('directory:') ? value.slice('directory:'.length) : '';
  if (!isAbsolute(path)) {
    throw new Error(`${variables.identitySource} must be "secrets-manager" or "directory:" and an absolute path.`);
  }
  return { kind: 'directory', path };
}

/** Characters: AWS Secrets Manager API reference, CreateSecret, Name. */
function secretPrefix(value: string | undefined): string {
  if (!value) return defaults.secretPrefix;
  if (!/^[A-Za-z0-9/_+=.@-]{1,400}$/.test(value)) {
    throw new Error(`${variables.secretPrefix} may hold only letters, digits and /_+=.@- (at most 400).`);
  }
  return value;
}

function ttlSeconds(value: string | undefined): number {
  if (!value) return defaults.identityTtlSeconds;
  const seconds = Number(value);
  if (!/^\d+$/.test(value) || seconds < 1 || seconds > 86_400) {
    throw new Error(`${variables.identityTtlSeconds} must be a whole number of seconds from 1 to 86400.`);
  }
  return seconds;
}

function docsUrl(value: string | undefined): string {
  if (!value) return defaults.docsUrl;
  if (!URL.canParse(value) || !/^https?:/.test(value)) {
    throw new Error(`${variables.docsUrl} must be an http or https URL.`);
  }
  return value.endsWith('/') ? value : `${value}/`;
}

/** AWS: EventBridge API reference, PutEventsRequestEntry, EventBusName. */
const busName = /^(arn:aws[\w-]*:events:[a-z0-9-]+:\d{12}:event-bus\/)?[/.\-_A-Za-z0-9]{1,256}$/;

function eventBus(value: string | undefined): string | undefined {
  if (!value) return undefined;
  if (!busName.test(value)) throw new Error(`${variables.eventBus} must be the name or the ARN of an event bus.`);
  return value;
}

/** Without the cause where it is not JSON: V8's message quotes the text, and an issuer's password may stand there. */
function renewals(value: string | undefined): Settings['renewals'] {
  if (!value) return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    throw new Error(`${variables.renewals} must be JSON.`);
  }
  if (!isObject(parsed)) throw new Error(`${variables.renewals} must be a JSON object.`);
  for (const [identity, renewal] of Object.entries(parsed)) {
    if (!identityNamePattern.test(identity) || !isObject(renewal)) {
      throw new Error(`${variables.renewals} must give an object for each name of an identity.`);
    }
  }
  return parsed as Settings['renewals'];
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
