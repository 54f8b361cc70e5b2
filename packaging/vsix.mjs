// Packs the Azure Pipelines extension:
//
//     node packaging/vsix.mjs [--binaries FOLDER] [--out FILE]
//
// FOLDER (default launcher/bin) holds the binaries of a release, or, while developing, of as many platforms as have
// been built. Everything that Marketplace and agents read is made by Microsoft's tfx; then the archive is written
// anew, because tfx forgets permissions, stamps the time of day, and guesses content types from what the machine
// has installed. The same input gives the same bytes.

import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { icon } from './icon.mjs';
import * as zip from './zip.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const ROOT = path.dirname(HERE);
const require = createRequire(import.meta.url);
const { BINARIES } = require('../launcher/platform.js');
const checksums = require('../launcher/checksums.js');

const TYPES = {
  js: 'application/javascript',
  json: 'application/json',
  md: 'text/markdown',
  png: 'image/png',
  txt: 'text/plain',
  vsixmanifest: 'text/xml',
  vsomanifest: 'application/json',
};

/** Packs the extension and returns the archive. `sums` is the text of checksums.txt; `say` tells what is done. */
export function pack({
  binaries = path.join(ROOT, 'launcher/bin'),
  sums: text = fs.readFileSync(path.join(ROOT, 'launcher/checksums.txt'), 'utf8'),
  say = console.log,
} = {}) {
  const staging = fs.mkdtempSync(path.join(os.tmpdir(), 'adopat-vsix-'));
  try {
    const sums = verified(binaries, checksums.parse(text), say);
    stage(staging, binaries, sums);
    const made = path.join(staging, 'made.vsix');
    tfx(staging, made);
    return rewrite(zip.read(fs.readFileSync(made)));
  } finally {
    fs.rmSync(staging, { recursive: true, force: true });
  }
}

/** The sums of the binaries to pack: in a release every one that checksums.txt lists, else what there is. */
function verified(folder, released, say) {
  if (released.size > 0) {
    for (const [name, sum] of released) {
      if (!checksums.match(fs.readFileSync(path.join(folder, name)), sum)) {
        throw new Error(`${name} in ${folder} does not match launcher/checksums.txt`);
      }
    }
    return released;
  }
  say('launcher/checksums.txt is empty: this is no release, so whatever binaries there are get packed.');
  const names = [...new Set(Object.values(BINARIES))].filter((name) => fs.existsSync(path.join(folder, name)));
  if (names.length === 0) throw new Error(`${folder} holds no binary; they are named adopat-<target>, such as ${Object.values(BINARIES)[0]}`);
  return new Map(names.map((name) => [name, sha256(fs.readFileSync(path.join(folder, name)))]));
}

/** Lays out what tfx packs: the manifest, the overview, the pictures, and the task's own folder. */
function stage(staging, binaries, sums) {
  const put = (name, bytes) => {
    const file = path.join(staging, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, bytes);
  };
  const copy = (from, to) => put(to, fs.readFileSync(path.join(ROOT, from)));
  copy('vss-extension.json', 'vss-extension.json');
  copy('packaging/overview.md', 'overview.md');
  put('images/icon.png', icon(128));
  copy('task.json', 'task/task.json');
  put('task/icon.png', icon(32));
  for (const name of fs.readdirSync(path.join(ROOT, 'launcher')).filter((name) => name.endsWith('.js'))) {
    copy(`launcher/${name}`, `task/launcher/${name}`);
  }
  copy('launcher/version.txt', 'task/launcher/version.txt');
  put('task/launcher/checksums.txt', [...sums].map(([name, sum]) => `${sum}  ${name}\n`).join(''));
  for (const name of sums.keys()) put(`task/launcher/bin/${name}`, fs.readFileSync(path.join(binaries, name)));
}

/** Runs `tfx extension create`, which ends with code 0 even where it warns that no agent could run the task. */
function tfx(staging, output) {
  const program = path.join(HERE, 'node_modules/tfx-cli/_build/tfx-cli.js');
  if (!fs.existsSync(program)) run('npm', ['ci'], { cwd: HERE, shell: process.platform === 'win32' });
  const words = ['extension', 'create', '--root', staging, '--manifests', 'vss-extension.json', '--output-path', output, '--no-prompt', '--no-color'];
  const said = run(process.execPath, [program, ...words], { cwd: staging });
  if (/\bwarn(ing)?\b/i.test(said)) throw new Error(`tfx warns:\n${said}`);
}

function run(program, words, options) {
  const { status, stdout, stderr, error } = spawnSync(program, words, { encoding: 'utf8', ...options });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')} failed:\n${error?.message ?? ''}${stdout}${stderr}`);
  return stdout + stderr;
}

function rewrite(entries) {
  const kept = entries.map(({ name, bytes }) => {
    if (name === '[Content_Types].xml') return { name, mode: 0o644, bytes: Buffer.from(contentTypes(entries)) };
    if (name.endsWith('.vsixmanifest')) bytes = Buffer.from(bytes.toString().replaceAll('\r\n', '\n'));
    return { name, mode: isBinary(name) ? 0o755 : 0o644, bytes };
  });
  return zip.write(kept);
}

function isBinary(name) {
  return name.startsWith('task/launcher/bin/');
}

/** The archive's own table of content types (ECMA-376, part 2), by extension; binaries, which have none, by name. */
function contentTypes(entries) {
  const names = entries.map((entry) => entry.name).filter((name) => name !== '[Content_Types].xml').sort();
  const plain = names.filter((name) => !isBinary(name));
  const extensions = [...new Set(plain.map((name) => path.extname(name).slice(1)))].sort();
  const unknown = extensions.filter((extension) => !TYPES[extension]);
  if (unknown.length > 0) throw new Error(`no content type is known for files that end in ${unknown.join(', ')}`);
  return [
    '<?xml version="1.0" encoding="utf-8"?>',
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">',
    ...extensions.map((extension) => `  <Default Extension="${extension}" ContentType="${TYPES[extension]}"/>`),
    ...names.filter(isBinary).map((name) => `  <Override PartName="/${name}" ContentType="application/octet-stream"/>`),
    '</Types>\n',
  ].join('\n');
}

function sha256(bytes) {
  return crypto.createHash('sha256').update(bytes).digest('hex');
}

/** What is in the archive, a line a file. */
export function listing(archive) {
  return zip
    .read(archive)
    .map(({ name, mode, bytes }) => `${mode.toString(8)} ${String(bytes.length).padStart(9)} ${sha256(bytes)} ${name}`)
    .join('\n');
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { binaries: { type: 'string' }, out: { type: 'string' } } });
  const { version } = JSON.parse(fs.readFileSync(path.join(ROOT, 'vss-extension.json'), 'utf8'));
  const out = values.out ?? path.join(ROOT, `adopat-${version}.vsix`);
  try {
    const archive = pack({ binaries: values.binaries && path.resolve(values.binaries) });
    fs.writeFileSync(out, archive);
    console.log(listing(archive));
    console.log(`${out}: ${archive.length} bytes, sha256 ${sha256(archive)}`);
  } catch (error) {
    console.error(`vsix: ${error.message}`);
    process.exitCode = 1;
  }
}
