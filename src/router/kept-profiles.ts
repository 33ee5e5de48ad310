/**
 * VPN profiles that a router has beside the one in use. They are the value of a file parameter, so that upgrades keep them
 * and that no metadata, log or history of ours holds a key. Texts are kept as they were given and cleaned when one is
 * taken into use: a newer vmpkg judges them anew.
 */
import { z } from 'zod'
import { VmpkgError } from '../errors.ts'
import { formatCanonicalJson } from '../model/canonical-json.ts'
import { MAX_STORED_FILE_BYTES } from '../model/stored-file.ts'
import { parseKept } from './kept-value.ts'

/** Of the parameter. */
export const KEPT_PROFILES_FORMAT = 'vpn-profiles'

const profileSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,30}$/),
  text: z.string().min(1).max(MAX_STORED_FILE_BYTES),
})

const listSchema = z.strictObject({ vmpkg: z.literal(1), profiles: z.array(profileSchema) })

export type KeptProfile = z.infer<typeof profileSchema>

/** @throws {VmpkgError} `PARAMETER_INVALID`, never with a key in it */
export function parseKeptProfiles(text: string): readonly KeptProfile[] {
  const isWhole = ({ profiles }: z.infer<typeof listSchema>): boolean => hasOwnNames(profiles)
  return parseKept(listSchema, text, { what: 'a list of VPN profiles', madeBy: 'vmpkg router vpn add', isWhole })
    .profiles
}

/** By name. @throws {VmpkgError} `SIZE_EXCEEDED` */
export function formatKeptProfiles(profiles: readonly KeptProfile[]): string {
  const sorted = profiles.map(({ name, text }) => ({ name, text })).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const text = formatCanonicalJson({ vmpkg: 1, profiles: sorted })
  if (Buffer.byteLength(text) <= MAX_STORED_FILE_BYTES) return text
  throw new VmpkgError(
    'SIZE_EXCEEDED',
    `A router keeps ${MAX_STORED_FILE_BYTES / 1024} KiB of VPN profiles beside the one in use; these are more`,
    { hint: 'Add those that you switch between, and vmpkg router vpn remove NAME others.' },
  )
}

function hasOwnNames(profiles: readonly KeptProfile[]): boolean {
  return new Set(profiles.map(({ name }) => name)).size === profiles.length
}

/** What a router has: the profile in use, and the others. */
export interface ProfileSet {
  readonly used: KeptProfile | undefined
  readonly kept: readonly KeptProfile[]
}

/** @throws {VmpkgError} `USAGE` for a name that is taken */
export function addProfiles({ used, kept }: ProfileSet, added: readonly KeptProfile[]): ProfileSet {
  const names = new Set([...(used === undefined ? [] : [used]), ...kept].map(({ name }) => name))
  for (const { name } of added) {
    if (names.has(name)) {
      throw new VmpkgError('USAGE', `There is a VPN profile ${name} already`, {
        hint: 'Give the file another name: a profile is called what its file is called.',
      })
    }
    names.add(name)
  }
  return { used, kept: [...kept, ...added] }
}

/** @throws {VmpkgError} `USAGE` for one that is not there or in use */
export function removeProfile({ used, kept }: ProfileSet, wanted: string): ProfileSet {
  const others = kept.filter(({ name }) => name !== wanted)
  if (others.length < kept.length) return { used, kept: others }
  if (used?.name !== wanted) throw unknown(wanted)
  throw new VmpkgError('USAGE', `The VPN profile ${wanted} is in use`, {
    hint: `Switch to another one first: vmpkg router vpn use ${kept[0]?.name ?? 'NAME'}`,
  })
}

/** The two change places. @throws {VmpkgError} `USAGE` for one that is not there */
export function swapProfile({ used, kept }: ProfileSet, wanted: string): ProfileSet {
  if (used?.name === wanted) return { used, kept }
  const found = kept.find(({ name }) => name === wanted)
  if (found === undefined) throw unknown(wanted)
  const others = kept.filter((one) => one !== found)
  return { used: found, kept: used === undefined ? others : [...others, used] }
}

function unknown(wanted: string): VmpkgError {
  return new VmpkgError('USAGE', `There is no VPN profile ${JSON.stringify(wanted.slice(0, 40))}`, {
    hint: 'vmpkg router vpn list shows them.',
  })
}
