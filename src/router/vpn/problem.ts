/** What is wrong with a VPN profile, and where. `parseVpnProfile` makes the error of it that users meet. */
export class ProfileProblem extends Error {
  override readonly name = 'ProfileProblem'
  /** Counted from 1; 0 for the profile as a whole. */
  readonly line: number
  /** A word of our own tables, or what stood there, shortened. */
  readonly directive: string
  readonly hint: string | undefined

  constructor(line: number, directive: string, problem: string, hint?: string) {
    super(problem)
    this.line = line
    this.directive = directive
    this.hint = hint
  }
}

/** A foreign text for a message: shortened, and without anything that could steer a terminal. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
}

/** What was dropped and why, one sentence for each reason. */
export class Notes {
  readonly #dropped = new Map<string, Set<string>>()
  readonly #sentences = new Set<string>()

  /** @param word a word of our own tables, never one of the profile */
  drop(reason: string, word: string): void {
    const words = this.#dropped.get(reason) ?? new Set()
    this.#dropped.set(reason, words.add(word))
  }

  add(sentence: string): void {
    this.#sentences.add(sentence)
  }

  list(): readonly string[] {
    const dropped = [...this.#dropped].map(([reason, words]) => `Left out because ${reason}: ${[...words].join(', ')}.`)
    return [...this.#sentences, ...dropped]
  }
}
