'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { layOut, run, script, scriptsRun, swapping } = require('../testbed/job');
const { binaryFor, BINARIES } = require('../platform');
const checksums = require('../checksums');

const WHERE = script('out(process.argv[1]); out((require("fs").statSync(process.argv[1]).mode & 0o777).toString(8)); out((require("fs").statSync(require("path").dirname(process.argv[1])).mode & 0o777).toString(8))');
const unix = { skip: !scriptsRun && 'there is no permission to execute on Windows' };

test('what was packed runs as a copy in a folder that nobody else can enter, whatever a zip made of its mode', unix, async (t) => {
  for (const mode of [0o644, 0o600, 0o755]) {
    const job = layOut(t, { packed: WHERE, mode });
    const { code, stdout } = await run(job, 'main.js', { AGENT_TEMPDIRECTORY: job.temp });
    assert.equal(code, 0);
    const [where, itsMode, folderMode] = stdout.split('\n');
    assert.match(path.relative(job.temp, where), /^adopat-[A-Za-z0-9]{6}\/adopat-/);
    assert.deepEqual([itsMode, folderMode], ['700', '700']);
    assert.deepEqual(fs.readdirSync(job.temp), [], 'the copy is gone');
    assert.equal(fs.statSync(job.binary).mode & 0o777, mode, 'the original is as it was');
  }
});

test('what is swapped after it was verified is not what runs', unix, async (t) => {
  const job = layOut(t, { packed: WHERE });
  const env = { AGENT_TEMPDIRECTORY: job.temp, NODE_OPTIONS: swapping(job, job.binary) };
  const { code, stdout } = await run(job, 'main.js', env);
  assert.equal(code, 0);
  assert.doesNotMatch(stdout, /foreign/);
  assert.match(fs.readFileSync(job.binary, 'utf8'), /foreign/, 'it was swapped');
});

test('a temporary folder that cannot be used is told, with what helps', unix, async (t) => {
  const job = layOut(t, { packed: WHERE });
  const file = path.join(job.folder, 'file');
  fs.writeFileSync(file, '');
  const elsewhere = await run(job, 'main.js', { AGENT_TEMPDIRECTORY: file, TMPDIR: job.temp });
  assert.equal(elsewhere.code, 0, "the machine's own will do");
  const { code, stderr } = await run(job, 'main.js', { AGENT_TEMPDIRECTORY: file, TMPDIR: file });
  assert.equal(code, 1);
  assert.match(stderr, /no copy of adopat-\S+ could be made .+ADOPAT_BINARY/);
});

test('a binary that the user named runs in place, and is given the permission to execute', unix, async (t) => {
  const job = layOut(t, { packed: WHERE, mode: 0o644 });
  const { stdout } = await run(job, 'main.js', { ADOPAT_BINARY: job.binary });
  assert.deepEqual(stdout.split('\n').slice(0, 2), [job.binary, '755']);
  fs.chmodSync(job.binary, 0o600);
  const { stdout: again } = await run(job, 'main.js', { ADOPAT_BINARY: job.binary });
  assert.equal(again.split('\n')[1], '700', 'only those who may read a file may execute it');
});

// What the user named may belong to another user. Root may chmod anything, so the step runs as nobody.
const asNobody = { skip: process.getuid?.() !== 0 && 'another user is needed: run as root' };

for (const variable of ['AGENT_TEMPDIRECTORY', 'RUNNER_TEMP']) {
  test(`where chmod is refused a private copy runs from ${variable} and is removed`, asNobody, async (t) => {
    const job = layOut(t, { packed: WHERE, mode: 0o644 });
    const { code, stdout, stderr } = await run(job, 'main.js', { [variable]: job.temp, ADOPAT_BINARY: job.binary }, { uid: 65534, gid: 65534 });
    assert.equal(stderr, '');
    assert.equal(code, 0);
    const [where, mode, folderMode] = stdout.split('\n');
    assert.match(path.relative(job.temp, where), /^adopat-[A-Za-z0-9]{6}\/adopat-/);
    assert.deepEqual([mode, folderMode], ['700', '700']);
    assert.deepEqual(fs.readdirSync(job.temp), [], 'the copy is gone');
    assert.equal(fs.statSync(job.binary).mode & 0o777, 0o644, 'the original is as it was');
  });
}

test('a private copy is removed after a cancellation too', asNobody, async (t) => {
  const job = layOut(t, { packed: script("process.on('SIGTERM', () => process.exit(143)); process.kill(process.ppid, 'SIGTERM'); setInterval(() => {}, 1000)"), mode: 0o644 });
  const { code } = await run(job, 'main.js', { RUNNER_TEMP: job.temp }, { uid: 65534, gid: 65534 });
  assert.equal(code, 143);
  assert.deepEqual(fs.readdirSync(job.temp), []);
});

test('every platform that is served has one binary, named for its Rust target', () => {
  assert.equal(binaryFor('linux', 'x64'), 'adopat-x86_64-unknown-linux-gnu');
  assert.equal(binaryFor('darwin', 'arm64'), 'adopat-aarch64-apple-darwin');
  assert.equal(binaryFor('win32', 'arm64'), binaryFor('win32', 'x64'), 'Windows on Arm runs x64 programs');
  assert.equal(new Set(Object.values(BINARIES)).size, 5);
});

test('a platform that is not served is named, and so are those that are', () => {
  assert.throws(() => binaryFor('freebsd', 'x64'), /no adopat for freebsd-x64; supported are linux-x64, .*win32-x64/);
  assert.throws(() => binaryFor('linux', 'arm'), /no adopat for linux-arm;/);
});

test('checksums are read as sha256sum writes them, and nothing else', () => {
  const sum = 'a'.repeat(64);
  assert.deepEqual([...checksums.parse(`${sum}  one\n${sum} *two\r\n`)], [['one', sum], ['two', sum]]);
  for (const damaged of [`${sum} one\n`, `${sum}  a/b\n`, `${'a'.repeat(63)}  one\n`, 'x\n', `${sum}  one\n${sum}  one\n`]) {
    assert.throws(() => checksums.parse(damaged), /damaged/);
  }
});

test('a release that lacks this binary says so', () => {
  assert.throws(() => checksums.expected('adopat-x', `${'a'.repeat(64)}  adopat-y\n`), /lists no adopat-x/);
});
