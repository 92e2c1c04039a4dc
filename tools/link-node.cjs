// Makes node_modules/.bin/node if npm removed it. npm before 11 does, when it skips the package of Node for another
// processor, which has a program of the same name (https://github.com/npm/cli/issues/4362). Runs after an installation,
// with any Node.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const folder = path.join(__dirname, '../node_modules/.bin');
const program = `../node-linux-${process.arch}/bin/node`;
const link = path.join(folder, 'node');

if (fs.existsSync(path.join(folder, program)) && !fs.existsSync(link)) {
  fs.mkdirSync(folder, { recursive: true });
  fs.rmSync(link, { force: true });
  fs.symlinkSync(program, link);
}
