'use strict';

// What a release's binaries must be: launcher/checksums.txt, committed in the release's own tag and packed in
// the VSIX. It is the only thing the launcher trusts; where a file came from counts for nothing.

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const FILE = path.join(__dirname, 'checksums.txt');

/**
 * The sha256, in hex, that a binary must have.
 * @throws {Error} one sentence, if this is not a release or the release lacks that binary.
 */
function expected(name, text = fs.readFileSync(FILE, 'utf8')) {
  const sums = parse(text);
  if (sums.size === 0) {
    throw new Error(
      'this is not a release of adopat: launcher/checksums.txt is empty; ' +
        'use a released version such as v1, or name a binary of your own in ADOPAT_BINARY',
    );
  }
  const sum = sums.get(name);
  if (!sum) throw new Error(`launcher/checksums.txt of this release lists no ${name}`);
  return sum;
}

/** The lines of `sha256sum`: a sum, a space, a space or an asterisk, a name. */
function parse(text) {
  const sums = new Map();
  for (const line of text.split(/\r?\n/).filter((line) => line !== '')) {
    const found = /^([0-9a-f]{64}) [ *]([\w.-]+)$/.exec(line);
    if (!found || sums.has(found[2])) throw new Error('launcher/checksums.txt is damaged');
    sums.set(found[2], found[1]);
  }
  return sums;
}

/** Whether these bytes have that sum. */
function match(bytes, sum) {
  return crypto.createHash('sha256').update(bytes).digest('hex') === sum;
}

module.exports = { expected, parse, match };
