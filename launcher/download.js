'use strict';

// Fetches a release's binary, the way a CI machine can reach the internet: through its proxy, trusting its
// certificate authorities.
//
// Follows redirects, because GitHub keeps a release's files on another host, but never away from https. What
// comes back is believed by nobody: the caller compares it with launcher/checksums.txt.

const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const tls = require('node:tls');

const { proxyFor } = require('./proxy');

const REDIRECTS = 5;
const LARGEST = 64 * 1024 * 1024; // bytes
const SILENCE = 30_000; // ms without a byte
const ATTEMPTS = 3;
const PAUSE = 1_000; // ms, doubled after each attempt

/**
 * The bytes at an https address.
 * @throws {Error} a few words that say why not.
 */
async function download(address, env = process.env, pause = PAUSE) {
  const ca = authorities(env);
  for (let attempt = 1; ; attempt++) {
    try {
      return await follow(new URL(address), ca, env);
    } catch (error) {
      if (error.final || attempt === ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause * 2 ** (attempt - 1)));
    }
  }
}

async function follow(address, ca, env) {
  for (let redirects = 0; redirects <= REDIRECTS; redirects++) {
    if (address.protocol !== 'https:') throw final(`it leads to ${address.origin}, which is not https`);
    const { status, location, body } = await get(address, ca, env);
    if (status === 200) return body;
    if (![301, 302, 303, 307, 308].includes(status) || !location) {
      const error = new Error(`${address.host} answered ${status}`);
      error.final = status < 500 && status !== 408 && status !== 429;
      throw error;
    }
    address = new URL(location, address);
  }
  throw final(`it was redirected more than ${REDIRECTS} times`);
}

/** One exchange. */
async function get(address, ca, env) {
  const socket = await connect(address, ca, proxyFor(address, env));
  return new Promise((resolve, reject) => {
    const request = https.request(address, {
      createConnection: () => socket,
      headers: { Host: address.host, 'User-Agent': 'adopat-launcher', Accept: 'application/octet-stream' },
      timeout: SILENCE,
    });
    request.on('timeout', () => request.destroy(new Error(`${address.host} fell silent`)));
    request.on('error', (error) => {
      socket.destroy();
      reject(error);
    });
    request.on('response', (response) => {
      const chunks = [];
      let size = 0;
      response.on('data', (chunk) => {
        size += chunk.length;
        if (size > LARGEST) request.destroy(final(`${address.host} sent more than ${LARGEST} bytes`));
        else chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () => {
        socket.destroy();
        resolve({
          status: response.statusCode,
          location: response.headers.location,
          body: Buffer.concat(chunks),
        });
      });
    });
    request.end();
  });
}

/** A TLS connection to the address's host, through the proxy if there is one. */
async function connect(address, ca, proxy) {
  const host = address.hostname;
  const port = Number(address.port || 443);
  const socket = proxy ? await tunnel(host, port, ca, proxy) : undefined;
  const options = { host, port, socket, ca, ALPNProtocols: ['http/1.1'] };
  if (!net.isIP(host)) options.servername = host;
  return new Promise((resolve, reject) => {
    const secured = tls.connect(options, () => {
      secured.removeAllListeners('error');
      secured.setTimeout(0);
      resolve(secured);
    });
    secured.once('error', (error) => reject(isDistrust(error) ? distrusted(host, error) : error));
    secured.setTimeout(SILENCE, () => secured.destroy(new Error(`${host} fell silent`)));
  });
}

/** OpenSSL's names for a certificate that does not hold, as Node passes them on. */
function isDistrust(error) {
  return /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|ERR_TLS_CERT_)/.test(error.code ?? '');
}

function distrusted(host, error) {
  return final(
    `the certificate of ${host} does not hold (${error.code}); ` +
      'where a proxy inspects the traffic, name its CA file in SSL_CERT_FILE',
  );
}

/** A connection that the proxy opened for us (CONNECT, RFC 9110 section 9.3.6). */
function tunnel(host, port, ca, proxy) {
  const authority = `${host}:${port}`;
  const headers = { Host: authority };
  if (proxy.username || proxy.password) {
    const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
    headers['Proxy-Authorization'] = `Basic ${Buffer.from(credentials).toString('base64')}`;
  }
  return new Promise((resolve, reject) => {
    // Only the host and the port of the proxy go into an error's words: its address may hold a password.
    const request = (proxy.protocol === 'https:' ? https : http).request({
      host: proxy.hostname.replace(/^\[|\]$/g, ''),
      port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
      method: 'CONNECT',
      path: authority,
      headers,
      ca,
      agent: false,
      timeout: SILENCE,
    });
    request.on('timeout', () => request.destroy(new Error('it fell silent')));
    request.on('error', (error) => reject(new Error(`the proxy ${proxy.host} failed: ${error.message}`)));
    request.on('connect', (response, socket) => {
      if (response.statusCode === 200) return resolve(socket);
      socket.destroy();
      const error = new Error(`the proxy ${proxy.host} answered ${response.statusCode}`);
      error.final = response.statusCode < 500;
      reject(error);
    });
    request.end();
  });
}

/**
 * Whom TLS trusts: the roots Node brings, and on top of them the files of SSL_CERT_FILE and
 * NODE_EXTRA_CA_CERTS, or else the machine's own if Node can read them. Node by itself would not look at
 * SSL_CERT_FILE, and not at NODE_EXTRA_CA_CERTS either once a list of authorities is given.
 */
function authorities(env) {
  const files = [env.SSL_CERT_FILE, env.NODE_EXTRA_CA_CERTS].filter(Boolean);
  const extra = files.map((file) => {
    try {
      return fs.readFileSync(file, 'utf8');
    } catch (error) {
      throw final(`the CA file ${file} cannot be read (${error.code})`);
    }
  });
  if (extra.length === 0) extra.push(...(tls.getCACertificates?.('system') ?? []));
  return [...tls.rootCertificates, ...extra];
}

function final(words) {
  return Object.assign(new Error(words), { final: true });
}

module.exports = { download };
