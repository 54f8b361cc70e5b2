'use strict';

// A job on a CI machine: the launcher laid out as a host lays it out, with a program of our own in place of
// the binary, and a step of it run to its end.

const { spawn } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { binaryFor } = require('../platform');

const LAUNCHER = path.join(__dirname, '..');

/** The scripts that stand in for the binary cannot be started as programs on Windows. */
const scriptsRun = process.platform !== 'win32';

/** A script that stands in for the binary. `body` sees `out`, which writes a line to standard output. */
function script(body) {
  return `#!${process.execPath}\nconst out = (line) => require('fs').writeSync(1, line + '\\n');\n${body}\n`;
}

/**
 * The launcher in a folder of its own, removed when the test is over.
 * `sums` are the lines of checksums.txt; `packed` is put into bin/, as in the VSIX.
 */
function layOut(t, { packed, mode = 0o755, sums } = {}) {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'adopat-test-')));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  fs.chmodSync(folder, 0o755);
  const launcher = path.join(folder, 'launcher');
  const temp = path.join(folder, 'temp');
  for (const made of [launcher, temp]) fs.mkdirSync(made);
  fs.chmodSync(temp, 0o777);
  for (const name of fs.readdirSync(LAUNCHER).filter((name) => /\.(js|txt)$/.test(name))) {
    fs.copyFileSync(path.join(LAUNCHER, name), path.join(launcher, name));
  }
  const binary = path.join(launcher, 'bin', binaryFor());
  if (packed !== undefined) {
    fs.mkdirSync(path.dirname(binary));
    fs.writeFileSync(binary, packed);
    fs.chmodSync(binary, mode);
  }
  fs.writeFileSync(path.join(launcher, 'checksums.txt'), sums ?? (packed === undefined ? '' : sumsOf(packed)));
  return { folder, launcher, temp, binary };
}

/** checksums.txt with these bytes as this platform's binary. */
function sumsOf(bytes) {
  return `${crypto.createHash('sha256').update(bytes).digest('hex')}  ${binaryFor()}\n`;
}

/**
 * NODE_OPTIONS under which this file is swapped for a foreign program in the last moment before a program is started:
 * what another job on the machine may manage to do at any time.
 */
function swapping(job, file) {
  const hook = path.join(job.folder, 'swap.js');
  const foreign = script('out("foreign")');
  fs.writeFileSync(
    hook,
    `const child = require('node:child_process');
     const fs = require('node:fs');
     const spawn = child.spawn;
     child.spawn = (...all) => {
       fs.rmSync(${JSON.stringify(file)});
       fs.writeFileSync(${JSON.stringify(file)}, ${JSON.stringify(foreign)}, { mode: 0o755 });
       return spawn(...all);
     };`,
  );
  return `--require ${hook}`;
}

/** What a machine's environment has anyway. */
function bare(extra) {
  const { PATH, SystemRoot, TEMP } = process.env;
  return Object.fromEntries(Object.entries({ PATH, SystemRoot, TEMP, ...extra }).filter(([, value]) => value !== undefined));
}

/** Starts main.js or post.js. */
function start(job, file, env, options = {}) {
  const child = spawn(process.execPath, [path.join(job.launcher, file)], {
    env: bare(env),
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  });
  const seen = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => (seen.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (seen.stderr += text));
  const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal, ...seen })));
  const says = async (text) => {
    while (!seen.stdout.includes(text)) {
      if (child.exitCode !== null) throw new Error(`it ended before it said '${text}'`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  return { child, ended, says };
}

/** Runs main.js or post.js to its end. */
function run(job, file, env, options) {
  return start(job, file, env, options).ended;
}

module.exports = { layOut, run, start, script, scriptsRun, sumsOf, swapping, bare };
