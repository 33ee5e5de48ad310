/** What was typed on a host and what it said, as a page of Markdown. */
import { stripVTControlCharacters } from 'node:util'
import type { PassthroughHost } from './passthrough-host.ts'

export class Transcript {
  readonly #host: PassthroughHost
  readonly #parts: string[] = []
  #began = performance.now()

  constructor(host: PassthroughHost) {
    this.#host = host
  }

  section(title: string, text: string): void {
    this.#close()
    this.#parts.push(`## ${title}\n\n${text}\n`)
    this.#began = performance.now()
  }

  /**
   * Types one command line; what it says is in the page and returned, standard error after standard output.
   * @throws {Error} when its exit status is another than `status`, with all that was said so far
   */
  async type(line: string, { status = 0, limitMs = 120_000 } = {}): Promise<string> {
    const began = performance.now()
    const result = await this.#host.run(line, limitMs)
    const said = stripVTControlCharacters(`${result.stdout}${result.stderr}`)
      .replaceAll(/[ \t]+$/gm, '')
      .trimEnd()
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    this.#parts.push(`\`\`\`console\n# ${line}\n${said}${said === '' ? '' : '\n'}\`\`\`\n`)
    console.error(`${seconds} s  ${line.split('\n')[0]}`)
    if (result.status === status) return said
    throw new Error(`${line} ended with ${result.status}, not ${status}, after\n${this.#parts.join('\n')}`)
  }

  note(text: string): void {
    this.#parts.push(`${text}\n`)
  }

  /** Everything so far. */
  text(): string {
    this.#close()
    return this.#parts.join('\n')
  }

  #close(): void {
    if (this.#parts.length === 0) return
    this.#parts.push(`${((performance.now() - this.#began) / 1000).toFixed(0)} s.\n`)
    this.#began = performance.now()
  }
}
