/** Words that several tables share: states, and the flag sets of more than one procedure. */
import { type Codec, choice, fixed, flags, u32 } from './codecs.ts'

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
/** `impact` of a call that reads parameters: without bit 4 the daemon leaves out those that are text. */
export const readImpact: typeof impact = {
  ...impact,
  write: (writer, given = []) => impact.write(writer, [...given, 'unknown(4)']),
}
/** The flags of a call that reads parameters and has none to offer; bit 4 as above. */
export const withText = fixed(u32, 4)
/** How many parameters are asked for: the protocol's own limit, so that one call gets them all. */
export const upTo = (most: number): Codec<undefined, undefined, 'hidden'> => fixed(u32, most)

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
  create: flags({
    /** Its processors stay stopped until `resume`. */
    paused: 1,
    /** It is destroyed when the connection that started it closes. */
    autodestroy: 2,
    /** Reads a managed save around the host's page cache. */
    bypassCache: 4,
    /** Boots afresh and drops a managed save. */
    forceBoot: 8,
    /** Holds the XML to libvirt's schema; only where there is XML. */
    validate: 16,
    /** Makes its NVRAM anew from the template (libvirt 8.1). */
    resetNvram: 32,
  }),
  undefine: flags({
    /** Removes its managed save too. */
    managedSave: 1,
    /** Forgets its snapshots too; their disk contents stay. */
    snapshotsMetadata: 2,
    /** Removes its NVRAM file too. */
    nvram: 4,
    /** Keeps its NVRAM file; not with `nvram`. */
    keepNvram: 8,
    /** Forgets its checkpoints too. */
    checkpointsMetadata: 16,
    /** Removes the state of its TPM too (libvirt 8.9). */
    tpm: 32,
    /** Keeps the state of its TPM; not with `tpm` (libvirt 8.9). */
    keepTpm: 64,
  }),
  /** How a guest is asked; of several the hypervisor tries one after another, of none it chooses. */
  shutdown: flags({
    /** The power button. */
    acpi: 1,
    /** The guest's agent. */
    agent: 2,
    /** The initctl of a container. */
    initctl: 4,
    /** A signal to the first process of a container. */
    signal: 8,
    /** The control channel of Xen's paravirtual guests. */
    paravirt: 16,
  }),
  save: flags({
    /** Writes or reads the image around the host's page cache. */
    bypassCache: 1,
    /** It will run once restored, whatever it did when saved. */
    running: 2,
    /** It will be paused once restored; not with `running`. */
    paused: 4,
    /** Makes its NVRAM anew from the template when restored (libvirt 8.1). */
    resetNvram: 8,
  }),
}

/** The flags of calls that show the XML of an image or a snapshot. */
export const secureXml = flags({
  /** With passwords; refused on a read-only connection. */
  secure: 1,
})
