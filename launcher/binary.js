'use strict';

// Finds the binary, makes sure that it is the one of this release, and that it can be executed.
//
// Where it comes from, first hit wins:
//   ADOPAT_BINARY   a local file, the user's own choice and therefore not checked;
//   launcher/bin/   beside this file: the Azure Pipelines task carries every platform's binary;
//   the tool cache  a GitHub runner's, where an earlier job on it left the binary;
//   the release     of this action's own version, on GitHub only; what was fetched is kept in the tool cache.
// All but the first must match launcher/checksums.txt, on every start: a self-hosted runner's cache can be
// written by every job that runs there, also between the moment a file is verified and the moment it is started. So
// what is verified, and what is run, is a copy in a fresh folder that nobody else can enter.

const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const checksums = require('./checksums');
const ciHost = require('./ci_host');
const { binaryFor } = require('./platform');
const { download } = require('./download');

const REPOSITORY = 'https://github.com/adopat/adopat';
const BESIDE = path.join(__dirname, 'bin');

/**
 * The path of an executable binary, and a function that removes what was made for this run alone.
 * @throws {Error} one sentence that says why there is none.
 */
async function find(env = process.env) {
  if (env.ADOPAT_BINARY) return local(path.resolve(env.ADOPAT_BINARY), env);
  const name = binaryFor();
  const sum = checksums.expected(name);
  const beside = path.join(BESIDE, name);
  if (fs.existsSync(beside)) return packed(beside, sum, env);
  if (env.GITHUB_ACTIONS) return released(name, sum, env);
  throw new Error(`${beside} is missing`);
}

/** The binary that the user named. */
function local(file, env) {
  if (!fs.statSync(file, { throwIfNoEntry: false })?.isFile()) {
    throw new Error(`ADOPAT_BINARY names ${file}, where there is no file`);
  }
  return executable(file, () => fs.readFileSync(file), env);
}

/** The binary that was packed with the launcher. */
function packed(file, sum, env) {
  const copy = verifiedCopy(fs.readFileSync(file), sum, path.basename(file), env);
  if (!copy) throw new Error(changed(file));
  return copy;
}

/** The binary of this release, from the runner's tool cache or fetched into it. */
async function released(name, sum, env) {
  const version = fs.readFileSync(path.join(__dirname, 'version.txt'), 'utf8').trim();
  const cached = path.join(env.RUNNER_TOOL_CACHE || ciHost.temporaryFolder(env), 'adopat', version, name);
  let complaint = '';
  if (fs.existsSync(cached)) {
    const copy = verifiedCopy(fs.readFileSync(cached), sum, name, env);
    if (copy) return copy;
    complaint = `${changed(cached)}; `;
  }

  const address = `${REPOSITORY}/releases/download/v${version}/${name}`;
  const bytes = await download(address, env).catch((error) => {
    throw new Error(`${complaint}${address} could not be fetched: ${error.message}`);
  });
  const copy = verifiedCopy(bytes, sum, name, env);
  if (!copy) throw new Error(`${complaint}${changed(address)}`);
  if (complaint) ciHost.warning(`${complaint}the release's own is run instead`, env);
  keep(cached, bytes);
  return copy;
}

function changed(where) {
  return `${where} does not match launcher/checksums.txt, so it is not run`;
}

/**
 * Writes the file whole or not at all, since another job may start from it this moment. It does no harm if it cannot
 * be kept: the cache may not be ours to write, and Windows replaces no program that runs.
 */
function keep(file, bytes) {
  const draft = `${file}.${crypto.randomUUID()}`;
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(draft, bytes, { mode: 0o755, flag: 'wx' });
    fs.renameSync(draft, file);
  } catch {
    if (fs.existsSync(draft)) fs.rmSync(draft);
  }
}

/**
 * Makes a file executable. A zip, which is what an artifact is, loses the permission to execute; if it cannot be
 * given back in place, a private copy of the same bytes is run.
 */
function executable(file, read, env) {
  if (mayBeExecuted(file)) return { file, cleanUp() {} };
  try {
    const { mode } = fs.statSync(file);
    fs.chmodSync(file, mode | ((mode & 0o444) >> 2)); // every user who may read it may execute it
  } catch {
    // Not ours, or on a file system that is read-only.
  }
  return mayBeExecuted(file) ? { file, cleanUp() {} } : privateCopy(path.basename(file), read(), env);
}

/** A private copy of the bytes, verified as it lies there; undefined if it is not the binary of this release. */
function verifiedCopy(bytes, sum, name, env) {
  if (!checksums.match(bytes, sum)) return undefined;
  const copy = privateCopy(name, bytes, env);
  if (checksums.match(fs.readFileSync(copy.file), sum)) return copy;
  copy.cleanUp();
  return undefined;
}

/**
 * A copy in a folder of its own that nobody else can enter: in the host's temporary folder, or, if programs may not
 * be executed there, in the machine's.
 */
function privateCopy(name, bytes, env) {
  const parents = [...new Set([ciHost.temporaryFolder(env), os.tmpdir()])];
  let failure;
  for (const parent of parents) {
    const copy = copyInto(parent, name, bytes, (error) => (failure ??= error));
    if (copy) return copy;
  }
  throw new Error(
    `no copy of ${name} could be made that may be executed in ${parents.join(' or ')}` +
      `${failure ? ` (${failure.code ?? failure.message})` : ''}; name a binary of your own in ADOPAT_BINARY`,
  );
}

function copyInto(parent, name, bytes, tell) {
  let folder;
  const cleanUp = () => folder && fs.rmSync(folder, { recursive: true, force: true });
  try {
    fs.mkdirSync(parent, { recursive: true });
    folder = fs.mkdtempSync(path.join(parent, 'adopat-')); // 0700, a random name
    const file = path.join(folder, name);
    fs.writeFileSync(file, bytes, { mode: 0o700, flag: 'wx' });
    if (mayBeExecuted(file)) return { file, cleanUp };
  } catch (error) {
    tell(error);
  }
  cleanUp();
  return undefined;
}

function mayBeExecuted(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK); // on Windows every file that exists
    return true;
  } catch {
    return false;
  }
}

module.exports = { find };
