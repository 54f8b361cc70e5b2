// Creates, rotates, revokes or lists PATs, as one would with Microsoft's sign-in library and fetch.
//
// Usage: pat.mjs create|rotate|revoke|list. Settings come from the environment; the refresh token is read from a file
// and the rolled one put back; a new PAT goes to a file that only its owner can read, a list to standard output.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { PublicClientApplication } from '@azure/msal-node';

const { env } = process;
const api = `${env.SERVICE_URL}/${env.ORGANIZATION}/_apis/tokens/pats`;

function writePrivate(path, text) {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

async function signIn() {
  const app = new PublicClientApplication({
    auth: {
      clientId: env.CLIENT_ID,
      authority: `${env.AUTHORITY_HOST}/${env.TENANT_ID}`,
      knownAuthorities: [new URL(env.AUTHORITY_HOST).host],
    },
  });
  const tokens = await app.acquireTokenByRefreshToken({
    refreshToken: readFileSync(env.REFRESH_TOKEN_FILE, 'utf8').trim(),
    scopes: ['499b84ac-1321-427f-aa17-267ca6975798/.default'],
    forceCache: true,
  });
  // The library shows the rolled refresh token in its cache alone.
  const [rolled] = Object.values(JSON.parse(app.getTokenCache().serialize()).RefreshToken);
  writePrivate(env.REFRESH_TOKEN_FILE, rolled.secret);
  return tokens.accessToken;
}

async function call(token, method, query, body) {
  const address = `${api}?${new URLSearchParams({ ...query, 'api-version': '7.1-preview.1' })}`;
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'x-tfs-fedauthredirect': 'Suppress',
  };
  const answer = await fetch(address, { method, headers, body: body && JSON.stringify(body), redirect: 'error' });
  if (!answer.ok) throw new Error(`${method}: HTTP ${answer.status}`);
  return answer.status === 204 ? undefined : answer.json();
}

async function pats(token) {
  const found = [];
  for (let continuationToken = ''; ; ) {
    const query = { displayFilterOption: 'active', $top: '100', ...(continuationToken && { continuationToken }) };
    const page = await call(token, 'GET', query);
    found.push(...page.patTokens);
    if (!page.continuationToken) return found;
    continuationToken = page.continuationToken;
  }
}

const named = async (token) => (await pats(token)).filter((pat) => pat.displayName === env.NAME);

async function create(token) {
  const made = await call(token, 'POST', {}, {
    displayName: env.NAME,
    scope: env.SCOPE,
    validTo: new Date(Date.now() + Number(env.LIFETIME_DAYS) * 86_400_000).toISOString(),
    allOrgs: false,
  });
  if (made.patTokenError !== 'none') throw new Error(`no PAT was made: ${made.patTokenError}`);
  writePrivate(env.PAT_FILE, made.patToken.token);
}

const revoke = (token, pat) => call(token, 'DELETE', { authorizationId: pat.authorizationId });

const token = await signIn();
switch (process.argv[2]) {
  case 'create':
    await create(token);
    break;
  case 'rotate': {
    const [old, ...others] = await named(token);
    if (!old || others.length) throw new Error('not one PAT of that name');
    await create(token);
    await revoke(token, old);
    break;
  }
  case 'revoke':
    for (const pat of await named(token)) await revoke(token, pat);
    break;
  case 'list':
    process.stdout.write(JSON.stringify(await pats(token)));
    break;
}
