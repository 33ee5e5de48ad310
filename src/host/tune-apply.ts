/**
 * Writes a plan into the running kernel and takes it back exactly. The record with the old values is on disk before the
 * first write; a value that somebody else changed since is left alone, and said.
 */
import { constants } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { replaceFile } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import type { TuneChange } from './tune-plan.ts'

const recordSchema = z.object({
  /** The settings end with the boot. */
  bootId: z.string(),
  changes: z.array(
    z.object({
      file: z.string().regex(/^\/(?:sys|proc)\/(?!.*\.\.)[\w./:-]+$/),
      before: z.string(),
      after: z.string(),
    }),
  ),
})

type TuneRecord = z.infer<typeof recordSchema>

export interface TunePlace {
  /** Before /sys and /proc; empty for the real ones. */
  readonly root: string
  /** Path of the record. */
  readonly record: string
  readonly bootId: string
}

/** What was applied in this boot and not undone. @throws {VmpkgError} `STATE_INVALID` */
export async function readTuneRecord({ record, bootId }: TunePlace): Promise<TuneRecord['changes']> {
  const text = await readFile(record, 'utf8').catch(() => undefined)
  if (text === undefined) return []
  const parsed = recordSchema.safeParse(parseJson(text))
  if (!parsed.success)
    throw new VmpkgError('STATE_INVALID', `${record} is damaged`, {
      hint: 'Remove it; what was tuned ends with the next boot.',
      cause: parsed.error,
    })
  return parsed.data.bootId === bootId ? parsed.data.changes : []
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export interface TuneResult {
  readonly written: readonly TuneChange[]
  /** Settings that the kernel refused, with its reason: a managed interrupt, for example. */
  readonly refused: readonly { readonly file: string; readonly reason: string }[]
}

/** @throws {VmpkgError} `NO_RIGHTS` when nothing at all may be written */
export async function applyTuning(place: TunePlace, changes: readonly TuneChange[]): Promise<TuneResult> {
  const earlier = await readTuneRecord(place)
  const known = new Map(earlier.map((one) => [one.file, one]))
  // The oldest value of a file is the one to go back to.
  for (const { file, before, after } of changes)
    known.set(file, { file, before: known.get(file)?.before ?? before, after })
  await save(place, [...known.values()])
  const written: TuneChange[] = []
  const refused: { file: string; reason: string }[] = []
  for (const change of changes) {
    const error = await writeSetting(place.root, change.file, change.after)
    if (error === undefined) written.push(change)
    else {
      refused.push({ file: change.file, reason: error.code ?? error.message })
      const old = earlier.find(({ file }) => file === change.file)
      if (old === undefined) known.delete(change.file)
      else known.set(change.file, old)
    }
  }
  await save(place, [...known.values()])
  if (written.length === 0 && refused.some(({ reason }) => ['EACCES', 'EPERM', 'EROFS'].includes(reason))) {
    throw new VmpkgError('NO_RIGHTS', `No right to write ${refused[0]?.file}`, {
      hint: 'Run it as root: sudo vmpkg tune apply',
      details: { refused },
    })
  }
  return { written, refused }
}

export interface UndoResult {
  readonly restored: readonly { readonly file: string; readonly value: string }[]
  readonly left: readonly { readonly file: string; readonly reason: string }[]
}

/** Files that somebody else has changed since stay as they are. What could not be written stays in the record. */
export async function undoTuning(place: TunePlace): Promise<UndoResult> {
  const restored: { file: string; value: string }[] = []
  const left: { file: string; reason: string }[] = []
  const failed: TuneRecord['changes'] = []
  for (const change of (await readTuneRecord(place)).toReversed()) {
    const { file, before, after } = change
    const now = await readFile(join(place.root, file), 'utf8').catch(() => undefined)
    const value = now === undefined ? undefined : (/\[(\w+)\]/.exec(now)?.[1] ?? now.trim())
    if (value === before) continue
    if (value !== after) {
      left.push({ file, reason: value === undefined ? 'it is gone' : `it is ${value} now, which is not from here` })
      continue
    }
    const error = await writeSetting(place.root, file, before)
    if (error === undefined) restored.push({ file, value: before })
    else {
      left.push({ file, reason: error.code ?? error.message })
      failed.unshift(change)
    }
  }
  await save(place, failed)
  return { restored, left }
}

async function save({ record, bootId }: TunePlace, changes: TuneRecord['changes']): Promise<void> {
  if (changes.length === 0) await rm(record, { force: true })
  else await replaceFile(record, `${JSON.stringify({ bootId, changes })}\n`)
}

/** As `echo value > file` does it, but that nothing is made where nothing is. */
async function writeSetting(root: string, file: string, value: string): Promise<NodeJS.ErrnoException | undefined> {
  return writeFile(join(root, file), `${value}\n`, { flag: constants.O_WRONLY | constants.O_TRUNC }).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error,
  )
}
