/** Shipped templates as a user gets them: built, published in a registry with one key for everything, and trusted here. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cli } from './cli.ts'

const TEMPLATES = join(import.meta.dirname, '..', '..', 'templates')

/** @param cache keeps downloaded Debian packages between runs; by default they go with the test. */
export async function publishTemplates(cli: Cli, names: readonly string[], cache?: string): Promise<void> {
  const at = (name: string): string => join(cli.folder, name)
  const keys = ['--keys', at('keys')]
  await cli.ok(['key', 'generate', 'all', ...keys, '--no-passphrase'])
  const roles = ['--root-key', 'all', '--publisher', 'all=*', '--promoter', 'all', '--timestamp', 'all']
  await cli.ok(['repo', 'init', at('registry'), ...keys, ...roles])
  const kept = cache === undefined ? [] : ['--cache', cache]
  await cli.ok(['build', ...names.map((name) => join(TEMPLATES, name)), '--out', at('built'), ...kept])
  const built = (await readdir(at('built'))).map((name) => join(at('built'), name))
  await cli.ok(['publish', at('registry'), ...built, ...keys])
  await cli.ok(['source', 'add', 'example', at('registry'), '--root-file', join(at('registry'), 'root', '1.json')])
  await cli.ok(['update'])
}
