'use strict';

// Which proxy an address is reached through: HTTPS_PROXY and NO_PROXY, as every tool on a runner reads them.

/**
 * The proxy's address, or undefined for a direct connection.
 * @throws {Error} if HTTPS_PROXY is not an address. The words do not repeat it: it may hold a password.
 */
function proxyFor(address, env = process.env) {
  const proxy = env.https_proxy || env.HTTPS_PROXY; // GitHub's runner exports both; lower case wins there
  if (!proxy || isExempt(address, env.no_proxy || env.NO_PROXY || '')) return undefined;
  try {
    const url = new URL(proxy.includes('://') ? proxy : `http://${proxy}`);
    if (url.hostname && ['http:', 'https:'].includes(url.protocol)) return url;
  } catch {
    // Said below.
  }
  throw Object.assign(new Error('HTTPS_PROXY is not the address of a proxy'), { final: true });
}

/** `*`, a host, a domain with or without its dot (which covers what is below it), each with a port if need be. */
function isExempt(address, list) {
  const host = address.hostname.toLowerCase();
  const port = address.port || '443';
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean)
    .some((entry) => {
      if (entry === '*') return true;
      const [, domain, only] = /^\*?\.?(.+?)(?::(\d+))?$/.exec(entry) ?? [];
      if (!domain || (only && only !== port)) return false;
      return host === domain || host.endsWith(`.${domain}`);
    });
}

module.exports = { proxyFor };
