'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { layOut, run, script, scriptsRun, sumsOf, swapping } = require('../testbed/job');
const { internet, release, FILES } = require('../testbed/internet');
const { binaryFor } = require('../platform');
const { download } = require('../download');
const { proxyFor } = require('../proxy');

const unix = { skip: !scriptsRun && 'scripts are no programs on Windows' };
const BINARY = script('out("ran " + process.argv[1])');
const VERSION = fs.readFileSync(path.join(__dirname, '../version.txt'), 'utf8').trim();
const ADDRESS = `/adopat/adopat/releases/download/v${VERSION}/${binaryFor()}`;

/** A GitHub runner's job with an empty tool cache, and the internet around it. */
async function github(t, { answer = release(BINARY), sums = sumsOf(BINARY), ...options } = {}) {
  const job = layOut(t, { sums });
  const net = await internet(t, job.folder, answer, options);
  const cache = path.join(job.folder, 'tools');
  const env = { GITHUB_ACTIONS: 'true', RUNNER_TEMP: job.temp, RUNNER_TOOL_CACHE: cache, HTTPS_PROXY: net.proxy, SSL_CERT_FILE: net.ca };
  return { job, net, env, cached: path.join(cache, 'adopat', VERSION, binaryFor()) };
}

/** Whether the binary ran from a folder of its own. */
function isPrivateCopy(job, stdout) {
  return stdout.startsWith(`ran ${path.join(job.temp, 'adopat-')}`);
}

test("the action fetches the binary of its own version's release, through the proxy, and keeps it", unix, async (t) => {
  const { job, net, env, cached } = await github(t);
  const first = await run(job, 'main.js', env);
  assert.deepEqual({ ...first, stdout: '' }, { code: 0, signal: null, stdout: '', stderr: '' });
  assert.ok(isPrivateCopy(job, first.stdout), first.stdout);
  assert.deepEqual(net.asked, ['CONNECT github.com:443', `github.com ${ADDRESS}`, `CONNECT ${FILES}:443`, `${FILES} /files${ADDRESS}?signed`]);
  assert.deepEqual(fs.readdirSync(path.dirname(cached)), [binaryFor()], 'no draft is left');

  net.asked.length = 0;
  assert.ok(isPrivateCopy(job, (await run(job, 'main.js', env)).stdout));
  assert.deepEqual(net.asked, [], 'the second time it comes from the tool cache');
  assert.deepEqual(fs.readdirSync(job.temp), [], 'the copy is gone');
});

test('the last step finds the binary the same way', unix, async (t) => {
  const { job, env } = await github(t);
  assert.ok(isPrivateCopy(job, (await run(job, 'post.js', { ...env, STATE_adopat_pending: '1' })).stdout));
});

test('a cached binary is verified on every start; a changed one is not run but replaced, with a warning', unix, async (t) => {
  const { job, env, cached } = await github(t);
  await run(job, 'main.js', env);
  fs.appendFileSync(cached, 'out("changed")\n');
  const { code, stdout } = await run(job, 'main.js', env);
  assert.equal(code, 0);
  assert.match(stdout, /^::warning::adopat: [^\n]+does not match launcher\/checksums\.txt[^\n]+\nran [^\n]+\n$/);
  assert.equal(fs.readFileSync(cached, 'utf8'), BINARY);
});

test('a cached binary that is swapped after it was verified is not what runs', unix, async (t) => {
  const { job, env, cached } = await github(t);
  await run(job, 'main.js', env);
  const { stdout } = await run(job, 'main.js', { ...env, NODE_OPTIONS: swapping(job, cached) });
  assert.ok(isPrivateCopy(job, stdout), stdout);
  assert.match(fs.readFileSync(cached, 'utf8'), /foreign/, 'it was swapped');
});

test('a changed cached binary is not run where no other can be had', unix, async (t) => {
  const { job, env, cached } = await github(t, { answer: (_, __, response) => response.writeHead(404).end() });
  fs.mkdirSync(path.dirname(cached), { recursive: true });
  fs.writeFileSync(cached, script('out("changed")'), { mode: 0o755 });
  const { code, stdout } = await run(job, 'main.js', env);
  assert.equal(code, 1);
  assert.match(stdout, /^::error::adopat: [^\n]+does not match launcher\/checksums\.txt[^\n]+could not be fetched: github\.com answered 404\n$/);
});

test('what was fetched but is not the binary of this release is neither run nor kept', unix, async (t) => {
  const { job, env, cached } = await github(t, { answer: release(script('out("foreign")')) });
  const { code, stdout } = await run(job, 'main.js', env);
  assert.equal(code, 1);
  assert.match(stdout, /^::error::adopat: https:\/\/github\.com\/[^\n]+ does not match launcher\/checksums\.txt[^\n]+\n$/);
  assert.ok(!fs.existsSync(path.dirname(cached)));
});

test('where the tool cache cannot be written a private copy runs and is removed', unix, async (t) => {
  const { job, env } = await github(t);
  fs.writeFileSync(env.RUNNER_TOOL_CACHE, 'a file where a folder should be');
  const { code, stdout } = await run(job, 'main.js', env);
  assert.equal(code, 0);
  assert.ok(stdout.startsWith(`ran ${path.join(job.temp, 'adopat-')}`));
  assert.deepEqual(fs.readdirSync(job.temp), []);
});

test('only GitHub fetches: elsewhere a binary that is missing is an error', async (t) => {
  const { job, net, env } = await github(t);
  const { code } = await run(job, 'main.js', { ...env, GITHUB_ACTIONS: undefined, TF_BUILD: 'True' });
  assert.equal(code, 1);
  assert.deepEqual(net.asked, []);
});

test("a certificate of an authority that nobody named is refused, with the setting that would help", async (t) => {
  const { job, env, net } = await github(t);
  const { code, stdout } = await run(job, 'main.js', { ...env, SSL_CERT_FILE: undefined });
  assert.equal(code, 1);
  assert.match(stdout, /^::error::[^\n]+the certificate of github\.com does not hold [^\n]+SSL_CERT_FILE\n$/);
  assert.equal(net.asked.length, 1, 'not tried again');
});

test('NODE_EXTRA_CA_CERTS names an authority too', unix, async (t) => {
  const { job, env, net } = await github(t);
  assert.equal((await run(job, 'main.js', { ...env, SSL_CERT_FILE: undefined, NODE_EXTRA_CA_CERTS: net.ca })).code, 0);
});

test('a CA file that cannot be read is named', async (t) => {
  const { job, env } = await github(t);
  const { code, stdout } = await run(job, 'main.js', { ...env, SSL_CERT_FILE: '/no/such/ca.pem' });
  assert.equal(code, 1);
  assert.match(stdout, /the CA file \/no\/such\/ca\.pem cannot be read/);
});

test("the proxy's credentials are used, and never shown", unix, async (t) => {
  const { job, env, net } = await github(t, { credentials: 'user:p@ss-fake' });
  const right = await run(job, 'main.js', { ...env, HTTPS_PROXY: `http://user:p%40ss-fake@${net.proxy}` });
  assert.equal(right.code, 0);
  fs.rmSync(env.RUNNER_TOOL_CACHE, { recursive: true });
  const wrong = await run(job, 'main.js', { ...env, HTTPS_PROXY: `http://user:wrong-fake@${net.proxy}` });
  assert.equal(wrong.code, 1);
  assert.match(wrong.stdout, /the proxy 127\.0\.0\.1:\d+ answered 407/);
  assert.doesNotMatch(wrong.stdout + wrong.stderr, /fake/);
});

/** download() by itself, with pauses too short to notice. */
async function fetching(t, answer) {
  const job = layOut(t);
  const net = await internet(t, job.folder, answer);
  const env = { https_proxy: `http://${net.proxy}`, SSL_CERT_FILE: net.ca };
  return { net, get: (address = 'https://github.com/x') => download(address, env, 1) };
}

test('a redirect away from https is not followed', async (t) => {
  const { net, get } = await fetching(t, (_, __, response) => response.writeHead(302, { Location: 'http://github.com/y' }).end());
  await assert.rejects(get(), /leads to http:\/\/github\.com, which is not https/);
  assert.equal(net.asked.length, 2, 'one request, and none after it');
});

test('at most five redirects are followed', async (t) => {
  const { net, get } = await fetching(t, (_, __, response) => response.writeHead(301, { Location: '/again' }).end());
  await assert.rejects(get(), /redirected more than 5 times/);
  assert.equal(net.asked.filter((line) => line.startsWith('github.com')).length, 6);
});

test('a server that fails is asked three times', async (t) => {
  const { net, get } = await fetching(t, (_, __, response) => response.writeHead(503).end());
  await assert.rejects(get(), /github\.com answered 503/);
  assert.equal(net.asked.filter((line) => line.startsWith('github.com')).length, 3);
});

test('an answer that breaks off is fetched again', async (t) => {
  let attempts = 0;
  const { get } = await fetching(t, (_, __, response) => {
    response.writeHead(200, { 'Content-Length': 6 });
    if (++attempts > 1) return response.end('binary');
    response.write('bin', () => response.destroy());
  });
  assert.equal(String(await get()), 'binary');
});

test('a refusal is final', async (t) => {
  const { net, get } = await fetching(t, (_, __, response) => response.writeHead(404).end());
  await assert.rejects(get(), /answered 404/);
  assert.equal(net.asked.length, 2);
});

test('without a proxy the host is called directly', async (t) => {
  const job = layOut(t);
  const net = await internet(t, job.folder, release('x'));
  const env = { SSL_CERT_FILE: net.ca, HTTPS_PROXY: 'http://127.0.0.1:1', NO_PROXY: 'localhost' };
  assert.equal(String(await download(`https://localhost:${net.port}/x`, env, 1)), 'x');
  assert.deepEqual(net.asked, [`localhost:${net.port} /x`]);
});

for (const [list, exempt] of [
  ['*', true],
  ['github.com', true],
  ['.github.com', true],
  ['*.github.com', true],
  ['com', true],
  ['contoso.com, GitHub.com', true],
  ['github.com:443', true],
  ['github.com:8443', false],
  ['hub.com', false],
  ['api.github.com', false],
  ['', false],
]) {
  test(`NO_PROXY '${list}' ${exempt ? 'exempts' : 'does not exempt'} github.com`, () => {
    const proxy = proxyFor(new URL('https://github.com/x'), { HTTPS_PROXY: 'proxy:3128', NO_PROXY: list });
    assert.equal(proxy?.href, exempt ? undefined : 'http://proxy:3128/');
  });
}

test('lower case wins, as on the runner', () => {
  assert.equal(proxyFor(new URL('https://github.com'), { HTTPS_PROXY: 'http://a', https_proxy: 'http://b' }).host, 'b');
});

test('a proxy that is no address is said without repeating it', () => {
  for (const proxy of ['http://user:fake@[', 'socks5://user:fake@host']) {
    assert.throws(() => proxyFor(new URL('https://github.com'), { HTTPS_PROXY: proxy }), (error) => {
      return /HTTPS_PROXY is not the address of a proxy/.test(error.message) && !/fake/.test(error.message);
    });
  }
});
