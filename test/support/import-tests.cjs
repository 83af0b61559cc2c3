'use strict';

const { pathToFileURL } = require('node:url');
const loader = require('mocha/lib/nodejs/esm-utils.cjs');

// mocha tries require() first, which makes tsx compile the tests, and all they import, to CommonJS. The
// product runs as ES modules, and a module that is also reached by import() would then exist twice, with two
// classes for one error. So test files are imported. (mocha offers no option for this.)
loader.requireOrImport = (file) => loader.doImport(pathToFileURL(file));
