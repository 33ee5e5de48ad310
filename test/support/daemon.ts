/** A real server as a child: started, waited for until its port answers, ended with everything below it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const START_LIMIT_MS = 120_000

export interface Daemon extends AsyncDisposable {
  readonly port: number
}

/** @param words program and arguments; it must stay in the foreground */
export async function startDaemon(words: readonly string[], port: number, log: () => string): Promise<Daemon> {
  const [program = '', ...args] = words
  const child = spawn(program, args, { stdio: 'ignore' })
  const daemon = { port, [Symbol.asyncDispose]: async () => endTree(child) }
  for (const deadline = Date.now() + START_LIMIT_MS; !(await answers(port)); await sleep(20)) {
    if (Date.now() < deadline && child.exitCode === null) continue
    await daemon[Symbol.asyncDispose]()
    throw new Error(`${words.join(' ')} did not start\n${log()}`)
  }
  return daemon
}

async function endTree(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  for (const pid of [child.pid ?? 0, ...below(child.pid ?? 0)]) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended by itself meanwhile.
    }
  }
  await ended
}

function below(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
    return children.flatMap((child) => [child, ...below(child)])
  } catch {
    return []
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.on('error', () => resolve(false))
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
