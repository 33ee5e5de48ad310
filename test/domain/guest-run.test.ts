/** Programs of a guest, their streams and how they end: with an agent that runs them on this machine, as root of its /run. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { findMark, type GuestRun, runInGuest } from '../../src/domain/guest-run.ts'
import { type LocalAgent, localAgent } from '../support/local-agent.ts'

const randomness = { bytes: (count: number) => randomBytes(count) }
const skip = process.getuid?.() !== 0 && 'needs to write into /run'

interface Ran {
  readonly status: number
  readonly output: Buffer
  readonly errors: string
}

async function run(
  agent: LocalAgent,
  command: readonly string[],
  more: Partial<GuestRun> = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<Ran> {
  const [output, errors]: [Uint8Array[], Uint8Array[]] = [[], []]
  const status = await runInGuest(
    agent,
    {
      command,
      onOutput: (bytes) => void output.push(Buffer.from(bytes)),
      onErrorOutput: (bytes) => void errors.push(Buffer.from(bytes)),
      ...more,
    },
    { randomness, signal },
  )
  return { status, output: Buffer.concat(output), errors: Buffer.concat(errors).toString() }
}

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

describe('a program in a guest', { skip, timeout: 60_000 }, () => {
  test('gives its status, and each stream its own', async () => {
    const agent = localAgent()
    const { status, output, errors } = await run(agent, ['sh', '-c', 'echo out; echo err >&2; exit 7'])
    assert.deepEqual([status, output.toString(), errors], [7, 'out\n', 'err\n'])
  })

  test('is run as it stands, not by a shell', async () => {
    const { status, output } = await run(localAgent(), ['printf', '%s|', '$HOME', 'a b', ';exit 3', ''], {})
    assert.deepEqual([status, output.toString()], [0, '$HOME|a b|;exit 3||'])
  })

  test('has the environment, the user and the folder that it is given', async () => {
    const more = { env: ['A=b c'], user: 'nobody', folder: '/usr' }
    const { output } = await run(localAgent(), ['sh', '-c', 'id -un; echo "$A"; pwd'], more)
    assert.equal(output.toString(), 'nobody\nb c\n/usr\n')
  })

  for (const [what, command, more, expected] of [
    ['is not there', ['no-such-program'], {}, 127],
    ['cannot be run', ['/etc/passwd'], {}, 126],
    ['has no such folder', ['true'], { folder: '/no/such' }, 126],
    ['has no such user', ['true'], { user: 'no-such-user' }, 126],
    ['kills itself', ['sh', '-c', 'kill -9 $$'], {}, 137],
  ] as const) {
    test(`that ${what} ends with ${expected}`, async () => {
      assert.equal((await run(localAgent(), command, more)).status, expected)
    })
  }

  test('is heard while it runs', async () => {
    const heard: string[] = []
    const command = ['sh', '-c', 'echo first; while ! [ -e /run/vmpkg-heard ]; do sleep 0.05; done; echo second']
    await rm('/run/vmpkg-heard', { force: true })
    const onOutput = async (bytes: Uint8Array): Promise<void> => {
      heard.push(Buffer.from(bytes).toString())
      if (heard.length === 1) await writeFile('/run/vmpkg-heard', '')
    }
    await run(localAgent(), command, { onOutput })
    await rm('/run/vmpkg-heard')
    assert.equal(heard.join(''), 'first\nsecond\n')
  })

  test('gets input of any length, whole', async () => {
    const input = randomBytes(3_000_001)
    const { output } = await run(localAgent(), ['sha256sum'], { input: pieces(input, 400_000) })
    assert.equal(output.toString().split(' ')[0], createHash('sha256').update(input).digest('hex'))
  })

  test('gives output of any length, whole, with marks of others in it', async () => {
    const { output } = await run(localAgent(), [
      'sh',
      '-c',
      'seq 200000; cat /proc/*/cmdline | tr "\\0" " " | head -c 1',
    ])
    assert.equal(output.toString().trim().split('\n').length, 200_001)
  })

  test('waits while nobody takes what it writes', async () => {
    let taken = 0
    const agent = localAgent()
    const stop = new AbortController()
    const onOutput = async (bytes: Uint8Array): Promise<void> => {
      taken += bytes.length
      await sleep(300)
      const polls = agent.asked.length
      await sleep(200)
      assert.ok(agent.asked.length - polls < 20, 'it is fetched on and on')
      stop.abort()
    }
    await assert.rejects(run(agent, ['cat', '/dev/zero'], { onOutput }, stop.signal), { code: 'ABORTED' })
    assert.ok(taken <= 65_536, String(taken))
  })

  test('that reads no input does not keep it', async () => {
    const { status } = await run(localAgent(), ['sh', '-c', 'exit 3'], { input: pieces(randomBytes(900_000), 65_536) })
    assert.equal(status, 3)
  })

  test('is ended with all that it started when its time is over', async () => {
    const agent = localAgent()
    const command = ['sh', '-c', 'echo $$; sleep 4711 & sleep 4711']
    const { status, output } = await run(agent, command, { timeoutMs: 400 })
    assert.equal(status, 124)
    assert.throws(() => process.kill(-Number(output.toString()), 0))
    assert.throws(() => process.kill(Number(output.toString()), 0), { code: 'ESRCH' })
  })

  test('leaves nothing behind', async () => {
    const folders = new Set<string>()
    const agent = localAgent((_, args) => {
      for (const [folder] of JSON.stringify(args).matchAll(/\/run\/vmpkg-exec\.(?!X{6})[A-Za-z0-9]{6}/g))
        folders.add(folder)
      return undefined
    })
    await run(agent, ['true'])
    const [folder = ''] = folders
    for (let tries = 0; tries < 50 && existsSync(folder); tries++) await sleep(20)
    assert.deepEqual([folders.size, existsSync(folder), agent.left().files], [1, false, 0])
  })

  for (const [what, lie] of [
    ['no JSON', () => 'what?'],
    ['another shape', () => ({ pid: 'x' })],
    [
      'a folder elsewhere',
      (execute: string) =>
        execute === 'guest-exec-status'
          ? {
              exited: true,
              exitcode: 0,
              'out-data': Buffer.from('/run/vmpkg-exec.AAAAAA/../../etc').toString('base64'),
            }
          : undefined,
    ],
  ] as const) {
    test(`is refused of a guest that answers with ${what}`, async () => {
      await assert.rejects(run(localAgent(lie), ['true']), { code: 'AGENT_REFUSED' })
    })
  }
})

describe('the mark at the end of output', () => {
  const mark = 'ab'.repeat(16)
  for (const [text, expected] of [
    ['hello', 5],
    [`hello${mark} 0\n`, 5],
    [`hello${mark}`, 5],
    ['helloaba', 5],
    [`${mark} 0\nmore`, 39],
    [`x${mark} 256x`, 38],
  ] as const) {
    test(`of ${JSON.stringify(text)} begins at ${expected}`, () => {
      assert.equal(findMark(Buffer.from(text), mark), expected)
    })
  }
})
