/**
 * Work in the order in which somebody will ask for it, done ahead by several workers: who asks for one job has all after it
 * begun as well. What nobody has waited for at the end is dropped.
 */
export interface Job<W, T> {
  readonly key: string
  readonly run: (worker: W) => Promise<T>
}

interface Workers<W> {
  /** How many there are at most; each is started when it is first needed. */
  readonly most: number
  readonly start: () => Promise<W>
  readonly end: (worker: W) => Promise<void>
}

export class Ahead<W, T> {
  readonly #jobs: readonly Job<W, T>[]
  readonly #workers: Workers<W>
  readonly #results = new Map<string, PromiseWithResolvers<T>>()
  readonly #waiting: Job<W, T>[] = []
  readonly #running = new Set<Promise<void>>()
  #begun: number

  constructor(jobs: readonly Job<W, T>[], workers: Workers<W>) {
    this.#jobs = jobs
    this.#workers = workers
    this.#begun = jobs.length
  }

  /** @throws what the job threw, or its worker when it was started; each time it is asked for */
  async get(key: string): Promise<T> {
    const index = this.#jobs.findIndex((job) => job.key === key)
    if (index === -1) throw new Error(`there is no job ${key}`)
    if (index < this.#begun) this.#begin(index)
    return (this.#results.get(key) as PromiseWithResolvers<T>).promise
  }

  /** Lets what is under way end, and then every worker. */
  async stop(): Promise<void> {
    this.#waiting.length = 0
    await Promise.all(this.#running)
  }

  #begin(index: number): void {
    const jobs = this.#jobs.slice(index, this.#begun)
    this.#begun = index
    for (const { key } of jobs) {
      const result = Promise.withResolvers<T>()
      result.promise.catch(() => {}) // for whoever asks for it
      this.#results.set(key, result)
    }
    this.#waiting.unshift(...jobs)
    while (this.#running.size < this.#workers.most && this.#waiting.length > 0) {
      const work = this.#work().finally(() => this.#running.delete(work))
      this.#running.add(work)
    }
  }

  async #work(): Promise<void> {
    let worker: W | undefined
    for (let job = this.#waiting.shift(); job !== undefined; job = this.#waiting.shift()) {
      const result = this.#results.get(job.key) as PromiseWithResolvers<T>
      try {
        worker ??= await this.#workers.start()
        result.resolve(await job.run(worker))
      } catch (error) {
        result.reject(error)
      }
    }
    if (worker !== undefined) await this.#workers.end(worker)
  }
}
