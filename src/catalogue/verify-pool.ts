/**
 * A few threads that verify the lines of a large index: each signature is a third of a millisecond, and there may be a
 * hundred thousand. Jobs are answered in any order; how many are in flight is for the caller to bound.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { VmpkgError } from '../errors.ts'
import type { LineVerifier } from '../trust/index-lines.ts'
import type { VerifyAnswer, VerifyJob, VerifySetup } from './verify-job.ts'

const WORKER = new URL(`./verify-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)
/** Lines for which it is worth starting a thread: it loads for about as long as it then verifies these. */
export const LINES_PER_THREAD = 1000
/** A thread keeps nothing between jobs. */
const HEAP_LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 }

interface Task {
  readonly job: VerifyJob
  readonly resolve: (answer: VerifyAnswer) => void
  readonly reject: (reason: unknown) => void
}

export class VerifyPool implements AsyncDisposable {
  readonly #setup: VerifySetup
  readonly #limit: number
  readonly #threads: Worker[] = []
  readonly #idle: Worker[] = []
  readonly #running = new Map<Worker, Task>()
  readonly #queue: Task[] = []
  #failure: Error | undefined

  constructor(setup: VerifySetup, threads: number = availableParallelism()) {
    this.#setup = setup
    this.#limit = Math.max(1, threads)
  }

  /** As `trust/` asks for it. @throws {VmpkgError} what a thread refused, in its words */
  get verify(): LineVerifier {
    return async (lines) => {
      const answer = await this.#submit(lines)
      if (answer.kind === 'verified') return answer.entries
      const { code, message, hint, details } = answer
      throw new VmpkgError(code, message, { details, ...(hint === undefined ? {} : { hint }) })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(new Error('the verifying pool is closed'))
    await Promise.all(this.#threads.map((thread) => thread.terminate()))
  }

  #submit(job: VerifyJob): Promise<VerifyAnswer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      this.#queue.push({ job, resolve, reject })
      this.#next()
    })
  }

  #next(): void {
    if (this.#queue.length === 0) return
    const thread = this.#idle.pop() ?? (this.#threads.length < this.#limit ? this.#start() : undefined)
    const task = thread === undefined ? undefined : this.#queue.shift()
    if (thread === undefined || task === undefined) return
    this.#running.set(thread, task)
    thread.ref() // an answer is due: the process must not end before it
    thread.postMessage(task.job, [task.job.buffer])
  }

  #start(): Worker {
    const thread = new Worker(WORKER, { workerData: this.#setup, resourceLimits: HEAP_LIMITS })
    thread.on('message', (answer: VerifyAnswer) => this.#finish(thread, answer))
    thread.on('error', (error) => this.#fail(error))
    this.#threads.push(thread)
    return thread
  }

  #finish(thread: Worker, answer: VerifyAnswer): void {
    const task = this.#running.get(thread)
    this.#running.delete(thread)
    this.#idle.push(thread)
    // Of a pool that is being closed somebody waits for the thread's end, and nothing else may keep the process alive.
    if (this.#failure === undefined) thread.unref()
    task?.resolve(answer)
    this.#next()
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error('a verifying thread failed', { cause: error })
    for (const task of [...this.#running.values(), ...this.#queue.splice(0)]) task.reject(this.#failure)
    this.#running.clear()
  }
}
