/** Changes how a source is used: its rule for expiry, its priority, the lowest version. Its trust stays as it is. */
import { VmpkgError } from '../errors.ts'
import { parseExpiry, type Source } from '../sources/source.ts'
import { openCatalogue } from './catalogue.ts'
import { type SourceRow, sourceRow, sourceStore } from './sources.ts'
import type { Workspace } from './workspace.ts'

export interface SetSourceRequest {
  readonly name: string
  readonly expiry: string | undefined
  readonly priority: number | undefined
  readonly minimumVersion: number | undefined
  readonly dryRun: boolean
}

const MAX_PRIORITY = 1000

/** @throws {VmpkgError} `SOURCE_UNKNOWN` `SOURCE_INVALID` `USAGE` */
export async function setSource(workspace: Workspace, request: SetSourceRequest): Promise<SourceRow> {
  const { name, expiry, priority, minimumVersion, dryRun } = request
  if (expiry === undefined && priority === undefined && minimumVersion === undefined) {
    throw new VmpkgError('USAGE', 'There is nothing to change', {
      hint: 'Name --expiry, --priority or --minimum-version.',
    })
  }
  if (priority !== undefined && priority > MAX_PRIORITY) {
    throw new VmpkgError('USAGE', `A priority is at most ${MAX_PRIORITY}, not ${priority}`, {
      hint: 'The default is 500; the higher one wins.',
    })
  }
  const changed: Source = {
    ...(await sourceStore(workspace).get(name)),
    ...(expiry === undefined ? {} : { expiry: parseExpiry(expiry) }),
    ...(priority === undefined ? {} : { priority }),
    ...(minimumVersion === undefined ? {} : { minimumVersion }),
  }
  if (dryRun) return sourceRow(changed)
  await sourceStore(workspace).replace(changed)
  using catalogue = openCatalogue(workspace)
  catalogue.setPriority(name, changed.priority)
  return sourceRow(changed)
}
