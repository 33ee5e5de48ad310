/** What a command file states: enough to parse its arguments, to print its help and to run it. */
import { VmpkgError } from '../errors.ts'
import type { Emit } from '../events.ts'
import type { Workspace } from '../operations/workspace.ts'

export interface OptionSpec {
  /** Commander's notation: `-n, --name <name>`. Repeatable options end in `...`. */
  readonly flags: string
  readonly summary: string
}

/** Every command takes these. */
export const COMMON_OPTIONS: readonly OptionSpec[] = [
  { flags: '-c, --connect <uri>', summary: 'libvirt to use: a libvirt URI, private or private:NAME' },
  { flags: '--root <folder>', summary: 'keep all of vmpkg’s state below this folder' },
  { flags: '--offline', summary: 'use only what is on this host; open no connection to fetch anything' },
  { flags: '--json', summary: 'print the result as JSON' },
  { flags: '-y, --yes', summary: 'assume yes; never grants a capability' },
  { flags: '-q, --quiet', summary: 'print results, warnings and errors only' },
  { flags: '--verbose', summary: 'print the chain of causes of a failure' },
]

/** For commands that change packages: they plan and download first, and wait for another one only then. */
export const WAIT_OPTION: OptionSpec = {
  flags: '--wait <seconds>',
  summary: 'how long to wait for another vmpkg (default 60)',
}

/** For commands that wait until a guest is ready. */
export const TIMEOUT_OPTION: OptionSpec = {
  flags: '--timeout <seconds>',
  summary: 'how long a guest may take until it is ready (default: what its package says)',
}

export type OptionValues = Readonly<Record<string, string | boolean | readonly string[] | undefined>>

interface Invocation {
  /** Positional arguments in order; variadic ones flattened at the end. */
  readonly args: readonly string[]
  readonly options: OptionValues
  readonly io: Io
}

export type Tone = 'good' | 'careful' | 'bad'

/** The edge as commands see it: results on standard output, everything else on standard error. */
export interface Io {
  readonly json: boolean
  readonly quiet: boolean
  readonly assumeYes: boolean
  readonly dryRun: boolean
  readonly signal: AbortSignal
  readonly emit: Emit
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  /** Opens the state of this host: folders, databases, the chosen connection. Cleaned up by `main`. */
  workspace(options?: WorkspaceNeeds): Promise<Workspace>
  /** Result text; what could steer a terminal is taken out. */
  print(text: string): void
  /** A result as the documented JSON document, `{"schema": "vmpkg.<name>/1", …}`. */
  printJson(name: string, value: Readonly<Record<string, unknown>>): void
  /** Rows as aligned columns on a terminal, tab-separated when piped. */
  printTable(header: readonly string[], rows: readonly (readonly string[])[], last?: 'shortened' | 'whole'): void
  /** A line for the person (standard error), in colour where the terminal has some; with `--json` an event. */
  note(text: string, tone?: Tone): void
  /** Asks; true on yes. Without a terminal, or with `-y`, does not ask. */
  confirm(question: string): Promise<boolean>
  /** One line typed by the person, `fallback` for an empty one. Only where standard input is a terminal. */
  ask(question: string, fallback: string): Promise<string>
  /** `VMPKG_PASSPHRASE`, else a hidden prompt. @throws {VmpkgError} `CONFIRMATION_NEEDED` without a terminal. */
  passphrase(question: string): Promise<string>
}

interface WorkspaceNeeds {
  /** Take the write lock and undo what dead commands left behind; `late`: the operation takes it once it has a plan. */
  readonly write?: boolean | 'late'
  /** The command frees space, also where the disk has none. */
  readonly relief?: boolean
}

export interface CommandSpec {
  /** Positional arguments in commander's notation: `<package...>`, `[word...]`. */
  readonly args: string
  readonly summary: string
  /** Paragraphs below the usage line. */
  readonly description?: string
  readonly options: readonly OptionSpec[]
  readonly examples: readonly string[]
  /** @returns the exit status: 0 done, 1 negative answer. Failures are thrown. */
  run(invocation: Invocation): Promise<number>
}

/** Text of an option that takes a value. */
export function optionText(options: OptionValues, name: string): string | undefined {
  const value = options[name]
  return typeof value === 'string' ? value : undefined
}

/** Values of a repeatable option. */
export function optionList(options: OptionValues, name: string): readonly string[] {
  const value = options[name]
  return Array.isArray(value) ? value : typeof value === 'string' ? [value] : []
}

/** A number of an option. @throws {VmpkgError} `USAGE` when it is not a whole number from `minimum` on */
export function optionNumber(options: OptionValues, name: string, minimum: number): number | undefined {
  const text = optionText(options, name)
  if (text === undefined) return undefined
  const value = Number(text)
  if (/^\d{1,9}$/.test(text) && value >= minimum) return value
  throw new VmpkgError(
    'USAGE',
    `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} takes a whole number from ${minimum} on, not ${JSON.stringify(text.slice(0, 40))}`,
    {
      hint: 'Add --help to see what this command takes.',
    },
  )
}
