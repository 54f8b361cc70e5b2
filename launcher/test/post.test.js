'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { test } = require('node:test');

const { layOut, run, start, script, scriptsRun } = require('../testbed/job');

const unix = { skip: !scriptsRun && 'scripts are no programs on Windows' };
const GITHUB = { GITHUB_ACTIONS: 'true' };
const AZURE = { TF_BUILD: 'True' };
const ID = '00000000-0000-0000-0000-000000000001';

for (const [host, env] of [['GitHub', GITHUB], ['Azure', AZURE], ['no host', {}]]) {
  test(`without state the last step is silent and does not look for a binary (${host})`, async (t) => {
    const job = layOut(t);
    fs.rmSync(`${job.launcher}/checksums.txt`);
    for (const name of ['binary.js', 'platform.js', 'checksums.js', 'run.js']) fs.rmSync(`${job.launcher}/${name}`);
    const result = await run(job, 'post.js', { ...env, ADOPAT_BINARY: '/no/such', STATE_other: '1', STATE_adopat_pending: '', VSTS_TASKVARIABLE_ADOPAT_PENDING: '', VSTS_TASKVARIABLE_ADOPAT_DISPLAY_NAME: 'x' });
    assert.deepEqual(result, { code: 0, signal: null, stdout: '', stderr: '' });
  });
}

/** The state as the binary saves it, where each host shows it. */
function saved(host, pats) {
  const text = JSON.stringify(pats);
  return host === 'GitHub' ? { ...GITHUB, STATE_adopat_pending: text } : { ...AZURE, VSTS_TASKVARIABLE_ADOPAT_PENDING: text };
}

const PAT = { 'display-name': 'nightly', scope: 'vso.code', 'valid-to': '2026-01-01T00:00:00Z', 'asked-at': '2025-12-01T00:00:00Z' };

for (const host of ['GitHub', 'Azure']) {
  const state = saved(host, [{ ...PAT, 'authorization-id': ID }]);

  test(`with state the binary is asked to complete (${host})`, unix, async (t) => {
    const job = layOut(t, { packed: script('out(process.argv.slice(2).join(" ") + " " + process.env.ADOPAT_LAUNCHER)') });
    assert.deepEqual(await run(job, 'post.js', state), { code: 0, signal: null, stdout: 'complete 1\n', stderr: '' });
  });

  test(`an empty list is nothing to do (${host})`, async (t) => {
    assert.deepEqual(await run(layOut(t), 'post.js', saved(host, [])), { code: 0, signal: null, stdout: '', stderr: '' });
  });

  const WARNING = /^(::warning::|##vso\[task\.logissue type=warning\])adopat: the PAT 'nightly' \(authorization id 0{8}-0{4}-0{4}-0{4}-0{11}1\) may still be alive, for what revokes it could not run: [^\n]+\n$/;

  const failing = {
    'there is no binary': {},
    'the binary was tampered with': { packed: 'x', sums: `${'0'.repeat(64)}  adopat-x\n` },
    'the binary cannot be started': { packed: '#!/no/such/loader\n' },
    'the binary fails': { packed: script('process.exitCode = 3') },
    'the binary is killed': { packed: script("process.kill(process.pid, 'SIGKILL')") },
    'the checksums are damaged': { packed: 'x', sums: 'nonsense\n' },
  };
  for (const [failure, layout] of Object.entries(failing)) {
    test(`the last step fails no job where ${failure}, and names what lives (${host})`, unix, async (t) => {
      const { code, stdout, stderr } = await run(layOut(t, layout), 'post.js', state);
      assert.equal(code, 0);
      assert.match(stdout, WARNING);
      assert.equal(stderr, '');
    });
  }
}

test('before the id is known the PAT is named by its name, and every one is', async (t) => {
  const state = saved('GitHub', [{ ...PAT, 'display-name': 'deploy %0A::x', 'authorization-id': null }, { ...PAT, 'authorization-id': ID }]);
  const { code, stdout } = await run(layOut(t), 'post.js', state);
  assert.equal(code, 0);
  assert.ok(stdout.includes(`the PAT 'deploy %250A::x' (whose authorization id is not known) and the PAT 'nightly' (authorization id ${ID}) may`), stdout);
});

test('state that cannot be read is a warning too', async (t) => {
  const { code, stdout } = await run(layOut(t), 'post.js', { ...GITHUB, STATE_adopat_pending: '{"' });
  assert.equal(code, 0);
  assert.match(stdout, /^::warning::adopat: the PAT that this step made may still be alive/);
});

test('a cancelled last step passes the signal on and still fails no job', unix, async (t) => {
  const job = layOut(t, { packed: script("process.on('SIGTERM', () => { out('term'); process.exit(143); }); out('ready'); setInterval(() => {}, 1000)") });
  const step = start(job, 'post.js', { ...GITHUB, STATE_adopat_pending: '1' });
  await step.says('ready');
  step.child.kill('SIGTERM');
  const { code, stdout } = await step.ended;
  assert.equal(code, 0);
  assert.match(stdout, /term\n::warning::/);
});

test('no state but the names and ids is ever printed', async (t) => {
  const { stdout } = await run(layOut(t), 'post.js', { ...GITHUB, STATE_adopat_pending: '"fake-pending"', STATE_adopat_refresh_token: 'fake-secret' });
  assert.doesNotMatch(stdout, /fake-/);
});
