'use strict';

// The job's last step: has the binary revoke what the step minted, if it was asked to (`revoke-on-completion`).
//
// Hosts run it always: after a failure, after a cancellation, on Azure Pipelines even for a step that was
// skipped, on platforms that adopat does not know. So it looks for something to do before it looks for the
// binary, is silent if there is nothing, and never fails a job.

const pending = require('./pending');

async function post() {
  const binary = require('./binary');
  const { run } = require('./run');
  const { file, cleanUp } = await binary.find();
  try {
    const code = await run(file, ['complete']);
    if (code !== 0) throw new Error(`the binary ended with code ${code}`);
  } finally {
    cleanUp();
  }
}

function warn(error) {
  require('./ci_host').warning(
    `${pending.what()} may still be alive, for what revokes it could not run: ${error.message}. ` +
      'Use the operation revoke, or the user settings of Azure DevOps.',
  );
  process.exitCode = 0;
}

if (pending.isPending()) {
  process.on('uncaughtException', warn);
  post().catch(warn);
}
