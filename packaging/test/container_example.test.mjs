// examples/container.sh, with a docker of our own in the path that runs a program in place of the image.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const EXAMPLE = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../examples/container.sh');
const PAT = 'visibly-fake-pat';

const DOCKER = `#!${process.execPath}
const fs = require('fs');
const words = process.argv.slice(2);
const env = {};
let folder;
words.forEach((word, i) => {
  if (word === '--env') { const [name, value] = words[i + 1].split(/=(.*)/s); env[name] = value ?? process.env[name]; }
  if (word === '--volume') folder = words[i + 1].split(':')[0];
});
const operation = words.at(-1);
fs.appendFileSync('asked', JSON.stringify({ operation, words, name: env.ADOPAT_DISPLAY_NAME, token: env.ADOPAT_REFRESH_TOKEN, file: env.ADOPAT_OUTPUT_FILE, folder }) + '\\n');
if (process.env.FAILS === operation) process.exit(4);
if (operation === 'create') fs.writeFileSync(env.ADOPAT_OUTPUT_FILE.replace('/secrets', folder), '${PAT}\\n', { mode: 0o600 });
`;

function run(t, { publish = 'echo "got $ADO_PAT"', ...env } = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'adopat-test-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  fs.writeFileSync(path.join(folder, 'docker'), DOCKER, { mode: 0o755 });
  fs.writeFileSync(path.join(folder, 'publish.sh'), `#!/bin/sh\n${publish}\n`, { mode: 0o755 });
  const ended = spawnSync('sh', [EXAMPLE], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: `${folder}:${process.env.PATH}`, ADOPAT_REFRESH_TOKEN: 'fake-refresh-token', ...env },
  });
  const lines = fs.readFileSync(path.join(folder, 'asked'), 'utf8').trim().split('\n');
  return { ...ended, asked: lines.map((line) => JSON.parse(line)) };
}

const unix = { skip: process.platform === 'win32' && 'a shell script' };

test('the container example makes a PAT, uses it, revokes it, and leaves nothing', unix, (t) => {
  const { status, stdout, asked } = run(t);
  assert.deepEqual([status, stdout], [0, `got ${PAT}\n`]);
  assert.deepEqual(asked.map((one) => one.operation), ['create', 'revoke']);
  assert.equal(asked[0].name, asked[1].name);
  assert.equal(asked[0].token, 'fake-refresh-token');
  assert.equal(asked[1].file, undefined, 'a revocation has nothing to write');
  assert.ok(!fs.existsSync(asked[0].folder));
  assert.doesNotMatch(JSON.stringify(asked.map((one) => one.words)), /fake-refresh-token/);
});

test('where the work fails the PAT is revoked, and the code kept', unix, (t) => {
  const { status, asked } = run(t, { publish: 'exit 9' });
  assert.equal(status, 9);
  assert.deepEqual(asked.map((one) => one.operation), ['create', 'revoke']);
});

test('where no PAT was made the work does not start', unix, (t) => {
  const { status, stdout, asked } = run(t, { FAILS: 'create' });
  assert.deepEqual([status, stdout], [4, '']);
  assert.deepEqual(asked.map((one) => one.operation), ['create']);
});
