// What the hosts' own libraries make of lines and values. One JSON object in, one out:
//
//   azure   lines that azure-pipelines-task-lib parses
//   github  calls of @actions/core: what they print, and what they write to their command file
//   dotenv  a text that Node's own dotenv reader parses
import { createRequire } from 'node:module'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'

const { azure, github, dotenv } = JSON.parse(readFileSync(0, 'utf8'))
const { commandFromString } = createRequire(import.meta.url)('azure-pipelines-task-lib/taskcommand')
const core = await import('@actions/core')

const write = process.stdout.write.bind(process.stdout)
const folder = mkdtempSync(join(tmpdir(), 'oracle-'))
const file = join(folder, 'file')
for (const variable of ['GITHUB_OUTPUT', 'GITHUB_STATE', 'GITHUB_ENV']) process.env[variable] = file

function said({ call, args }) {
  closeSync(openSync(file, 'w'))
  let printed = ''
  process.stdout.write = (text) => { printed += text; return true }
  try {
    core[call](...args)
  } finally {
    process.stdout.write = write
  }
  return { printed, written: readFileSync(file, 'utf8') }
}

try {
  const parsed = azure.map(commandFromString).map(({ command, properties, message }) => ({ command, properties, message }))
  write(JSON.stringify({ azure: parsed, github: github.map(said), dotenv: parseEnv(dotenv) }))
} finally {
  rmSync(folder, { recursive: true })
}
