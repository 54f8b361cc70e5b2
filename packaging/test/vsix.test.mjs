import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { icon } from '../icon.mjs';
import { listing, pack } from '../vsix.mjs';
import * as zip from '../zip.mjs';

const { BINARIES } = createRequire(import.meta.url)('../../launcher/platform.js');
const checksums = createRequire(import.meta.url)('../../launcher/checksums.js');
const NAMES = [...new Set(Object.values(BINARIES))];

function folderOf(t, names) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'adopat-test-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  for (const name of names) fs.writeFileSync(path.join(folder, name), `\x7fELF ${name}`, { mode: 0o644 });
  return folder;
}

test('packed twice, the extension has the same bytes', (t) => {
  const binaries = folderOf(t, NAMES);
  const first = pack({ binaries, sums: '', say() {} });
  fs.utimesSync(path.join(binaries, NAMES[0]), 1, 1);
  fs.chmodSync(path.join(binaries, NAMES[0]), 0o755);
  assert.ok(first.equals(pack({ binaries, sums: '', say() {} })));
});

test('the extension holds what the agent runs, with permissions, and nothing else', (t) => {
  const entries = zip.read(pack({ binaries: folderOf(t, NAMES), sums: '', say() {} }));
  const modes = Object.fromEntries(entries.map(({ name, mode }) => [name, mode.toString(8)]));
  const launcher = ['binary', 'checksums', 'ci_host', 'download', 'main', 'pending', 'platform', 'post', 'proxy', 'run'];
  assert.deepEqual(modes, {
    '[Content_Types].xml': '644',
    'extension.vsixmanifest': '644',
    'extension.vsomanifest': '644',
    'images/icon.png': '644',
    'overview.md': '644',
    'task/icon.png': '644',
    'task/task.json': '644',
    'task/launcher/checksums.txt': '644',
    'task/launcher/version.txt': '644',
    ...Object.fromEntries(launcher.map((name) => [`task/launcher/${name}.js`, '644'])),
    ...Object.fromEntries(NAMES.map((name) => [`task/launcher/bin/${name}`, '755'])),
  });
});

test('the packed checksums are those of the packed binaries', (t) => {
  const entries = zip.read(pack({ binaries: folderOf(t, NAMES.slice(0, 2)), sums: '', say() {} }));
  const bytes = Object.fromEntries(entries.map(({ name, bytes }) => [name, bytes]));
  const sums = checksums.parse(String(bytes['task/launcher/checksums.txt']));
  assert.deepEqual([...sums.keys()].sort(), NAMES.slice(0, 2).sort());
  for (const [name, sum] of sums) assert.ok(checksums.match(bytes[`task/launcher/bin/${name}`], sum));
});

test('in a release every binary it lists is packed, and none that differs', (t) => {
  const binaries = folderOf(t, NAMES);
  const sumOf = (name) => crypto.createHash('sha256').update(fs.readFileSync(path.join(binaries, name))).digest('hex');
  const sums = NAMES.map((name) => `${sumOf(name)}  ${name}\n`).join('');
  const packed = zip.read(pack({ binaries, sums })).find(({ name }) => name === 'task/launcher/checksums.txt');
  assert.equal(String(packed.bytes), sums);
  fs.appendFileSync(path.join(binaries, NAMES[1]), 'changed');
  assert.throws(() => pack({ binaries, sums }), new RegExp(`${NAMES[1]} in .* does not match`));
  fs.rmSync(path.join(binaries, NAMES[1]));
  assert.throws(() => pack({ binaries, sums }), /ENOENT/);
});

test('no file has a content type that depends on the machine', (t) => {
  const entries = zip.read(pack({ binaries: folderOf(t, NAMES), sums: '', say() {} }));
  const types = String(entries.find(({ name }) => name === '[Content_Types].xml').bytes);
  for (const { name } of entries.filter(({ name }) => name !== '[Content_Types].xml')) {
    const extension = path.extname(name).slice(1);
    const known = types.includes(`Extension="${extension}"`) || types.includes(`PartName="/${name}" ContentType="application/octet-stream"`);
    assert.ok(known, name);
  }
});

test('the listing names mode, size, sum and path', (t) => {
  const archive = zip.write([{ name: 'a', mode: 0o755, bytes: Buffer.from('x') }]);
  assert.match(listing(archive), /^755 {9}1 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 a$/);
});

test('without a single binary nothing is packed', (t) => {
  assert.throws(() => pack({ binaries: folderOf(t, []), sums: '', say() {} }), /holds no binary/);
});

test('other tools read the archive: names, modes and bytes', { skip: spawnSync('unzip', ['-v']).error && 'unzip is not installed' }, (t) => {
  const folder = folderOf(t, []);
  const big = Buffer.alloc(300_000, 'adopat');
  fs.writeFileSync(path.join(folder, 'a.zip'), zip.write([{ name: 'x/run', mode: 0o755, bytes: big }, { name: 'ü', mode: 0o644, bytes: Buffer.alloc(0) }]));
  const { status, stdout, stderr } = spawnSync('unzip', ['-q', 'a.zip'], { cwd: folder, encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
  assert.ok(fs.readFileSync(path.join(folder, 'x/run')).equals(big));
  assert.equal(fs.statSync(path.join(folder, 'x/run')).mode & 0o777, 0o755);
  assert.equal(fs.readFileSync(path.join(folder, 'ü')).length, 0);
});

test('a damaged archive is not read', () => {
  const archive = zip.write([{ name: 'a', mode: 0o644, bytes: Buffer.from('some bytes that are long enough') }]);
  archive[35] ^= 1;
  assert.throws(() => zip.read(archive));
  assert.throws(() => zip.read(Buffer.from('no archive')), /no zip/);
});

test('the icon is a square PNG of the size asked for', () => {
  for (const size of [32, 128]) {
    const png = icon(size);
    assert.equal(png.toString('latin1', 1, 4), 'PNG');
    assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [size, size]);
  }
});
