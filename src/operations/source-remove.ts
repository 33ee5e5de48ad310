/** Stops trusting a source. Its high-water marks stay: adding it again does not make it young again (threats M05). */
import { HOST_WIDE, intend, transact } from './recover.ts'
import { forgetRegistry, tidySources } from './source-tidy.ts'
import { sourceStore } from './sources.ts'
import type { Workspace } from './workspace.ts'

export interface RemoveSourceOptions {
  /** Forget also what was seen of the registry; evidence stays. The caller has asked. */
  readonly forget?: boolean
}

/** Once the definition is gone the rest follows, by the next command if need be. @throws {VmpkgError} `SOURCE_UNKNOWN` */
export async function removeSource(
  workspace: Workspace,
  name: string,
  { forget = false }: RemoveSourceOptions = {},
): Promise<void> {
  const store = sourceStore(workspace)
  const { registryId } = await store.get(name)
  const facts = { operation: 'source remove', subject: name, connection: HOST_WIDE } as const
  await transact(workspace, facts, async (transaction) => {
    if (forget) intend(transaction, { kind: 'forget-registry', source: name, registryId }, { kind: 'tidy-sources' })
    else intend(transaction, { kind: 'tidy-sources' })
    await store.remove(name)
    await tidySources(workspace)
    if (forget) await forgetRegistry(workspace, name, registryId)
    transaction.commit()
  })
}
