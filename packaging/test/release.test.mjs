import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { commit, materials, metadata, version } from '../release.mjs';

const { BINARIES } = createRequire(import.meta.url)('../../launcher/platform.js');
const checksums = createRequire(import.meta.url)('../../launcher/checksums.js');
const NAMES = [...new Set(Object.values(BINARIES))];

/** A repository at version 1.2.3, and a folder with every binary of it. */
function repository(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'adopat-test-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const root = path.join(folder, 'root');
  const binaries = path.join(folder, 'binaries');
  fs.mkdirSync(path.join(root, 'launcher'), { recursive: true });
  fs.mkdirSync(binaries);
  fs.writeFileSync(path.join(root, 'Cargo.toml'), '[workspace.package]\nversion = "1.2.3"\n');
  fs.writeFileSync(path.join(root, 'launcher/checksums.txt'), '');
  for (const name of NAMES) fs.writeFileSync(path.join(binaries, name), name);
  const git = (...words) => execFileSync('git', words, { cwd: root, encoding: 'utf8' }).trim();
  git('init', '--quiet', '--initial-branch=main');
  git('config', 'user.name', 'contoso');
  git('config', 'user.email', 'contoso@example.com');
  git('config', 'core.autocrlf', 'false');
  git('add', '.');
  git('commit', '--quiet', '--message', 'sources');
  return { root, binaries, git };
}

test('the release commit differs from the candidate in the checksums alone, and bears the tag', (t) => {
  const { root, binaries, git } = repository(t);
  const candidate = git('rev-parse', 'HEAD');
  git('checkout', '--quiet', '--detach');
  const made = commit(binaries, root);
  assert.equal(git('rev-parse', 'v1.2.3^{commit}'), made);
  assert.equal(git('rev-parse', `${made}^`), candidate);
  assert.equal(git('diff', '--name-only', candidate, made), 'launcher/checksums.txt');
  assert.equal(git('rev-parse', 'main'), candidate, 'no branch moves');
  const sums = checksums.parse(git('show', 'v1.2.3:launcher/checksums.txt'));
  assert.deepEqual([...sums.keys()], [...NAMES].sort());
  for (const [name, sum] of sums) assert.equal(sum, crypto.createHash('sha256').update(name).digest('hex'));
});

test('a release without one of its binaries is not made', (t) => {
  const { root, binaries, git } = repository(t);
  fs.rmSync(path.join(binaries, NAMES[3]));
  assert.throws(() => commit(binaries, root), new RegExp(NAMES[3]));
  assert.equal(git('tag'), '');
});

test('a release is not made from changed sources', (t) => {
  const { root, binaries } = repository(t);
  fs.appendFileSync(path.join(root, 'Cargo.toml'), '# changed\n');
  assert.throws(() => commit(binaries, root), /not clean/);
});

test('a candidate names the version that the sources say, once', (t) => {
  const { root, git } = repository(t);
  assert.equal(version('candidate/v1.2.3', root), '1.2.3');
  assert.throws(() => version('candidate/v1.2.4', root), /Cargo\.toml says 1\.2\.3/);
  for (const odd of ['v1.2.3', 'candidate/v1.2', 'candidate/v1.2.3-rc.1', 'candidate/v1.2.3\n']) {
    assert.throws(() => version(odd, root), /no candidate tag/);
  }
  git('tag', 'v1.2.3');
  assert.throws(() => version('candidate/v1.2.3', root), /released already/);
});

test('a bill of materials names every crate that is linked into a binary of any platform', () => {
  const known = metadata();
  const components = known.packages.map(({ name, version }) => ({ name, version }));
  const count = materials({ components }, known);
  assert.ok(count > 200, `${count} crates`);
  const without = (forgotten) => ({ components: components.filter(({ name }) => name !== forgotten) });
  // Of every platform, of Windows alone, and of the tests alone.
  for (const name of ['rustls', 'windows-sys']) {
    assert.throws(() => materials(without(name), known), new RegExp(`forgets ${name} [0-9]`), name);
  }
  assert.equal(materials(without('mockito'), known), count);
  const older = components.map((crate) => (crate.name === 'ring' ? { ...crate, version: '0.1.0' } : crate));
  assert.throws(() => materials({ components: older }, known), /forgets ring/);
});
