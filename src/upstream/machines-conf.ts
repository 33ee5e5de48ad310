/**
 * `machines.conf` (PKG-10): sections `[name.ext]` with `url=`, `description=` and, beyond the original, `sha256=`,
 * `sha512=` and `format=`. A section without `url` stands for a file that is put there by hand. Pure; the file may come
 * from anywhere and decides which files are read, so it is read strictly.
 */
import { VmpkgError } from '../errors.ts'

export interface MachineEntry {
  /** File name, as in `slax.iso`. */
  readonly file: string
  readonly url: URL | undefined
  readonly description: string | undefined
  readonly sha256: string | undefined
  readonly sha512: string | undefined
  readonly format: string | undefined
}

const MAX_CHARACTERS = 1024 * 1024
const MAX_ENTRIES = 2000
const SECTION = /^\[([A-Za-z0-9][A-Za-z0-9._+-]{0,120}\.(?:iso|qcow2|vdi|vmdk|raw|img)(?:\.(?:gz|xz|zst|bz2))?)\]$/i
const PAIR = /^([a-z0-9_]{1,20})\s*=\s*(.*)$/
const KEYS = new Set(['url', 'description', 'sha256', 'sha512', 'format'])

/** @throws {VmpkgError} `MACHINES_INVALID` naming the line */
export function parseMachinesConf(text: string): readonly MachineEntry[] {
  if (text.length > MAX_CHARACTERS) throw invalid(0, `is larger than ${MAX_CHARACTERS} characters`)
  const entries: { file: string; line: number; values: Map<string, string> }[] = []
  for (const [index, raw] of text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .entries()) {
    const number = index + 1
    const line = raw.trim()
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue
    if (line.startsWith('[')) {
      const file = SECTION.exec(line)?.[1]
      if (file === undefined) {
        throw invalid(number, 'names a section that is no image file (.iso, .qcow2, .vdi, .vmdk, .raw, .img)')
      }
      if (entries.some((one) => one.file.toLowerCase() === file.toLowerCase()))
        throw invalid(number, 'repeats a section')
      if (entries.length >= MAX_ENTRIES) throw invalid(number, `has more than ${MAX_ENTRIES} sections`)
      entries.push({ file, line: number, values: new Map() })
      continue
    }
    const [, key, value] = PAIR.exec(line) ?? []
    const entry = entries.at(-1)
    if (key === undefined || value === undefined || entry === undefined)
      throw invalid(number, 'is no key=value of a section')
    if (!KEYS.has(key)) throw invalid(number, `has an unknown key ${JSON.stringify(key)}`)
    if (entry.values.has(key)) throw invalid(number, `repeats ${key}`)
    entry.values.set(key, value)
  }
  return entries.map(({ file, line, values }) => readEntry(file, line, values))
}

function readEntry(file: string, line: number, values: ReadonlyMap<string, string>): MachineEntry {
  const url = values.get('url')
  const description = values.get('description')
  const sha256 = values.get('sha256')?.toLowerCase()
  const sha512 = values.get('sha512')?.toLowerCase()
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/.test(sha256)) throw invalid(line, 'has a sha256 that is none')
  if (sha512 !== undefined && !/^[0-9a-f]{128}$/.test(sha512)) throw invalid(line, 'has a sha512 that is none')
  return {
    file,
    url: url === undefined || url === '' ? undefined : readUrl(url, line),
    // One line for a terminal and for a package's summary.
    description:
      description
        ?.replaceAll(/[\p{C}\u2028\u2029]/gu, ' ')
        .trim()
        .slice(0, 200) || undefined,
    sha256,
    sha512,
    format: values.get('format'),
  }
}

function readUrl(text: string, line: number): URL {
  const url = text.length <= 2000 && URL.canParse(text) ? new URL(text) : undefined
  if (
    url !== undefined &&
    ['https:', 'http:', 'file:'].includes(url.protocol) &&
    url.username === '' &&
    url.hash === ''
  )
    return url
  throw invalid(line, 'has a url that is no web address')
}

function invalid(line: number, problem: string): VmpkgError {
  const where = line === 0 ? 'machines.conf' : `Line ${line} of machines.conf`
  return new VmpkgError('MACHINES_INVALID', `${where} ${problem}`, {
    hint: 'Sections look like [name.iso], with url=, description=, sha256= below.',
    details: { line },
  })
}
