import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

const BIN = join(import.meta.dirname, '..', '..', 'src', 'bin.ts')

/** @returns the exit status and everything that could be read */
async function finish(child: ChildProcess): Promise<[number | null, string]> {
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const { promise, resolve } = Promise.withResolvers<number | null>()
  child.once('close', resolve)
  return [await promise, text]
}

/** The reader is gone before the first write. @param unread such as `>&3` */
async function runUnread(unread: string, ...args: readonly string[]): Promise<[number | null, string]> {
  const script = `exec 3> >(exec true); wait $!; exec "$0" "$@" ${unread}`
  return finish(spawn('bash', ['-c', script, process.execPath, BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }))
}

describe('output that nobody reads', () => {
  test('ends the command quietly with the status of SIGPIPE', async () => {
    assert.deepEqual(await runUnread('>&3', '--help'), [141, ''])
    assert.deepEqual(await runUnread('>&3', 'install', '--help'), [141, ''])
  })

  test('does the same where it is the messages', async () => {
    assert.deepEqual(await runUnread('2>&3', 'no-such-command'), [141, ''])
  })
})

test('a full disk below standard output is a failure that is told', async () => {
  const full = openSync('/dev/full', 'w')
  const [status, text] = await finish(spawn(process.execPath, [BIN, '--help'], { stdio: ['ignore', full, 'pipe'] }))
  closeSync(full)
  assert.equal(status, 100)
  assert.match(text, /^E: Standard output cannot be written: ENOSPC.* \[NO_SPACE\]\n$/)
})
