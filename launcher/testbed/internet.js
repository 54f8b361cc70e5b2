'use strict';

// The internet as a launcher meets it on a CI machine, on loopback: GitHub's release pages and the host that
// keeps their files, with certificates of an authority that only this test knows, behind a proxy that speaks
// CONNECT and leads every name to them.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const path = require('node:path');

const FILES = 'release-assets.githubusercontent.com';

/** A certificate authority and a certificate of it for both hosts, as files in `folder`. */
function certificates(folder) {
  const at = (name) => path.join(folder, name);
  const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  fs.writeFileSync(at('ca.cnf'), '[req]\ndistinguished_name=n\nx509_extensions=e\nprompt=no\n[n]\nCN=Test CA\n[e]\nbasicConstraints=critical,CA:TRUE\n');
  openssl('req', '-x509', ...key, '-days', '2', '-config', at('ca.cnf'), '-keyout', at('ca.key'), '-out', at('ca.pem'));
  fs.writeFileSync(at('leaf.cnf'), '[req]\ndistinguished_name=n\nprompt=no\n[n]\nCN=github.com\n');
  fs.writeFileSync(at('leaf.ext'), `subjectAltName=DNS:github.com,DNS:${FILES},DNS:localhost\n`);
  openssl('req', '-new', ...key, '-config', at('leaf.cnf'), '-keyout', at('leaf.key'), '-out', at('leaf.csr'));
  openssl('x509', '-req', '-in', at('leaf.csr'), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2', '-extfile', at('leaf.ext'), '-out', at('leaf.pem'));
  return { ca: at('ca.pem'), cert: fs.readFileSync(at('leaf.pem')), key: fs.readFileSync(at('leaf.key')) };
}

/**
 * Starts it all; stopped when the test is over. `answer(host, path, response)` plays both hosts.
 * `asked` logs what came: 'CONNECT host:port' at the proxy, 'host path' at the hosts.
 */
async function internet(t, folder, answer, { credentials } = {}) {
  const { ca, cert, key } = certificates(folder);
  const asked = [];
  const hosts = https.createServer({ cert, key }, (request, response) => {
    asked.push(`${request.headers.host} ${request.url}`);
    answer(request.headers.host, request.url, response);
  });
  const proxy = http.createServer((_, response) => response.writeHead(405).end());
  proxy.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url}`);
    socket.on('error', () => {});
    const wanted = credentials && `Basic ${Buffer.from(credentials).toString('base64')}`;
    if (wanted && request.headers['proxy-authorization'] !== wanted) {
      return socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    }
    const upstream = net.connect(hosts.address().port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(upstream).pipe(socket);
    });
    upstream.on('error', () => socket.destroy());
  });
  for (const server of [hosts, proxy]) await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => [hosts, proxy].forEach((server) => (server.close(), server.closeAllConnections())));
  return { ca, asked, proxy: `127.0.0.1:${proxy.address().port}`, port: hosts.address().port };
}

/** GitHub's answers for a release whose files all hold `bytes`. */
function release(bytes) {
  return (host, url, response) => {
    if (host === 'github.com') {
      response.writeHead(302, { Location: `https://${FILES}/files${url}?signed` }).end();
    } else {
      response.writeHead(200).end(bytes);
    }
  };
}

module.exports = { internet, release, FILES };
