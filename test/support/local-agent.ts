/**
 * QEMU's guest agent without a guest: its commands, as vmpkg uses them, carried out on this machine, so that pipes, signals
 * and files are real. `lie` gives other answers, as a hostile guest would.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { type FileHandle, open } from 'node:fs/promises'
import type { AgentDomain } from '../../src/domain/guest-agent.ts'

type Arguments = Readonly<Record<string, unknown>>
/** Undefined: the honest answer. */
export type Lie = (execute: string, args: Arguments) => unknown

interface Job {
  readonly child: ChildProcess
  readonly output: Buffer[]
  readonly errorOutput: Buffer[]
  ended?: { readonly code: number | null; readonly signal: NodeJS.Signals | null }
}

const SIGNALS: Readonly<Record<string, number>> = { SIGTERM: 15, SIGKILL: 9 }

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

export interface LocalAgent extends AgentDomain {
  /** Of every command that came. */
  readonly asked: readonly string[]
  /** Processes that have not been waited for, and files that are open. */
  left(): { readonly jobs: number; readonly files: number }
}

export function localAgent(lie: Lie = () => undefined): LocalAgent {
  const jobs = new Map<number, Job>()
  const files = new Map<number, FileHandle & { at?: number }>()
  const asked: string[] = []
  let handles = 1000

  const start = (args: Arguments): unknown => {
    const child = spawn(String(args['path']), args['arg'] as string[], { stdio: ['pipe', 'pipe', 'pipe'] })
    const job: Job = { child, output: [], errorOutput: [] }
    child.stdin.on('error', () => {}).end(Buffer.from(textOf(args['input-data']), 'base64'))
    child.stdout.on('data', (chunk: Buffer) => void (args['capture-output'] === true && job.output.push(chunk)))
    child.stderr.on('data', (chunk: Buffer) => void (args['capture-output'] === true && job.errorOutput.push(chunk)))
    child.on(
      args['capture-output'] === true ? 'close' : 'exit',
      (code: number | null, signal: NodeJS.Signals | null) => {
        job.ended = { code, signal }
      },
    )
    jobs.set(child.pid ?? 0, job)
    return { pid: child.pid }
  }
  const poll = (pid: number): unknown => {
    const job = jobs.get(pid)
    if (job?.ended === undefined) return { exited: false }
    jobs.delete(pid)
    const { code, signal } = job.ended
    return {
      exited: true,
      ...(signal === null ? { exitcode: code } : { signal: SIGNALS[signal] ?? 1 }),
      'out-data': Buffer.concat(job.output).toString('base64'),
      'err-data': Buffer.concat(job.errorOutput).toString('base64'),
    }
  }
  const answer = async (execute: string, args: Arguments): Promise<unknown> => {
    const file = files.get(Number(args['handle']))
    switch (execute) {
      case 'guest-exec':
        return start(args)
      case 'guest-exec-status':
        return poll(Number(args['pid']))
      case 'guest-file-open':
        files.set(++handles, await open(String(args['path']), String(args['mode'])))
        return handles
      case 'guest-file-close':
        await file?.close()
        files.delete(Number(args['handle']))
        return {}
      case 'guest-file-seek':
        if (file !== undefined) file.at = Number(args['offset'])
        return { position: Number(args['offset']), eof: false }
      case 'guest-file-flush':
        return {}
      case 'guest-file-read': {
        const buffer = Buffer.alloc(Number(args['count']))
        const { bytesRead } = (await file?.read(buffer, 0, buffer.length, null)) ?? { bytesRead: 0 }
        return { count: bytesRead, 'buf-b64': buffer.subarray(0, bytesRead).toString('base64'), eof: bytesRead === 0 }
      }
      case 'guest-file-write': {
        const bytes = Buffer.from(String(args['buf-b64']), 'base64')
        await file?.write(bytes, 0, bytes.length, file.at ?? 0)
        if (file !== undefined) file.at = (file.at ?? 0) + bytes.length
        return { count: bytes.length, eof: false }
      }
      default:
        throw new Error(`no command ${execute}`)
    }
  }
  return {
    name: 'guest',
    asked,
    left: () => ({ jobs: jobs.size, files: files.size }),
    agentCommand: async ({ command }) => {
      const { execute, arguments: args = {} } = JSON.parse(command) as { execute: string; arguments?: Arguments }
      asked.push(execute)
      const lied = lie(execute, args)
      return typeof lied === 'string' ? lied : JSON.stringify({ return: lied ?? (await answer(execute, args)) })
    },
  }
}
