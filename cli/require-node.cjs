// Ends an old Node with one sentence. It is CommonJS in the syntax of old versions, which cannot load the rest:
// npm scripts load it with `-r` before TypeScript, and `countersign.cjs` before the command.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const required = 24;

if (Number(process.versions.node.split('.')[0]) < required) {
  console.error(`Node ${required} or later is required, found ${process.version}: ${advice()}.`);
  process.exit(1);
}

function advice() {
  const packages = path.join(__dirname, '../node_modules');
  if (fs.existsSync(path.join(packages, '.bin/node'))) return 'use npm scripts, which run node_modules/.bin/node';
  if (!fs.existsSync(packages)) return 'run "npm ci", which installs it in node_modules';
  // After --ignore-scripts, see link-node.cjs.
  if (fs.existsSync(path.join(packages, `node-linux-${process.arch}`)))
    return 'run "node tools/link-node.cjs", which makes node_modules/.bin/node';
  return 'run "npm ci" without --omit=optional on Linux, or install Node 24';
}
