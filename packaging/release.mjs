// The steps of a release that are more than a line of a workflow:
//
//     node packaging/release.mjs version candidate/v1.2.3    prints 1.2.3, or says why it cannot be released
//     node packaging/release.mjs commit FOLDER               makes the release commit from the built binaries
//     node packaging/release.mjs materials adopat.cdx.json   says which crates the bill of materials forgets
//
// The action trusts nothing but the checksums in its own tag, so the tag can only be set once the binaries exist,
// while they should be built from the tagged sources. Hence: a maintainer tags a commit `candidate/v1.2.3`; the
// workflow tests and builds that commit, then puts one commit on top of it that changes launcher/checksums.txt and
// nothing else, and tags that one `v1.2.3`. It belongs to no branch: the main branch keeps an empty
// checksums.txt, so that nobody runs it with the binaries of an older release.

import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const { BINARIES } = createRequire(import.meta.url)('../launcher/platform.js');
const CHECKSUMS = 'launcher/checksums.txt';

/** The version that a candidate tag names, if it is the one that the sources say and was not released yet. */
export function version(candidate, root = ROOT) {
  const [, named] = /^candidate\/v(\d+\.\d+\.\d+)$/.exec(candidate) ?? [];
  if (!named) throw new Error(`'${candidate}' is no candidate tag: they look like candidate/v1.2.3`);
  const written = sourceVersion(root);
  if (named !== written) throw new Error(`the candidate is ${named}, but Cargo.toml says ${written}`);
  if (git(root, 'tag', '--list', `v${named}`)) throw new Error(`v${named} is released already: a release never changes`);
  return named;
}

/** Commits the checksums of all binaries on top of what is checked out, tags that, and returns its id. */
export function commit(binaries, root = ROOT) {
  if (git(root, 'status', '--porcelain', '--untracked-files=no')) throw new Error('the work tree is not clean');
  const names = [...new Set(Object.values(BINARIES))].sort();
  const lines = names.map((name) => `${sha256(path.join(binaries, name))}  ${name}\n`);
  fs.writeFileSync(path.join(root, CHECKSUMS), lines.join(''));
  const tag = `v${sourceVersion(root)}`;
  git(root, 'commit', '--quiet', '--message', `Release ${tag}: the checksums of its binaries`, '--', CHECKSUMS);
  git(root, 'tag', tag);
  return git(root, 'rev-parse', 'HEAD');
}

/** Counts the crates of a bill of materials (CycloneDX), which must name every one that is linked into a binary. */
export function materials(bill, metadata) {
  const packages = new Map(metadata.packages.map((crate) => [crate.id, crate]));
  const nodes = new Map(metadata.resolve.nodes.map((node) => [node.id, node]));
  const own = metadata.packages.find(({ name, source }) => name === 'adopat' && source === null).id;
  const linked = new Set([own]);
  // A set that grows while it is walked is walked to its end.
  for (const id of linked) {
    for (const { pkg, dep_kinds: kinds } of nodes.get(id).deps) {
      if (kinds.some(({ kind }) => kind === null)) linked.add(pkg);
    }
  }
  linked.delete(own);
  const named = new Set(bill.components.map(({ name, version }) => `${name} ${version}`));
  const crates = [...linked].map((id) => packages.get(id)).map(({ name, version }) => `${name} ${version}`);
  const forgotten = crates.filter((crate) => !named.has(crate)).sort();
  if (forgotten.length > 0) throw new Error(`the bill of materials forgets ${forgotten.join(', ')}`);
  return crates.length;
}

/** What cargo knows of the crates, for every platform. */
export function metadata(root = ROOT) {
  const words = ['metadata', '--locked', '--format-version', '1'];
  return JSON.parse(execFileSync('cargo', words, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 30 }));
}

function sourceVersion(root) {
  const manifest = fs.readFileSync(path.join(root, 'Cargo.toml'), 'utf8');
  return /\[workspace\.package\]\s+version = "([^"]+)"/.exec(manifest)[1];
}

function sha256(file) {
  return crypto.createHash('sha256').update(fs.readFileSync(file)).digest('hex');
}

function git(root, ...words) {
  return execFileSync('git', words, { cwd: root, encoding: 'utf8' }).trim();
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [step, word] = process.argv.slice(2);
  const steps = {
    version,
    commit: (folder) => commit(path.resolve(folder)),
    materials: (file) => materials(JSON.parse(fs.readFileSync(file, 'utf8')), metadata()),
  };
  try {
    if (!steps[step] || !word) throw new Error('say: version candidate/vX.Y.Z, commit FOLDER, or materials FILE');
    console.log(steps[step](word));
  } catch (error) {
    console.error(`release: ${error.message}`);
    process.exitCode = 1;
  }
}
