/**
 * libvirt.conf, the client's configuration: aliases, the default URI, and defaults of some parameters of a URI.
 * The syntax is libvirt's own (virconf): `name = value` lines, where a value is a number, a string in '', "" or """ """
 * without escapes, or a list of values in brackets; `#` begins a comment. Pure.
 */
import { refuse } from './error.ts'

export type ConfigValue = string | bigint | readonly ConfigValue[]

export interface ClientConfig {
  readonly uriDefault: string | undefined
  readonly aliases: ReadonlyMap<string, string>
  readonly remoteMode: string | undefined
  readonly remoteProxy: string | undefined
  readonly tlsPriority: string | undefined
}

/**
 * @param text Of the file, `undefined` where there is none.
 * @param file For messages.
 * @throws {LibvirtError} `confSyntax`, naming file and line.
 */
export function readClientConfig(text: string | undefined, file: string): ClientConfig {
  const entries = text === undefined ? new Map<string, ConfigValue>() : parseConfig(text, file)
  const string = (name: string) => {
    const value = entries.get(name)
    if (value === undefined || typeof value === 'string') return value
    throw refuse('confSyntax', `${file}: ${name} must be a string`)
  }
  return {
    uriDefault: string('uri_default') || undefined,
    aliases: readAliases(entries.get('uri_aliases'), file),
    remoteMode: string('remote_mode'),
    remoteProxy: string('remote_proxy'),
    tlsPriority: string('tls_priority'),
  }
}

function readAliases(value: ConfigValue | undefined, file: string): Map<string, string> {
  if (value === undefined) return new Map()
  const bad = (what: string) => refuse('confSyntax', `${file}: uri_aliases must be a list of "name=uri"${what}`)
  if (typeof value !== 'object') throw bad('')
  const aliases = new Map<string, string>()
  for (const entry of value) {
    const [, name, uri] = typeof entry === 'string' ? (/^([\w-]+)=(.*)$/s.exec(entry) ?? []) : []
    if (name === undefined || uri === undefined)
      throw bad(`, where a name is made of letters, digits, "_" and "-"; ${JSON.stringify(String(entry))} is not`)
    // The first of a name counts, as in libvirt.
    if (!aliases.has(name)) aliases.set(name, uri)
  }
  return aliases
}

/** All settings of a file; the last of a name counts, as libvirt has it. */
export function parseConfig(text: string, file: string): Map<string, ConfigValue> {
  const input = new Input(text, file)
  const entries = new Map<string, ConfigValue>()
  for (input.skip(BLANK_LINES); !input.atEnd; input.skip(BLANK_LINES)) {
    const name = input.take(/[a-z]\w*/iy) ?? input.fail('a name is expected')
    input.skip(BLANKS)
    if (input.take(/=/y) === undefined) input.fail(`"=" is expected after ${name}`)
    entries.set(name, readValue(input))
    input.skip(BLANKS)
    if (!input.atEnd && input.take(/[\r\n;]/y) === undefined) input.fail('the end of the line is expected')
  }
  return entries
}

const BLANKS = /[ \t]*(?:#[^\r\n]*)?/y
const BLANK_LINES = /\s*(?:#[^\r\n]*\s*)*/y
const LLONG_MAX = 2n ** 63n - 1n

function readValue(input: Input): ConfigValue {
  input.skip(/[ \t]*/y)
  const string = input.take(/"""[^]*?"""/y)?.slice(3, -3) ?? input.take(/"[^"\r\n]*"|'[^'\r\n]*'/y)?.slice(1, -1)
  if (string !== undefined) return string
  const number = input.take(/[+-]?\d+/y)
  if (number !== undefined) {
    const value = BigInt(number.replace('+', ''))
    return value > LLONG_MAX || value < -LLONG_MAX ? input.fail('the number is too large') : value
  }
  if (input.take(/["']/y) !== undefined) input.fail('the string is not closed on its line')
  if (input.take(/\[/y) === undefined) input.fail('a value is expected: a number, a string in quotes or a list')
  return readList(input)
}

function readList(input: Input): ConfigValue[] {
  const values: ConfigValue[] = []
  for (input.skip(BLANK_LINES); input.take(/\]/y) === undefined; input.skip(BLANK_LINES)) {
    values.push(readValue(input))
    input.skip(BLANK_LINES)
    if (input.take(/,/y) === undefined && input.peek() !== ']') input.fail('"," or "]" is expected in the list')
  }
  return values
}

class Input {
  readonly #text: string
  readonly #file: string
  #at = 0

  constructor(text: string, file: string) {
    this.#text = text
    this.#file = file
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length
  }

  peek(): string | undefined {
    return this.#text[this.#at]
  }

  take(sticky: RegExp): string | undefined {
    sticky.lastIndex = this.#at
    const found = sticky.exec(this.#text)?.[0]
    this.#at += found?.length ?? 0
    return found
  }

  skip(sticky: RegExp): void {
    this.take(sticky)
  }

  fail(what: string): never {
    const line = this.#text.slice(0, this.#at).split('\n').length
    throw refuse('confSyntax', `${this.#file}:${line}: ${what}`)
  }
}
