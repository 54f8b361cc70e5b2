'use strict';

// What the binary left for the job's last step (`revoke-on-completion`).
//
// The binary saves its state under names that begin with `adopat_`: on GitHub through GITHUB_STATE, which the
// runner shows to the post step as STATE_<name>; on Azure Pipelines with task.settaskvariable, which the agent
// shows as VSTS_TASKVARIABLE_<NAME>. Three of the names are known here; the rest is the binary's own:
//   adopat_pending           set (to anything but nothing) as long as there may be something to revoke
//   adopat_display_name      the PAT's name, no secret
//   adopat_authorization_id  its authorization id once that is known, no secret

function state(name, env) {
  const wanted = [`STATE_${name}`, `VSTS_TASKVARIABLE_${name}`].map((key) => key.toUpperCase());
  const key = Object.keys(env).find((key) => wanted.includes(key.toUpperCase()) && env[key]);
  return key && env[key];
}

/** Whether there may be something to revoke. */
function isPending(env = process.env) {
  return Boolean(state('adopat_pending', env));
}

/** The PAT that may live on, in words. */
function what(env = process.env) {
  const id = state('adopat_authorization_id', env);
  const name = state('adopat_display_name', env);
  if (id) return `the PAT with authorization id ${id}`;
  if (name) return `the PAT '${name}'`;
  return 'the PAT that this job made';
}

module.exports = { isPending, what };
