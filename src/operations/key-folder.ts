/** Where a publisher's keys are. */
import { join } from 'node:path'
import type { Workspace } from './workspace.ts'

/** `--keys`, else `keys/` beside the sources of this host's configuration. */
export function keyFolder({ paths }: Pick<Workspace, 'paths'>, keys: string | undefined): string {
  return keys ?? join(paths.sources, '..', 'keys')
}
