/** `channel follow`, `channel unfollow`, `channel list`: which channels besides `stable` versions may come from. */

import { parsePackageName } from '../model/name.ts'
import { putChannels } from '../sources/preferences.ts'
import type { Workspace } from './workspace.ts'

export interface FollowedChannel {
  readonly channel: string
  /** Absent where it is followed for all packages. */
  readonly package?: string
}

/** `stable` first, then those for all packages, then by package. @throws {VmpkgError} `PREFERENCES_INVALID` */
export function listChannels({ preferences }: Workspace): readonly FollowedChannel[] {
  const { channels, packageChannels } = preferences
  const single = Object.entries(packageChannels).flatMap(([name, list]) =>
    list.map((channel) => ({ channel, package: name })),
  )
  return [...new Set(['stable', ...channels])].map((channel): FollowedChannel => ({ channel })).concat(single)
}

/**
 * Follows a channel or stops it, for these packages or for all. False where that was so already.
 * @throws {VmpkgError} `PREFERENCES_INVALID` `NAME_INVALID`
 */
export async function followChannel(
  { preferences, paths }: Workspace,
  channel: string,
  { names, isFollowed }: { readonly names: readonly string[]; readonly isFollowed: boolean },
): Promise<boolean> {
  let changed = false
  for (const name of names.length === 0 ? [undefined] : names.map(parsePackageName)) {
    const before = (name === undefined ? preferences.channels : preferences.packageChannels[name]) ?? []
    if (before.includes(channel) === isFollowed) continue
    const after = isFollowed ? [...before, channel] : before.filter((one) => one !== channel)
    await putChannels(paths.preferences, after, name)
    changed = true
  }
  return changed
}
