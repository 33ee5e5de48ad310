/** Joins this terminal, or piped text, with a machine's serial console. */
import type { Duplex } from 'node:stream'
import type { Io } from './command.ts'

const ESCAPE = 0x1d // Ctrl-], as in virsh console and telnet

/** Raw mode until Ctrl-] or the console's end; the terminal is restored on every way out. */
export async function attachTerminal(stream: Duplex, io: Io): Promise<void> {
  const { stdin, stdout } = io
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onInput = (chunk: Buffer): void => {
    if (chunk.includes(ESCAPE)) resolve()
    else stream.write(chunk)
  }
  const finish = (): void => resolve()
  stdin.setRawMode(true)
  stdin.resume()
  stdin.on('data', onInput)
  stream.on('data', (chunk: Buffer) => stdout.write(chunk))
  stream.once('end', finish).once('close', finish).once('error', reject)
  io.signal.addEventListener('abort', finish, { once: true })
  try {
    await promise
  } finally {
    stdin.setRawMode(false)
    stdin.pause()
    stdin.off('data', onInput)
    io.signal.removeEventListener('abort', finish)
    stream.on('error', () => {}) // what comes after leaving is nobody's concern
    stream.destroy()
    stdout.write('\n')
  }
}

/** Sends each line of standard input, then prints what comes back until nothing came for `silenceMs`. */
export async function pipeLines(stream: Duplex, io: Io, silenceMs: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let timer: NodeJS.Timeout | undefined
  let sent = false
  const rearm = (): void => {
    clearTimeout(timer)
    if (sent) timer = setTimeout(resolve, silenceMs)
  }
  stream.on('data', (chunk: Buffer) => {
    io.stdout.write(io.stdout.isTTY ? chunk : chunk.toString().replaceAll(/\u001b\[[0-9;?]*[ -/]*[@-~]|\r/g, ''))
    rearm()
  })
  stream.once('end', resolve).once('close', resolve).once('error', reject)
  io.signal.addEventListener('abort', () => resolve(), { once: true })
  try {
    const reading = readText(io.stdin)
    reading.catch(() => {}) // of what is given up below
    // The machine may end, or somebody interrupt this, while whoever feeds it goes on.
    const text = await Promise.race([reading, promise])
    if (text === undefined) return
    for (const line of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) stream.write(line.endsWith('\n') ? line : `${line}\n`)
    sent = true
    rearm()
    await promise
  } finally {
    clearTimeout(timer)
    io.stdin.on('error', () => {}).destroy()
    stream.on('error', () => {}) // what comes after leaving is nobody's concern
    stream.destroy()
    io.stdout.write('\n')
  }
}

async function readText(input: AsyncIterable<unknown>): Promise<string> {
  let text = ''
  for await (const chunk of input) text += String(chunk)
  return text
}
