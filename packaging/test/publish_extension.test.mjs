import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import * as zip from '../zip.mjs';

const SCRIPT = path.join(path.dirname(fileURLToPath(import.meta.url)), '../publish_extension.sh');
assert.ok(fs.existsSync(path.join(path.dirname(SCRIPT), 'node_modules/tfx-cli')), 'run npm ci --prefix packaging first');
const missing = ['bash', 'curl', 'jq'].filter((tool) => spawnSync(tool, ['--version']).error);

/** GitHub's OIDC endpoint, Entra and Marketplace; the last refuses, which ends the run. */
async function services(t, { entra = { access_token: 'fake-access-token' }, status = 200 } = {}) {
  const asked = [];
  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    asked.push({ method: request.method, url: request.url, authorization: request.headers.authorization, body });
    if (request.url.startsWith('/oidc')) response.end(JSON.stringify({ value: 'fake+job/token=' }));
    else if (request.url.endsWith('/oauth2/v2.0/token')) response.writeHead(status).end(JSON.stringify(entra));
    else response.writeHead(401).end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => (server.close(), server.closeAllConnections()));
  return { asked, address: `http://127.0.0.1:${server.address().port}` };
}

function publish(t, address) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'adopat-test-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const manifest = '<PackageManifest><Metadata><Identity Id="adopat" Publisher="adopat" Version="1.2.3"/></Metadata></PackageManifest>';
  const vsix = path.join(folder, 'x.vsix');
  fs.writeFileSync(vsix, zip.write([{ name: 'extension.vsixmanifest', mode: 0o644, bytes: Buffer.from(manifest) }]));
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    ACTIONS_ID_TOKEN_REQUEST_URL: `${address}/oidc?api-version=2`,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'fake-request-token',
    CLIENT_ID: '00000000-0000-0000-0000-000000000001',
    TENANT_ID: '00000000-0000-0000-0000-000000000002',
    AUTHORITY_HOST: address,
    MARKETPLACE: address,
  };
  const child = spawn(SCRIPT, [vsix], { env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
}

const here = { skip: (missing.length > 0 && `needs ${missing}`) || (process.platform === 'win32' && 'runs on Linux') };

test("the job's own OIDC token becomes an access token, which alone reaches Marketplace", here, async (t) => {
  const { asked, address } = await services(t);
  const { code, output } = await publish(t, address);
  assert.notEqual(code, 0, 'Marketplace refused');
  const [oidc, entra, marketplace] = asked;
  assert.equal(oidc.url, '/oidc?api-version=2&audience=api%3A%2F%2FAzureADTokenExchange');
  assert.equal(oidc.authorization, 'Bearer fake-request-token');
  assert.equal(entra.url, '/00000000-0000-0000-0000-000000000002/oauth2/v2.0/token');
  assert.deepEqual(Object.fromEntries(new URLSearchParams(entra.body)), {
    grant_type: 'client_credentials',
    client_id: '00000000-0000-0000-0000-000000000001',
    scope: '499b84ac-1321-427f-aa17-267ca6975798/.default',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: 'fake+job/token=',
  });
  assert.equal(Buffer.from(marketplace.authorization.split(' ')[1], 'base64').toString(), 'OAuth:fake-access-token');
  const unmasked = output.split('\n').filter((line) => !line.startsWith('::add-mask::')).join('\n');
  assert.doesNotMatch(unmasked, /fake/);
});

test('where Entra refuses, nothing is published', here, async (t) => {
  const { asked, address } = await services(t, { status: 401, entra: { error: 'invalid_client' } });
  const { code } = await publish(t, address);
  assert.notEqual(code, 0);
  assert.equal(asked.length, 2);
});
