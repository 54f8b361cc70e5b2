// What Microsoft's and GitHub's own readers demand of the manifests, as far as it matters. The tools that pack an
// extension only warn, so it is written down here: the task's JSON schema (azure-pipelines-task-lib,
// tasks.schema.json), how the agent names handlers, and what a runner does with inputs.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');
const text = (name) => fs.readFileSync(path.join(ROOT, name), 'utf8');
const task = JSON.parse(text('task.json'));
const extension = JSON.parse(text('vss-extension.json'));
const action = readAction(text('action.yml'));

/** action.yml, which keeps to a form that needs no YAML library: a section, its names, their properties. */
function readAction(yaml) {
  const sections = { inputs: {}, outputs: {}, runs: {} };
  let section, name;
  for (const line of yaml.split('\n')) {
    const [, indent, key, value] = /^( *)([\w-]+):(?: (.*))?$/.exec(line) ?? [];
    if (key === undefined) continue;
    if (indent === '') section = sections[key];
    else if (indent.length === 2 && section) {
      if (value === undefined) section[(name = key)] = {};
      else section[key] = value;
    } else if (section) section[name][key] = value.startsWith('"') ? JSON.parse(value) : value;
  }
  return sections;
}

const camelCase = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());

test('the action and the task declare the same inputs and, but for the secret, the same outputs', () => {
  assert.ok(Object.keys(action.inputs).length > 40);
  assert.deepEqual(task.inputs.map((input) => input.name), Object.keys(action.inputs).map(camelCase));
  const plain = Object.keys(action.outputs).filter((name) => name !== 'token');
  assert.deepEqual(task.outputVariables.map((output) => output.name), plain.map(camelCase));
});

test('both explain an input in the same words', () => {
  const help = Object.values(action.inputs).map((input) => input.description);
  assert.deepEqual(task.inputs.map((input) => input.helpMarkDown), help);
  for (const { description } of Object.values({ ...action.inputs, ...action.outputs })) assert.match(description, /^.{10,}\.$/);
});

test('no input has a default: it would beat the ADOPAT_ variable that a job set for all its steps', () => {
  for (const [name, input] of Object.entries(action.inputs)) assert.ok(!('default' in input), name);
  for (const input of task.inputs) assert.ok(!('defaultValue' in input), input.name);
});

test('the action runs on Node 24, with a last step', () => {
  assert.deepEqual(action.runs, { using: 'node24', main: 'launcher/main.js', post: 'launcher/post.js' });
});

test('the task runs on every agent that has Node 20 or 24, with a last step on the same', () => {
  for (const [stage, target] of [['execution', 'launcher/main.js'], ['postjobexecution', 'launcher/post.js']]) {
    assert.deepEqual(task[stage], { Node24: { target }, Node20_1: { target } });
    assert.ok(fs.existsSync(path.join(ROOT, target)));
  }
  assert.ok(!('prejobexecution' in task));
  assert.equal(task.minimumAgentVersion, '2.214.1', 'the first agent that knows Node20_1');
});

test('no output variable is the secret: a name listed there is an output, whatever the command says', () => {
  for (const { name } of task.outputVariables) assert.doesNotMatch(name, /token|pat$|secret/i);
});

test('the task restricts itself in nothing: uploading a summary needs every command, and variables are named by users', () => {
  assert.ok(!('restrictions' in task));
});

test('no input is a filePath: an empty one arrives as the sources folder', () => {
  assert.ok(task.inputs.every((input) => input.type !== 'filePath'));
  assert.equal(task.inputs.find((input) => input.name === 'outputFile').type, 'string');
});

test('a service connection is chosen as one', () => {
  assert.equal(task.inputs.find((input) => input.name === 'azureServiceConnection').type, 'connectedService:AzureRM');
});

test('the task keeps the rules of its schema', () => {
  assert.match(task.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.match(task.name, /^[A-Za-z0-9-]+$/);
  assert.ok(task.friendlyName.length >= 1 && task.friendlyName.length <= 40);
  assert.ok(task.category === 'Utility' && task.description && task.author && task.helpMarkDown);
  const known = ['$schema', 'id', 'name', 'friendlyName', 'description', 'author', 'helpUrl', 'helpMarkDown', 'category', 'visibility', 'runsOn', 'version', 'minimumAgentVersion', 'instanceNameFormat', 'showEnvironmentVariables', 'groups', 'inputs', 'outputVariables', 'execution', 'postjobexecution'];
  assert.deepEqual(Object.keys(task).filter((key) => !known.includes(key)), []);
  for (const output of task.outputVariables) assert.match(output.name, /^[A-Za-z][A-Za-z0-9]*$/);
  for (const name of task.instanceNameFormat.match(/(?<=\$\()\w+/g)) assert.ok(task.inputs.some((input) => input.name === name));
});

test('every input of the task keeps the rules of the schema', () => {
  const groups = task.groups.map((group) => group.name);
  // exec needs a command, which no step has: its inputs are declared as every input is, and never shown.
  const operations = [...Object.keys(task.inputs[0].options), 'exec'];
  const types = ['boolean', 'multiLine', 'pickList', 'string', 'connectedService:AzureRM'];
  for (const input of task.inputs) {
    assert.match(input.name, /^[A-Za-z][A-Za-z0-9]*$/);
    assert.ok(input.label && types.includes(input.type), input.name);
    assert.equal(input.type === 'pickList', 'options' in input, input.name);
    assert.ok(input.groupName === undefined || groups.includes(input.groupName), input.name);
    const known = ['name', 'label', 'type', 'required', 'groupName', 'visibleRule', 'options', 'helpMarkDown'];
    assert.deepEqual(Object.keys(input).filter((key) => !known.includes(key)), [], input.name);
    for (const term of input.visibleRule?.split(' || ') ?? []) {
      const [, operation] = /^operation = (\w+)$/.exec(term) ?? [];
      assert.ok(operations.includes(operation), `${input.name}: ${term}`);
    }
  }
  assert.equal(new Set(task.inputs.map((input) => input.name.toLowerCase())).size, task.inputs.length);
});

test('one version is written everywhere', () => {
  const [, version] = /\[workspace\.package\]\nversion = "([^"]+)"/.exec(text('Cargo.toml'));
  const { Major, Minor, Patch } = task.version;
  assert.deepEqual(
    { task: `${Major}.${Minor}.${Patch}`, extension: extension.version, launcher: text('launcher/version.txt') },
    { task: version, extension: version, launcher: `${version}\n` },
  );
});

test('the launcher that a release fetches with and the manifests name one repository', () => {
  const [, repository] = /repository = "([^"]+)"/.exec(text('Cargo.toml'));
  assert.equal(extension.repository.uri, repository);
  assert.ok(text('launcher/binary.js').includes(`'${repository}'`));
});
