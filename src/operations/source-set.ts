/** Changes how a source is used: its rule for expiry, its priority, the lowest version. Its trust stays as it is. */
import { VmpkgError } from '../errors.ts'
import { parseExpiry, type Source } from '../sources/source.ts'
import { HOST_WIDE, intend, transact } from './recover.ts'
import { tidySources } from './source-tidy.ts'
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
  const facts = { operation: 'source set', subject: name, connection: HOST_WIDE } as const
  await transact(workspace, facts, async (transaction) => {
    intend(transaction, { kind: 'tidy-sources' })
    await sourceStore(workspace).replace(changed)
    await tidySources(workspace)
    transaction.commit()
  })
  return sourceRow(changed)
}
