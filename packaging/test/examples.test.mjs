// The examples name only what exists: inputs, outputs, operations, versions. Documents that show a workflow count
// as examples.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');
const text = (name) => fs.readFileSync(path.join(ROOT, name), 'utf8');
const files = ['examples', 'docs', 'packaging'].flatMap((folder) =>
  fs
    .readdirSync(path.join(ROOT, folder), { withFileTypes: true })
    .filter((entry) => entry.isFile() && (folder === 'examples' ? !entry.name.endsWith('.rs') : entry.name.endsWith('.md')))
    .map((entry) => `${folder}/${entry.name}`),
);
const task = JSON.parse(text('task.json'));
const action = text('action.yml');
const section = (from, to) => [...action.slice(action.indexOf(`\n${from}:`), action.indexOf(`\n${to}:`)).matchAll(/^  ([\w-]+):$/gm)].map(([, name]) => name);
const inputs = section('inputs', 'outputs');
const outputs = section('outputs', 'runs');
const variables = inputs.map((name) => `ADOPAT_${name.toUpperCase().replaceAll('-', '_')}`);
const [, version] = /\[workspace\.package\]\nversion = "([^"]+)"/.exec(text('Cargo.toml'));

/** The names of the mapping `key:` that follows `marker` at the same depth: `with:` after `uses:`. */
function mapping(lines, marker, key) {
  const names = [];
  lines.forEach((line, at) => {
    if (!marker.test(line)) return;
    const depth = line.search(/[^ -]/);
    const start = lines.findIndex((line, i) => i > at && line === `${' '.repeat(depth)}${key}:`);
    for (const line of lines.slice(start + 1)) {
      if (line.trim() !== '' && line.search(/\S/) <= depth) break;
      const [, name, value] = new RegExp(`^ {${depth + 2}}([\\w-]+):(?: (.*))?$`).exec(line) ?? [];
      if (name) names.push([name, value?.replace(/ +#.*$/, '')]);
    }
  });
  return names;
}

test('there is an example for every kind of reader', () => {
  const names = ['Jenkinsfile', 'adopat.yml', 'azure-pipelines-apply.yml', 'azure-pipelines.yml', 'buildkite.yml', 'circleci.yml', 'container.sh', 'github-apply.yml', 'github-fleet.yml', 'github.yml', 'gitlab-ci.yml', 'kubernetes-apply.yaml', 'kubernetes-cronjob.yaml'];
  for (const name of names) assert.ok(files.includes(`examples/${name}`), name);
});

for (const file of files) {
  const lines = text(file).split('\n');

  test(`${file} names only inputs and outputs that exist`, () => {
    const github = mapping(lines, /uses: adopat\/adopat@/, 'with');
    const azure = mapping(lines, /task: adopat@/, 'inputs');
    for (const [name] of github) assert.ok(inputs.includes(name), name);
    for (const [name] of azure) assert.ok(task.inputs.some((input) => input.name === name), name);
    for (const [name] of text(file).matchAll(/\bADOPAT_[A-Z_]+\b/g)) {
      assert.ok([...variables, 'ADOPAT_BINARY', 'ADOPAT_LAUNCHER'].includes(name), name);
    }
    for (const [, name] of text(file).matchAll(/steps\.pat\.outputs\.([\w-]+)/g)) assert.ok(outputs.includes(name), name);
    const operations = Object.keys(task.inputs[0].options);
    for (const [name, value] of [...github, ...azure]) {
      const choices = task.inputs.find((input) => input.name.toLowerCase() === name.replaceAll('-', '').toLowerCase()).options;
      if (name === 'operation') assert.ok(operations.includes(value), value);
      else if (choices && !value.startsWith('${{')) assert.ok(value in choices, `${name}: ${value}`);
    }
    if (lines.some((line) => /uses: adopat\/adopat@|task: adopat@/.test(line)) && file.startsWith('examples')) {
      assert.ok(github.length + azure.length >= 7, 'the step was read');
    }
  });

  test(`${file} names the version of the sources`, () => {
    const major = version.split('.')[0];
    const checked = file.startsWith('docs/versions') ? '' : text(file);
    for (const [, named] of checked.matchAll(/adopat\/adopat@v([\d.]+)/g)) assert.ok([major, version].includes(named), named);
    for (const [, named] of checked.matchAll(/task: adopat@(\d+)/g)) assert.equal(named, major);
    for (const [, named] of checked.matchAll(/(?:ghcr\.io\/adopat\/adopat:|releases\/download\/v)([\d.]+\d)/g)) assert.equal(named, version);
  });

  test(`${file} holds no value that looks like a secret`, () => {
    assert.doesNotMatch(text(file), /[A-Za-z0-9]{52}|[A-Za-z0-9]{84}|AZDO(?!_)/);
  });
}
