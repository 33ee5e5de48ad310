/** Words that several tables share: states, and the flag sets of more than one procedure. */
import { choice, fixed, flags, u32 } from './codecs.ts'

/** The `flags` of a procedure that has none to offer. */
export const none = fixed(u32, 0)
/** The `need` of a list procedure: the elements are wanted, not only their count. */
export const need = fixed(u32, 1)
/** The count beside a list. */
export const counted = fixed(u32, 0)

/** Where a change goes, or what is read; nothing means the running domain if it runs, else its definition. */
export const impact = flags({
  /** The running domain; an error when it does not run. */
  live: 1,
  /** The definition, as of the next start; an error for a domain without one. */
  config: 2,
})

export const domainState = choice(
  'nostate',
  'running',
  'blocked',
  'paused',
  'shutdown',
  'shutoff',
  'crashed',
  'pmsuspended',
)

/** What a metadata procedure is about: the description, the title, or an element of any namespace. */
export const metadataType = choice('description', 'title', 'element')
/** The flags of a procedure that takes XML and can check it. */
export const validated = flags({
  /** Refuse XML that libvirt's schema does not allow, with `xmlInvalidSchema`; else unknown elements are ignored. */
  validate: 1,
})
/** `incompatible`: this host or hypervisor lacks something; `superset`: it has all and more. */
export const cpuComparison = choice('incompatible', 'identical', 'superset')

export const domainFlags = {
  create: flags({ paused: 1, autodestroy: 2, bypassCache: 4, forceBoot: 8, validate: 16, resetNvram: 32 }),
  undefine: flags({
    managedSave: 1,
    snapshotsMetadata: 2,
    nvram: 4,
    keepNvram: 8,
    checkpointsMetadata: 16,
    tpm: 32,
    keepTpm: 64,
  }),
  shutdown: flags({ acpi: 1, agent: 2, initctl: 4, signal: 8, paravirt: 16 }),
  save: flags({ bypassCache: 1, running: 2, paused: 4, resetNvram: 8 }),
}
