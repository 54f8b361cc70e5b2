'use strict';

// The launcher's own words to the person who reads the log. There are few: the binary does the talking.
//
// Never prints a secret: what comes here is a path, a platform, or an error of the network. Foreign text
// cannot start a command of its own, because all of it is escaped into the data of ours.

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;

/** Says why the launcher cannot go on, as an error of the job. One line. */
function error(text, env = process.env) {
  say('error', text, env);
}

/** Says what a person should look at, as a warning of the job. One line. */
function warning(text, env = process.env) {
  say('warning', text, env);
}

function say(level, text, env) {
  if (env.TF_BUILD) {
    // The agent decodes %AZP25, %0D and %0A in a command's data.
    process.stdout.write(`##vso[task.logissue type=${level}]adopat: ${escape(text, '%AZP25')}\n`);
  } else if (env.GITHUB_ACTIONS) {
    process.stdout.write(`::${level}::adopat: ${escape(text, '%25')}\n`);
  } else {
    process.stderr.write(`adopat: ${level}: ${String(text).replace(CONTROL, ' ')}\n`);
  }
}

function escape(text, percent) {
  return String(text)
    .replaceAll('%', percent)
    .replaceAll('\r', '%0D')
    .replaceAll('\n', '%0A')
    .replace(CONTROL, ' ');
}

/** A folder that the host empties by itself when the job is over. */
function temporaryFolder(env = process.env) {
  return env.AGENT_TEMPDIRECTORY || env.RUNNER_TEMP || require('node:os').tmpdir();
}

module.exports = { error, warning, temporaryFolder };
