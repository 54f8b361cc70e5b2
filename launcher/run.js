'use strict';

// Runs the binary as if the CI system had started it itself: its environment, its streams, its signals and
// its exit code go straight through.

const { spawn } = require('node:child_process');
const os = require('node:os');

/** What a CI system sends to cancel a step. SIGBREAK exists on Windows alone. */
const SIGNALS = process.platform === 'win32' ? ['SIGINT', 'SIGBREAK'] : ['SIGINT', 'SIGTERM'];

/**
 * Runs the binary to its end.
 * @returns its exit code; 128 + N if signal N ended it.
 * @throws {Error} one sentence, if it could not be started.
 */
function run(file, args, env = process.env) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: 'inherit',
      // Nothing removed, nothing changed: inputs, service connections and the marks by which the host finds
      // left-over processes all travel in the environment. The one addition says that a last step exists.
      env: { ...env, ADOPAT_LAUNCHER: '1' },
    });
    const forward = (signal) => {
      // The host signals this process alone. On Windows it is the other way round: the console tells every
      // process in it, the binary too, and kill() would end that one without asking. There it is enough to
      // stay alive until the binary has cleaned up.
      if (process.platform !== 'win32') child.kill(signal);
    };
    for (const signal of SIGNALS) process.on(signal, forward);
    const settle = (answer) => {
      for (const signal of SIGNALS) process.removeListener(signal, forward);
      answer();
    };
    child.once('error', (error) => settle(() => reject(new Error(cannotStart(file, error)))));
    child.once('exit', (code, signal) => settle(() => resolve(code ?? 128 + os.constants.signals[signal])));
  });
}

function cannotStart(file, error) {
  const why = {
    EACCES: 'it may not be executed there (a folder mounted noexec?); name one that may in ADOPAT_BINARY',
    ENOENT: 'it, or the loader that it names, is not there',
  };
  return `${file} could not be started: ${why[error.code] ?? error.message}`;
}

module.exports = { run };
