/** vmpkg's own partials for domain templates, beside the program. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Partials } from '../render/environment.ts'

const FOLDER = join(import.meta.dirname, '..', '..', 'templates', 'partials')

let partials: Promise<Partials> | undefined

/** Read once a run: they are part of the program, and each is parsed once for the same object. */
export async function readPartials(): Promise<Partials> {
  partials ??= readFolder()
  return partials
}

async function readFolder(): Promise<Partials> {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith('.hbs'))
  const texts = await Promise.all(
    names.map(async (name) => [name.slice(0, -'.hbs'.length), await readFile(join(FOLDER, name), 'utf8')] as const),
  )
  return Object.fromEntries(texts)
}
