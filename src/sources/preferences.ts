/**
 * What the user prefers among the versions that sources offer: pins and channels, and how much is kept of former ones, in one
 * YAML file that people may edit as well; comments outlive our own changes. What the rules mean is in docs/resolver.md.
 *
 * Strict: an unknown field or a name that is none is refused, for a pin that is not understood protects from nothing.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Document, parseDocument } from 'yaml'
import { z } from 'zod'
import type { Pin, Preferences } from '../catalogue/policy.ts'
import { replaceFile } from '../durable-file.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { isNamePattern, isPackageName } from '../model/name.ts'
import { oneLine, parseShape, version } from '../model/shape.ts'
import { parseSize } from '../model/size.ts'
import { parseSourceName } from './source.ts'

const MAX_CHARACTERS = 256 * 1024
const HEAD = `# Pins and channels of this host; vmpkg pin and vmpkg channel change them, and so may you.
# What they mean: docs/resolver.md
`
const channelName = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'not a channel name')
const channels = z.array(channelName).max(64)

const pin: z.ZodType<Pin> = z.strictObject({
  name: z.string().refine(isNamePattern, 'not a package name, nor a pattern such as router-*'),
  version: version.exactOptional(),
  source: z.string().max(48).exactOptional(),
  channel: channelName.exactOptional(),
  priority: z.int().min(-1000).max(10_000),
  reason: oneLine.exactOptional(),
})

const shape = z.strictObject({
  channels: channels.default([]),
  packageChannels: z.record(z.string().refine(isPackageName, 'not a package name'), channels).default({}),
  pins: z.array(pin).max(1000).default([]),
  quota: z.string().refine(isSize, 'not a size such as 20GiB').exactOptional(),
})

function isSize(text: string): boolean {
  try {
    return parseSize(text) > 0
  } catch {
    return false
  }
}

/** @throws {VmpkgError} `PREFERENCES_INVALID` */
export function parsePreferences(text: string): Preferences {
  return readDocument(text).preferences
}

/** None where there is no file. @throws {VmpkgError} `PREFERENCES_INVALID` */
export function readPreferences(path: string): Preferences {
  return parsePreferences(readText(path))
}

/** What a pin applies to: two that apply to the same are one. */
export type PinTarget = Omit<Pin, 'priority' | 'reason'>

/** Writes a pin in place of one for the same, or after the others. @throws {VmpkgError} `PREFERENCES_INVALID` */
export async function putPin(path: string, wanted: Pin): Promise<void> {
  parseShape(pin, wanted, { code: 'PREFERENCES_INVALID', subject: 'The pin' })
  if (wanted.source !== undefined) parseSourceName(wanted.source)
  await change(path, (document, { pins }) => {
    const at = pins.findIndex((one) => isSameTarget(one, wanted))
    if (at !== -1) document.setIn(['pins', at], document.createNode(wanted))
    else if (document.has('pins')) document.addIn(['pins'], document.createNode(wanted))
    else document.set('pins', document.createNode([wanted]))
  })
}

/** Takes out the pins that `isGone` says, and returns them. @throws {VmpkgError} `PREFERENCES_INVALID` */
export async function removePins(path: string, isGone: (pin: Pin) => boolean): Promise<readonly Pin[]> {
  const gone = readPreferences(path).pins.filter(isGone)
  if (gone.length === 0) return []
  await change(path, (document, { pins }) => {
    for (const [at, one] of [...pins.entries()].toReversed()) if (isGone(one)) document.deleteIn(['pins', at])
    if (pins.every(isGone)) document.delete('pins')
  })
  return gone
}

/** Follows exactly these channels, everywhere or for one package. @throws {VmpkgError} `PREFERENCES_INVALID` */
export async function putChannels(path: string, wanted: readonly string[], name?: string): Promise<void> {
  const place = name === undefined ? ['channels'] : ['packageChannels', name]
  const failure = { code: 'PREFERENCES_INVALID', subject: 'The list of channels' } as const
  parseShape(channels, wanted, failure)
  await change(path, (document) => {
    if (wanted.length === 0) document.deleteIn(place)
    else document.setIn(place, document.createNode(wanted, { flow: true }))
  })
}

/** How much the store may take; without `quota` as much as there is. @throws {VmpkgError} `PREFERENCES_INVALID` */
export async function putQuota(path: string, quota: string | undefined): Promise<void> {
  await change(path, (document) => {
    if (quota === undefined) document.delete('quota')
    else document.set('quota', quota)
  })
}

async function change(path: string, edit: (document: Document, before: Preferences) => void): Promise<void> {
  const { document, preferences } = readDocument(readText(path))
  edit(document, preferences)
  const text = document.toString()
  parsePreferences(text)
  mkdirSync(dirname(path), { recursive: true })
  await replaceFile(path, text, { mode: 0o644 })
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return ''
    throw error
  }
}

function readDocument(text: string): { readonly document: Document; readonly preferences: Preferences } {
  const failure = {
    code: 'PREFERENCES_INVALID',
    subject: 'The file preferences.yaml',
    hint: 'Correct it; docs/resolver.md describes each field.',
  } as const
  if (text.length > MAX_CHARACTERS) throw unreadable(`it has more than ${MAX_CHARACTERS} characters`)
  const document: Document = parseDocument(text.trim() === '' ? HEAD : text, { schema: 'core', uniqueKeys: true })
  if (document.errors.length === 0 && document.contents === null) document.contents = document.createNode({})
  const [error] = document.errors
  if (error !== undefined) throw unreadable(error.message.split('\n')[0] ?? '', error)
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 0 })
  } catch (cause) {
    throw unreadable('it uses aliases', cause)
  }
  return { document, preferences: parseShape(shape, value ?? {}, failure) }
}

function isSameTarget(a: PinTarget, b: PinTarget): boolean {
  return a.name === b.name && a.version === b.version && a.source === b.source && a.channel === b.channel
}

function unreadable(problem: string, cause?: unknown): VmpkgError {
  return new VmpkgError('PREFERENCES_INVALID', `The file preferences.yaml is not readable YAML: ${problem}`, {
    hint: 'Correct it; docs/resolver.md describes each field.',
    cause,
  })
}
