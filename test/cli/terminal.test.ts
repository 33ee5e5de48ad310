import assert from 'node:assert/strict'
import { Duplex, PassThrough, Readable, Writable } from 'node:stream'
import { test } from 'node:test'
import type { Io } from '../../src/cli/command.ts'
import { attachTerminal, pipeLines } from '../../src/cli/terminal.ts'

/** A guest's console: what was typed is kept, `say` prints. */
function makeConsole(): { stream: Duplex; typed: () => string; say: (text: string) => void } {
  let typed = ''
  const stream = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      typed += chunk.toString()
      done()
    },
  })
  return { stream, typed: () => typed, say: (text) => void stream.push(text) }
}

interface Terminal {
  readonly io: Io
  readonly modes: boolean[]
  readonly abort: AbortController
  readonly stdin: PassThrough | Readable
  readonly shown: () => string
}

function makeTerminal(isTerminal: boolean, input?: string): Terminal {
  let shown = ''
  const modes: boolean[] = []
  const abort = new AbortController()
  const stdin = input === undefined ? new PassThrough() : Readable.from([Buffer.from(input)])
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      shown += chunk.toString()
      done()
    },
  })
  const io = {
    stdin: Object.assign(stdin, { isTTY: isTerminal, setRawMode: (raw: boolean) => modes.push(raw) }),
    stdout: Object.assign(stdout, { isTTY: isTerminal }),
    signal: abort.signal,
  } as unknown as Io
  return { io, modes, abort, stdin, shown: () => shown }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('keys go to the guest and its answers to the screen until Ctrl-], and the terminal is as before', async () => {
  const guest = makeConsole()
  const { io, modes, stdin, shown } = makeTerminal(true)
  const done = attachTerminal(guest.stream, io)
  assert.deepEqual(modes, [true])
  if (stdin instanceof PassThrough) stdin.write('ls\r\u0003')
  guest.say('a b\r\n')
  await turn()
  if (stdin instanceof PassThrough) stdin.write('\u001d')
  await done
  assert.equal(guest.typed(), 'ls\r\u0003')
  assert.equal(shown(), 'a b\r\n\n')
  assert.deepEqual(modes, [true, false])
  assert.equal(guest.stream.destroyed, true)
})

test('the end of the console and an interruption leave it too', async () => {
  for (const end of ['console', 'signal'] as const) {
    const guest = makeConsole()
    const { io, modes, abort } = makeTerminal(true)
    const done = attachTerminal(guest.stream, io)
    if (end === 'console') guest.stream.push(null)
    else abort.abort()
    await done
    assert.deepEqual(modes, [true, false], end)
  }
})

test('a console that fails restores the terminal before the failure is told', async () => {
  const guest = makeConsole()
  const { io, modes } = makeTerminal(true)
  const done = attachTerminal(guest.stream, io)
  guest.stream.destroy(new Error('broken'))
  await assert.rejects(done, /broken/)
  assert.deepEqual(modes, [true, false])
})

test('piped lines, empty ones too, are sent, and the answer is printed without escapes until silence', async () => {
  const guest = makeConsole()
  const { io, shown } = makeTerminal(false, 'one\n\ntwo')
  const done = pipeLines(guest.stream, io, 60)
  await turn()
  guest.say('\u001b[1mbold\u001b[0m\r\n')
  setTimeout(() => guest.say('later\n'), 30)
  await done
  assert.equal(guest.typed(), 'one\n\ntwo\n')
  assert.equal(shown(), 'bold\nlater\n\n')
})

for (const [what, happen] of [
  ['it is interrupted', ({ abort }: Terminal) => abort.abort()],
  ['the machine has ended', (_: Terminal, stream: Duplex) => void stream.push(null)],
] as const) {
  test(`lines of input that goes on are waited for no longer than until ${what}`, async () => {
    const guest = makeConsole()
    const terminal = makeTerminal(false)
    const done = pipeLines(guest.stream, terminal.io, 60_000)
    await turn()
    happen(terminal, guest.stream)
    await done
    assert.ok(guest.stream.destroyed)
    assert.ok(terminal.stdin.destroyed, 'it would keep the process')
  })
}
