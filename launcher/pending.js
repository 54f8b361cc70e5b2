'use strict';

// What the binary left for the job's last step (`revoke-on-completion`).
//
// The binary saves its state under names that begin with `adopat_`: on GitHub through GITHUB_STATE, which the
// runner shows to the post step as STATE_<name>; on Azure Pipelines with task.settaskvariable, which the agent
// shows as VSTS_TASKVARIABLE_<NAME>. One of them is read here: `adopat_pending`, a JSON array of the PATs that
// may have to be revoked, no secrets in it. All others are the binary's own, some of them secret, and are
// never looked at.

const NAMES = ['STATE_ADOPAT_PENDING', 'VSTS_TASKVARIABLE_ADOPAT_PENDING'];

function state(env) {
  const name = Object.keys(env).find((name) => NAMES.includes(name.toUpperCase()) && env[name].trim());
  return name && env[name].trim();
}

/** Whether there may be something to revoke. */
function isPending(env = process.env) {
  return ![undefined, '[]'].includes(state(env));
}

/** The PATs that may live on, in words: by their authorization ids as far as they are known. */
function what(env = process.env) {
  try {
    return JSON.parse(state(env))
      .map((pat) => `the PAT '${pat['display-name']}' (${id(pat)})`)
      .join(' and ');
  } catch {
    return 'the PAT that this step made';
  }
}

function id(pat) {
  const known = pat['authorization-id'];
  return known ? `authorization id ${known}` : 'whose authorization id is not known';
}

module.exports = { isPending, what };
