/** vmpkg's own partials for domain templates, beside the program. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Partials } from '../render/environment.ts'

const FOLDER = join(import.meta.dirname, '..', '..', 'templates', 'partials')

export async function readPartials(): Promise<Partials> {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith('.hbs'))
  const texts = await Promise.all(
    names.map(async (name) => [name.slice(0, -'.hbs'.length), await readFile(join(FOLDER, name), 'utf8')] as const),
  )
  return Object.fromEntries(texts)
}
