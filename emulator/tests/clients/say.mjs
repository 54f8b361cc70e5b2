// How a script tells the test what worked: one JSON object a line. A person's part is played by the test: `approve` has a
// device code approved, `signInAt` an address signed in at.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

function say(what) {
  process.stdout.write(JSON.stringify(what) + '\n')
}

export function client(name) {
  const manifest = new URL(`node_modules/${name}/package.json`, import.meta.url)
  say({ version: JSON.parse(readFileSync(manifest)).version })
}

export async function operation(name, act) {
  try {
    const result = await act()
    say({ operation: name, fails: null })
    return result
  } catch (error) {
    console.error(error)
    say({ operation: name, fails: `${error.name}: ${error.message}` })
  }
}

export function approve(userCode) {
  say({ approve: userCode })
}

/** Where the browser is sent after a person has signed in. */
export async function signInAt(address) {
  say({ sign_in_at: address })
  return (await lines.next()).value
}

export function done() {
  process.exit(0)
}

export function check(holds, what) {
  if (!holds) throw new Error(what)
}

export const given = process.env
