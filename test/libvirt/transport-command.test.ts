/** The transport `ext`, and programs that misbehave. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Connect } from '../../src/libvirt/connect.ts'
import { ConnectionClosed, LibvirtError } from '../../src/libvirt/error.ts'
import { runCommand } from '../../src/libvirt/transport-command.ts'
import { startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'
import { withoutSshd } from '../support/ssh-server.ts'

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ext-'))
})
after(() => rm(folder, { recursive: true }))

let count = 0
async function program(script: string): Promise<string> {
  const path = join(folder, `program-${count++}`)
  await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return path
}
const open = async (script: string) => Connect.open(`test+ext:///default?command=${await program(script)}`)
const closes = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ConnectionClosed, String(error))
  assert.match(error.message, pattern)
  return true
}
const isRunning = (pid: number) => existsSync(`/proc/${pid}`)

describe('runCommand', () => {
  test('carries the protocol over the input and output of a program', {
    skip: withoutLibvirt || withoutSshd,
    timeout: 30_000,
  }, async () => {
    await using daemon = await startPrivateLibvirt()
    await using connect = await open(`exec nc -U ${daemon.socket}`)
    const domain = await connect.domainLookupByName({ name: 'test' })
    const texts = await Promise.all(Array.from({ length: 200 }, () => domain.getXMLDesc()))
    assert.equal(new Set(texts).size, 1)
  })

  test('says what the program said last, in one line', async () => {
    await assert.rejects(
      open('cat >/dev/null & echo "first  " >&2; printf "\\033[1mcannot\\tgo on\\r\\n" >&2; exit 3'),
      closes(/program-\d+ ended with status 3: first; \[1mcannotgo on$/),
    )
    await assert.rejects(open('kill -9 $$'), closes(/was ended by SIGKILL$/))
    await assert.rejects(open('exit 0'), closes(/ended with status 0$/))
  })

  test('keeps the end of a long complaint', async () => {
    await assert.rejects(
      open('i=0; while [ $i -lt 2000 ]; do echo "line $i of many" >&2; i=$((i+1)); done; exit 1'),
      (error) => closes(/line 1999 of many$/)(error) && String(error).length < 6000,
    )
  })

  test('says which program cannot be run', async () => {
    await assert.rejects(
      Connect.open('test+ext:///default?command=/nonexistent/program'),
      closes(/cannot run \/nonexistent\/program: it is not installed/),
    )
  })

  test('takes what is no protocol for the end', async () => {
    await assert.rejects(
      open('echo "Welcome to this machine, it is yours."; exec cat >/dev/null'),
      closes(/malformed|dropped/),
    )
  })

  test('waits no longer than it is told for a program that says nothing', async () => {
    const path = await program('exec sleep 100')
    await assert.rejects(
      Connect.open(`test+ext:///default?command=${path}`, { timeoutMs: 200 }),
      (error) => error instanceof LibvirtError && error.is('operationTimeout'),
    )
  })

  test('ends a program with the stream, also one that ignores being asked', { timeout: 20_000 }, async () => {
    for (const script of ['exec sleep 100', "trap '' TERM; echo $$ >&3; while :; do sleep 0.1; done"]) {
      const pidFile = join(folder, `pid-${count}`)
      const path = await program(`exec 3>${pidFile}; echo $$ >&3; ${script}`)
      const stream = await runCommand({ program: path, args: [], env: {}, label: 'x', hint: () => undefined })
      let pid = 0
      while (pid === 0) {
        await sleep(20)
        pid = Number((await readFile(pidFile, 'utf8').catch(() => '')).split('\n')[0])
      }
      assert.ok(isRunning(pid))
      stream.destroy()
      for (const deadline = Date.now() + 10_000; isRunning(pid); await sleep(20)) assert.ok(Date.now() < deadline)
    }
  })

  test('gives the program only what it may need of the environment', async () => {
    const file = join(folder, 'environment')
    const path = await program(`env >${file}`)
    const env = { PATH: process.env['PATH'], HOME: '/h', SSH_AUTH_SOCK: '/agent', SECRET: 'x', LC_ALL: 'de_DE' }
    const stream = await runCommand({ program: path, args: [], env, label: 'x', hint: () => undefined })
    await new Promise((resolve) => stream.on('error', resolve).resume())
    const lines = (await readFile(file, 'utf8')).split('\n')
    assert.ok(['HOME=/h', 'SSH_AUTH_SOCK=/agent', 'LC_ALL=C'].every((line) => lines.includes(line)))
    assert.ok(!lines.some((line) => line.startsWith('SECRET')))
  })
})
