#!/usr/bin/env node
// The command of the package @countersign/cli. Old versions of Node must be able to parse this file.
'use strict';

var major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  console.error(
    'Countersign needs Node 24 or later and this is Node ' +
      process.versions.node +
      ': install Node 24, or install the archive of the release, which contains it.',
  );
  process.exit(1);
}
require('./import-command.cjs');
