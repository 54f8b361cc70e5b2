'use strict';

// The step itself, on GitHub Actions and on Azure Pipelines: finds the binary and runs it in task mode, where
// it reads everything from the environment.
//
// Never loads azure-pipelines-task-lib: on load it moves inputs and secrets out of the environment, and the
// binary would find none.

const binary = require('./binary');
const ciHost = require('./ci_host');
const { run } = require('./run');

async function main() {
  const { file, cleanUp } = await binary.find();
  try {
    process.exitCode = await run(file, []);
  } finally {
    cleanUp();
  }
}

main().catch((error) => {
  ciHost.error(error.message);
  process.exitCode = 1;
});
