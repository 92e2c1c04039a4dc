#!/usr/bin/env node
// The command in a clone: an old Node or missing packages end it with one sentence.
'use strict';

require('./require-node.cjs');

import('./main.ts').catch((error) => {
  const missing = error.code === 'ERR_MODULE_NOT_FOUND' && /Cannot find package '([^']+)'/.exec(error.message);
  if (!missing) throw error;
  console.error(`The package ${missing[1]} is not installed: run "npm ci" first.`);
  process.exit(1);
});
