/** Puts a published version into a channel, for all hosts or for a share of them. */
import { VmpkgError } from '../errors.ts'
import type { KeyAccess } from './keys.ts'
import type { PlaceRequest } from './registry-place.ts'
import { type ChannelReport, changeChannels } from './repo-channels.ts'
import type { Workspace } from './workspace.ts'

export interface PromoteRequest extends KeyAccess, PlaceRequest {
  readonly name: string
  readonly version: string
  readonly arch: string | undefined
  readonly channel: string | undefined
  /** Percent of hosts; all of them without. */
  readonly phase: string | undefined
}

/** @throws {VmpkgError} `USAGE`, and those of `changeChannels` */
export async function promotePackage(workspace: Workspace, request: PromoteRequest): Promise<ChannelReport> {
  const { name, version, arch, channel, phase, ...rest } = request
  if (channel === undefined && phase === undefined) {
    throw new VmpkgError('USAGE', 'Promote to what?', { hint: 'Name --channel NAME, --phase PERCENT or both.' })
  }
  const change = {
    name,
    version,
    ...(arch === undefined ? {} : { arch: parseArch(arch) }),
    ...(channel === undefined ? {} : { channel }),
    phasedPercent: phase === undefined ? null : parsePercent(phase),
  }
  return changeChannels(workspace, { ...rest, change })
}

/** @throws {VmpkgError} `USAGE` */
export function parseArch(text: string): 'amd64' | 'arm64' | 'all' {
  if (text === 'amd64' || text === 'arm64' || text === 'all') return text
  throw new VmpkgError('USAGE', `--arch takes amd64, arm64 or all, not ${JSON.stringify(text.slice(0, 20))}`)
}

/** 100 says nothing that holds not anyway, so it takes the phase away. */
function parsePercent(text: string): number | null {
  if (/^(?:\d{1,2}|100)$/.test(text)) return text === '100' ? null : Number(text)
  throw new VmpkgError('USAGE', `--phase takes a percentage from 0 to 100, not ${JSON.stringify(text.slice(0, 20))}`)
}
