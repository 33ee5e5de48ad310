/**
 * Which Debian mirror a build uses: the entries of the host's own apt configuration that serve the recipe's suite, and
 * nothing else. Third-party entries are dropped: an entry counts as Debian when it is signed by Debian's archive keyring
 * or not tied to a key at all, and its suite is the recipe's, with or without `-updates`, `-security` or `-backports`.
 * Formats: sources.list(5), both the one-line and the deb822 style. Verification itself stays apt's.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'

/** One `deb` line for apt, as it is handed to mmdebstrap. */
export type AptSource = string

const DEBIAN_KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
const DEBIAN_KEYRINGS = new Set([DEBIAN_KEYRING, '/usr/share/keyrings/debian-archive-keyring.pgp'])

/**
 * The host's Debian entries for one suite, as one-line `deb` entries.
 * @throws {VmpkgError} `BUILD_FAILED` when the host has none
 */
export async function readHostAptSources(
  suite: string,
  components: readonly string[],
  aptFolder = '/etc/apt',
): Promise<AptSource[]> {
  const found: AptSource[] = []
  for (const { name, text } of await readSourceFiles(aptFolder)) {
    const entries = name.endsWith('.sources') ? parseDeb822(text) : parseOneLine(text)
    for (const entry of entries) found.push(...selectDebian(entry, suite, components))
  }
  const unique = [...new Set(found)]
  if (!unique.some((line) => line.includes(` ${suite} `))) {
    throw new VmpkgError(
      'BUILD_FAILED',
      `The apt configuration of this machine has no Debian source for ${JSON.stringify(suite)}`,
      {
        hint: 'Give the mirror with --mirror URL, or build on a machine whose apt sources name that suite.',
      },
    )
  }
  return unique
}

/** The entries for a mirror that the user named. */
export function mirrorAptSources(mirror: URL, suite: string, components: readonly string[]): AptSource[] {
  return [`deb [signed-by=${DEBIAN_KEYRING}] ${mirror.href.replace(/\/$/, '')} ${suite} ${components.join(' ')}`]
}

interface Entry {
  readonly uris: readonly string[]
  readonly suites: readonly string[]
  readonly components: readonly string[]
  readonly signedBy: string | undefined
}

function selectDebian(entry: Entry, suite: string, components: readonly string[]): AptSource[] {
  if (entry.signedBy !== undefined && !DEBIAN_KEYRINGS.has(entry.signedBy)) return []
  const suites = entry.suites.filter(
    (name) => name === suite || name === `${suite}-updates` || name === `${suite}-security`,
  )
  const wanted = entry.components.filter((component) => components.includes(component))
  if (wanted.length === 0) return []
  const uris = entry.uris.filter(
    (uri) => /^(?:https?|file|copy|mirror(?:\+[a-z]+)?):\/*[^\s]+$/.test(uri) && namesDebian(uri, entry),
  )
  return uris.flatMap((uri) =>
    suites.map((name) => `deb [signed-by=${entry.signedBy ?? DEBIAN_KEYRING}] ${uri} ${name} ${wanted.join(' ')}`),
  )
}

/** An entry without a key of its own is Debian's only when its path says so: third parties use their own top folder. */
function namesDebian(uri: string, entry: Entry): boolean {
  return entry.signedBy !== undefined || /\/debian(?:-security)?\/?$/.test(uri)
}

function parseOneLine(text: string): Entry[] {
  const entries: Entry[] = []
  for (const line of text.split('\n')) {
    const match = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+?)\s*(?:#.*)?$/.exec(line.trim())
    if (match === null) continue
    const [, options = '', uri = '', suite = '', components = ''] = match
    entries.push({
      uris: [uri],
      suites: [suite],
      components: components.split(/\s+/),
      signedBy: /(?:^|\s)signed-by=(\S+)/.exec(options)?.[1],
    })
  }
  return entries
}

function parseDeb822(text: string): Entry[] {
  return text
    .split(/\n[ \t]*\n/)
    .map(parseStanza)
    .filter((stanza) => stanza.get('types')?.split(/\s+/).includes('deb') === true && stanza.get('enabled') !== 'no')
    .map((stanza) => ({
      uris: words(stanza.get('uris')),
      suites: words(stanza.get('suites')),
      components: words(stanza.get('components')),
      signedBy: stanza.get('signed-by'),
    }))
}

function parseStanza(text: string): Map<string, string> {
  const fields = new Map<string, string>()
  let current: string | undefined
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue
    const field = /^([A-Za-z0-9-]+):[ \t]*(.*)$/.exec(line)
    if (field !== null) {
      current = (field[1] ?? '').toLowerCase()
      fields.set(current, (field[2] ?? '').trim())
    } else if (current !== undefined && /^[ \t]/.test(line)) {
      fields.set(current, `${fields.get(current) ?? ''} ${line.trim()}`.trim())
    }
  }
  return fields
}

function words(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '')
}

async function readSourceFiles(folder: string): Promise<{ name: string; text: string }[]> {
  const names = ['sources.list']
  try {
    const parts = await readdir(join(folder, 'sources.list.d'))
    names.push(
      ...parts
        .filter((name) => /^[A-Za-z0-9_.-]+\.(?:list|sources)$/.test(name))
        .toSorted()
        .map((name) => `sources.list.d/${name}`),
    )
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  const files: { name: string; text: string }[] = []
  for (const name of names) {
    try {
      files.push({ name, text: await readFile(join(folder, name), 'utf8') })
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }
  return files
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
