/** Withdraws a published version, with the reason that users are shown, or takes that back. */
import { VmpkgError } from '../errors.ts'
import type { KeyAccess } from './keys.ts'
import type { PlaceRequest } from './registry-place.ts'
import { type ChannelReport, changeChannels } from './repo-channels.ts'
import { parseArch } from './repo-promote.ts'
import type { Workspace } from './workspace.ts'

export interface YankRequest extends KeyAccess, PlaceRequest {
  readonly name: string
  readonly version: string
  readonly arch: string | undefined
  readonly reason: string | undefined
  readonly undo: boolean
}

/** @throws {VmpkgError} `USAGE`, and those of `changeChannels` */
export async function yankPackage(workspace: Workspace, request: YankRequest): Promise<ChannelReport> {
  const { name, version, arch, reason, undo, ...rest } = request
  if (undo === (reason !== undefined)) {
    throw new VmpkgError('USAGE', 'A version is yanked for a reason, or the yank is undone', {
      hint: "Name either --reason 'why users should not have it' or --undo.",
    })
  }
  const change = {
    name,
    version,
    ...(arch === undefined ? {} : { arch: parseArch(arch) }),
    yanked: reason ?? null,
  }
  return changeChannels(workspace, { ...rest, change })
}
