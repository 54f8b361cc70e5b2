'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { layOut, run, start, script, scriptsRun, bare } = require('../testbed/job');

const unix = { skip: !scriptsRun && 'scripts are no programs on Windows' };

test('the environment reaches the binary with nothing removed or changed, and one thing added', unix, async (t) => {
  const job = layOut(t, { packed: script('out(JSON.stringify(process.env)); out(JSON.stringify(process.argv.slice(2)))') });
  const env = {
    INPUT_OPERATION: 'create',
    'INPUT_DISPLAY-NAME': ' spaces kept ',
    INPUT_SCOPE: 'vso.code\nvso.build',
    SECRET_PAT: 'p%41$(x);"\'\\',
    'ENDPOINT_AUTH_00000000-0000-0000-0000-000000000000': '{"scheme":"x"}',
    ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN: 'fake',
    VSTS_TASKVARIABLE_ADOPAT_PENDING: '1',
    VSTS_PROCESS_LOOKUP_ID: 'vsts_1',
    RUNNER_TRACKING_ID: 'github_1',
    NODE_OPTIONS: '',
    EMPTY: '',
    lower_case: 'kept',
    ADOPAT_TIMEOUT: '1m',
  };
  const { code, stdout } = await run(job, 'main.js', env);
  const [seen, args] = stdout.trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(seen, { ...bare(env), ADOPAT_LAUNCHER: '1' });
  assert.deepEqual(args, [], 'task mode: everything stands in the environment');
  assert.equal(code, 0);
});

test("the binary's exit code is the step's", unix, async (t) => {
  for (const code of [0, 1, 2, 8, 130, 143]) {
    const job = layOut(t, { packed: script(`process.exitCode = ${code}`) });
    assert.equal((await run(job, 'main.js', {})).code, code);
  }
});

test('a binary that a signal ended is 128 and the number', unix, async (t) => {
  const job = layOut(t, { packed: script("process.kill(process.pid, 'SIGKILL')") });
  assert.equal((await run(job, 'main.js', {})).code, 137);
});

test('what the binary writes goes out while it still runs, on both streams', unix, async (t) => {
  const job = layOut(t, { packed: script("process.on('SIGTERM', () => process.exit(0)); require('fs').writeSync(2, 'second\\n'); out('first'); setInterval(() => {}, 1000)") });
  const step = start(job, 'main.js', {});
  await step.says('first');
  step.child.kill('SIGTERM');
  assert.equal((await step.ended).stderr, 'second\n');
});

for (const [signal, number] of [['SIGINT', 2], ['SIGTERM', 15]]) {
  test(`${signal} is passed on, and the step ends only when the binary has cleaned up`, unix, async (t) => {
    const job = layOut(t, {
      packed: script(`
        process.once('${signal}', () => { out('cleaning'); setTimeout(() => { out('clean'); process.exit(${128 + number}); }, 200); });
        out('ready'); setInterval(() => {}, 1000);`),
    });
    const step = start(job, 'main.js', {});
    await step.says('ready');
    step.child.kill(signal);
    const { code, stdout } = await step.ended;
    assert.equal(code, 128 + number);
    assert.deepEqual(stdout.trim().split('\n'), ['ready', 'cleaning', 'clean']);
  });
}

test('a second signal does not end the step before the binary', unix, async (t) => {
  const job = layOut(t, {
    packed: script(`
      process.on('SIGINT', () => out('int')); process.on('SIGTERM', () => { out('term'); setTimeout(() => process.exit(130), 100); });
      out('ready'); setInterval(() => {}, 1000);`),
  });
  const step = start(job, 'main.js', {});
  await step.says('ready');
  step.child.kill('SIGINT');
  await step.says('int');
  step.child.kill('SIGTERM');
  assert.equal((await step.ended).code, 130);
});

const HOSTS = [
  ['GitHub Actions', { GITHUB_ACTIONS: 'true' }, /^::error::adopat: [^\n]+\n$/, 'stdout'],
  ['Azure Pipelines', { TF_BUILD: 'True' }, /^##vso\[task\.logissue type=error\]adopat: [^\n]+\n$/, 'stdout'],
  ['another host', {}, /^adopat: error: [^\n]+\n$/, 'stderr'],
];

for (const [host, env, line, stream] of HOSTS) {
  test(`a tampered binary is refused with one line on ${host}`, async (t) => {
    const job = layOut(t, { packed: script("out('ran')"), sums: undefined });
    fs.appendFileSync(job.binary, '// changed\n');
    const result = await run(job, 'main.js', env);
    assert.equal(result.code, 1);
    assert.match(result[stream], line);
    assert.match(result[stream], /does not match launcher\/checksums\.txt/);
    assert.equal(result[stream === 'stdout' ? 'stderr' : 'stdout'], '');
  });

  test(`a tree that is no release is refused with one line on ${host}`, async (t) => {
    const result = await run(layOut(t), 'main.js', env);
    assert.equal(result.code, 1);
    assert.match(result[stream], line);
    assert.match(result[stream], /not a release/);
  });

  test(`an ADOPAT_BINARY that is not there is refused with one line on ${host}`, async (t) => {
    const result = await run(layOut(t), 'main.js', { ...env, ADOPAT_BINARY: path.join('no', '##vso[x]100%\n', 'such') });
    assert.equal(result.code, 1);
    assert.match(result[stream], line);
    assert.match(result[stream], /ADOPAT_BINARY names .*where there is no file/);
  });
}

test('a binary that the task should carry but does not is named', async (t) => {
  const job = layOut(t, { packed: 'x' });
  fs.rmSync(job.binary);
  const { code, stdout } = await run(job, 'main.js', { TF_BUILD: 'True' });
  assert.equal(code, 1);
  assert.ok(stdout.includes(`${job.binary} is missing`));
});

test('a file that this machine cannot start is refused with one line', unix, async (t) => {
  const job = layOut(t, { packed: '#!/no/such/loader\n' });
  const { code, stdout, stderr } = await run(job, 'main.js', { GITHUB_ACTIONS: 'true' });
  assert.equal(code, 1);
  assert.match(stdout, /^::error::adopat: [^\n]+could not be started[^\n]+\n$/);
  assert.equal(stderr, '');
});

test('ADOPAT_BINARY runs as it is, whatever the checksums say', unix, async (t) => {
  const job = layOut(t, { packed: 'the one of the release' });
  const own = path.join(job.folder, 'own');
  fs.writeFileSync(own, script("out('own')"), { mode: 0o644 });
  const { code, stdout } = await run(job, 'main.js', { ADOPAT_BINARY: own });
  assert.deepEqual([code, stdout], [0, 'own\n']);
});

test('nothing is required but Node itself', () => {
  const folder = path.join(__dirname, '..');
  for (const name of fs.readdirSync(folder).filter((name) => name.endsWith('.js'))) {
    const text = fs.readFileSync(path.join(folder, name), 'utf8');
    for (const [, what] of text.matchAll(/require\('([^']+)'\)/g)) {
      assert.match(what, /^(node:|\.\/)/, `${name} requires ${what}`);
    }
    assert.doesNotMatch(text, /\bimport\(/);
  }
});
