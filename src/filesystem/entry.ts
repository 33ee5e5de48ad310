/** The words of this folder: where a file system of a guest lies, and what is found there under a path. */

/** File systems that are read, by the name that their own tools have for them; `ext` is ext2, ext3 and ext4. */
export type Filesystem = 'ext' | 'xfs' | 'btrfs' | 'ntfs' | 'fat'

/** One file system at one point in time. */
export interface Place {
  /** Path of the disk inside the sandbox. */
  readonly image: string
  readonly filesystem: Filesystem
  /** Bytes from the start of the disk. */
  readonly offset: number
  /** As the partition table counts; 0 where the file system has the whole disk. */
  readonly partition: number
  readonly table: 'gpt' | 'msdos' | 'none'
}

/**
 * What a path is. `unreadable` is an answer too: the rest of a history stays readable when one point is damaged.
 * Whatever the guest wrote is untrusted text.
 */
export type Entry =
  | FileEntry
  | (Facts & { readonly state: 'directory' })
  | (Facts & { readonly state: 'link'; readonly target: string | undefined })
  | (Facts & { readonly state: 'special'; readonly kind: string })
  | { readonly state: 'absent' }
  | {
      readonly state: 'unreadable'
      readonly reason: string /** Where it is there, only too large. */
      readonly size?: number
    }

export interface FileEntry extends Facts {
  readonly state: 'file'
  readonly size: number
  /** Of the content, hexadecimal. */
  readonly sha256: string
}

/** What not every file system tells. */
interface Facts {
  /** Permission bits. */
  readonly mode?: number
  readonly owner?: number
  readonly group?: number
  /** What the guest says, ISO 8601 with nanoseconds; it proves nothing. */
  readonly modified?: string
}

/** One name in a folder. */
export interface Listed {
  readonly name: string
  readonly state: 'file' | 'directory' | 'link' | 'special'
  readonly size?: number
}

/** What a hostile file system may take at most. */
export interface Limits {
  /** Of one file, in bytes. */
  readonly maxSize: number
}

/** Reads one kind of file system. */
export interface Reader {
  /** One entry for each place, in their order. */
  look(places: readonly Place[], path: string, limits: Limits): Promise<readonly Entry[]>
  /** Gives the content of a file piece by piece; the caller compares size and digest with those of `look`. */
  read(place: Place, path: string, file: FileEntry, take: (bytes: Uint8Array) => Promise<void>): Promise<void>
  /** @returns `undefined` where the path is no folder */
  list(place: Place, path: string): Promise<readonly Listed[] | undefined>
}
