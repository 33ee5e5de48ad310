/**
 * A few threads that encode and decode frames. At most `threads + 2` frames are in flight: whoever submits waits for a
 * place, which bounds memory and lets a slow disk slow the network down.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { FrameAnswer, FrameJob } from './frame-job.ts'

const WORKER = new URL(`./frame-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)

interface Task {
  readonly job: FrameJob
  readonly transfer: readonly ArrayBuffer[]
  readonly resolve: (answer: FrameAnswer) => void
  readonly reject: (reason: unknown) => void
}

/** A thread keeps little between jobs: small heaps are collected often, which halves what is resident. */
const HEAP_LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 }

export class FramePool implements AsyncDisposable {
  readonly #capacity: number
  readonly #threads: Worker[] = []
  readonly #idle: Worker[] = []
  readonly #running = new Map<Worker, Task>()
  readonly #queue: Task[] = []
  readonly #waiters: (() => void)[] = []
  readonly #limit: number
  #inFlight = 0
  #failure: Error | undefined

  /** `threads` defaults to the number of processors; threads start when they are first needed. */
  constructor(threads: number = availableParallelism()) {
    this.#limit = Math.max(1, threads)
    this.#capacity = this.#limit + 2
  }

  get threads(): number {
    return this.#limit
  }

  /** Resolves as soon as there is a place for one more job. Submit right after it. */
  async ready(): Promise<void> {
    while (this.#inFlight >= this.#capacity && this.#failure === undefined) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve))
    }
  }

  /** `transfer` buffers belong to the thread from here on. */
  submit(job: FrameJob, transfer: readonly ArrayBuffer[] = []): Promise<FrameAnswer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    this.#inFlight++
    const answered = new Promise<FrameAnswer>((resolve, reject) => {
      this.#queue.push({ job, transfer, resolve, reject })
    })
    this.#next()
    return answered
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(new Error('the frame pool is closed'))
    await Promise.all(this.#threads.map((thread) => thread.terminate()))
  }

  #next(): void {
    if (this.#queue.length === 0) return
    const thread = this.#idle.pop() ?? (this.#threads.length < this.#limit ? this.#start() : undefined)
    if (thread === undefined) return
    const task = this.#queue.shift()
    if (task === undefined) return
    this.#running.set(thread, task)
    thread.ref() // an answer is due: the process must not end before it
    thread.postMessage(task.job, task.transfer)
  }

  #start(): Worker {
    const thread = new Worker(WORKER, { resourceLimits: HEAP_LIMITS })
    thread.on('message', (answer: FrameAnswer) => this.#finish(thread, (task) => task.resolve(answer)))
    thread.on('error', (error) => this.#fail(error))
    this.#threads.push(thread)
    return thread
  }

  #finish(thread: Worker, settle: (task: Task) => void): void {
    const task = this.#running.get(thread)
    this.#running.delete(thread)
    this.#idle.push(thread)
    // Of a pool that is being closed somebody waits for the thread's end, and nothing else may keep the process alive.
    if (this.#failure === undefined) thread.unref()
    this.#inFlight--
    if (task !== undefined) settle(task)
    this.#waiters.shift()?.()
    this.#next()
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error('a thread of the frame pool failed', { cause: error })
    for (const task of [...this.#running.values(), ...this.#queue.splice(0)]) task.reject(this.#failure)
    this.#running.clear()
    for (const wake of this.#waiters.splice(0)) wake()
  }
}
