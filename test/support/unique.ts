/** Values that belong to one machine alone, by what they are. */
import assert from 'node:assert/strict'

export class Unique {
  readonly #seen = new Map<string, Map<string, string>>()

  /** @throws `AssertionError` for a value that is empty, or that another one has */
  note(what: string, value: string, who: string): void {
    assert.notEqual(value, '', `${who} has no ${what}`)
    const values = this.#seen.get(what) ?? new Map<string, string>()
    assert.ok(!values.has(value), `${who} and ${values.get(value) ?? ''} have the same ${what}: ${value}`)
    this.#seen.set(what, values.set(value, who))
  }

  get counts(): readonly (readonly [what: string, values: number])[] {
    return [...this.#seen].map(([what, values]) => [what, values.size])
  }

  /** The control: of whatever was noted, a value that comes twice is noticed. */
  proveNoticing(): void {
    for (const [what, values] of this.#seen) {
      const [value = ''] = values.keys()
      assert.throws(() => this.note(what, value, 'another'), /have the same/)
    }
  }
}
