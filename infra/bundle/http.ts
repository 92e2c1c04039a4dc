// Takes the place of node:http in the bundles. Importing that as an ES module reads each of its names, one of which (WebSocket)
// loads the whole of undici: 12 to 20 ms of every cold start, for nothing. Here is what the SDK and middy take from it; esbuild
// names what should one day be missing.
const { Agent, request, STATUS_CODES } = process.getBuiltinModule('node:http');

export { Agent, request, STATUS_CODES };
