/** Writes the reference: `npm run reference`. */
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makePages } from './pages.ts'

const folder = join(import.meta.dirname, '../reference')
const pages = makePages()
for (const name of readdirSync(folder)) if (!pages.some((page) => page.name === name)) rmSync(join(folder, name))
for (const { name, text } of pages) writeFileSync(join(folder, name), text)
