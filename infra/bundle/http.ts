// Replaces node:http in the bundles. An ES module import of node:http reads each of its names, and the name WebSocket
// loads undici: 12 to 20 ms of every cold start. These are the names that the SDK and middy import; esbuild fails if
// one is missing.
const { Agent, request, STATUS_CODES } = process.getBuiltinModule('node:http');

export { Agent, request, STATUS_CODES };
