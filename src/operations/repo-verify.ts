/** Checks a registry folder as its clients would, and warns of what will go wrong soon. */
import { type RegistryFinding, verifyRegistry as verify } from '../publish/registry-verify.ts'
import type { Workspace } from './workspace.ts'

/** @throws {VmpkgError} `REGISTRY_INVALID` for a folder that is none, `ABORTED` */
export async function verifyRegistry(
  workspace: Workspace,
  { registry, full }: { readonly registry: string; readonly full: boolean },
): Promise<readonly RegistryFinding[]> {
  const { clock, http, signal } = workspace.outside
  return verify({ folder: registry, clock, full, http, signal })
}
