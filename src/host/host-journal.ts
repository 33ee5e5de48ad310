/**
 * What vmpkg changed on this host: every file with what it was before, and the devices it bound. The journal lies with
 * the host it speaks of, not with the state of a user, and is written before each change.
 */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { makeFolder, replaceFile } from '../durable-file.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { hostEditSchema } from './host-edit.ts'
import { hostWishesSchema, NO_WISHES } from './host-wishes.ts'
import { isVfioDriver } from './iommu-group.ts'
import type { PciDevice } from './pci-device.ts'

const PLACE = 'var/lib/vmpkg/host.json'

const boundSchema = z.strictObject({
  address: z.string(),
  driver: z.string().optional(),
  driverOverride: z.string().optional(),
})

const journalSchema = z.strictObject({
  schema: z.literal('vmpkg.host-journal/1'),
  wishes: hostWishesSchema,
  files: z.array(
    z.strictObject({
      edit: hostEditSchema,
      /** The whole file before our first change; null where there was none. */
      before: z.string().nullable(),
      after: z.string(),
      /** Folders that were made for it, the outermost first. */
      folders: z.array(z.string()),
    }),
  ),
  bound: z.array(boundSchema),
  /** Drivers that devices had before vfio-pci got them, by address: rules for the next start depend on them. */
  drivers: z.record(z.string(), z.string()),
  /** MACs of network cards among them, which nobody can read any more then. */
  macs: z.record(z.string(), z.string()),
  /** Writes that took the console off its card, in order. */
  console: z.array(z.strictObject({ path: z.string(), text: z.string() })),
  /** Groups that users were added to by a command of ours. */
  groups: z.array(z.strictObject({ user: z.string(), group: z.string() })),
})

export type HostJournal = z.infer<typeof journalSchema>
export type JournalFile = HostJournal['files'][number]

export const EMPTY_JOURNAL: HostJournal = {
  schema: 'vmpkg.host-journal/1',
  wishes: NO_WISHES,
  files: [],
  bound: [],
  drivers: {},
  macs: {},
  console: [],
  groups: [],
}

/** @param target root of the file tree @throws {VmpkgError} `STATE_INVALID` `NO_RIGHTS` */
export async function readHostJournal(target: string): Promise<HostJournal> {
  const path = join(target, PLACE)
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    if (systemErrorCode(cause) === 'ENOENT') return undefined
    throw new VmpkgError('NO_RIGHTS', `${path} cannot be read`, { hint: 'Run it as root.', cause })
  })
  if (text === undefined) return EMPTY_JOURNAL
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = undefined
  }
  const parsed = journalSchema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new VmpkgError('STATE_INVALID', `${path} is no journal of host changes`, {
    hint: 'Restore it from a backup; without it the changes of this host cannot be undone.',
    cause: parsed.error,
  })
}

/** Remembers what devices were that are about to go to vfio-pci. */
export function rememberDevices(
  journal: HostJournal,
  devices: readonly PciDevice[],
  addresses: ReadonlySet<string>,
): HostJournal {
  const given = devices.filter(({ address, driver }) => addresses.has(address) && !isVfioDriver(driver))
  const drivers = given.flatMap(({ address, driver }) => (driver === undefined ? [] : [[address, driver] as const]))
  const macs = given.flatMap(({ address, nics }) =>
    nics.slice(0, 1).flatMap(({ mac }) => (mac === undefined ? [] : [[address, mac] as const])),
  )
  return {
    ...journal,
    drivers: { ...journal.drivers, ...Object.fromEntries(drivers) },
    macs: { ...journal.macs, ...Object.fromEntries(macs) },
  }
}

/** An empty journal is no file. */
export async function writeHostJournal(target: string, journal: HostJournal): Promise<void> {
  const path = join(target, PLACE)
  if (journal.files.length === 0 && journal.bound.length === 0 && journal.groups.length === 0) {
    await rm(path, { force: true })
    return
  }
  await makeFolder(join(target, 'var/lib/vmpkg'))
  await replaceFile(path, `${JSON.stringify(journal, null, 2)}\n`, { mode: 0o600 })
}
