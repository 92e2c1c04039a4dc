// Replaces the SDK's credential provider chain in the bundles. Lambda puts a function's credentials into its
// environment (AWS Lambda Developer Guide, "Defined runtime environment variables"), and the chain is a third of the
// SDK.
export { fromEnv as defaultProvider } from '@aws-sdk/credential-provider-env';
