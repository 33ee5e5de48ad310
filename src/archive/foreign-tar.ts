/** Tar files of any make, read into memory within the limits of foreign archives. Test oracle: GNU `tar`. */
import { Parser, type ReadEntry } from 'tar'
import { damaged, ForeignCollector, type ForeignFiles, refused } from './foreign-entries.ts'

const BLOCK = 512

/** True for what GNU tar, BSD tar and Python write. */
export function isTar(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(257, 262)).toString('latin1') === 'ustar'
}

/** @throws {VmpkgError} `ARCHIVE_INVALID` `ARCHIVE_ENTRY_REFUSED` */
export async function readForeignTar(tar: Uint8Array): Promise<ForeignFiles> {
  // The library takes an end that is missing for the end.
  if (tar.length < 2 * BLOCK || tar.subarray(-2 * BLOCK).some((byte) => byte !== 0)) throw damaged('is cut off')
  const collector = new ForeignCollector()
  const reads: Promise<void>[] = []
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const parser = new Parser({
    strict: true,
    onReadEntry: (entry) => {
      try {
        collector.verify(entry.path, entry.type, entry.size)
        if (entry.type === 'Directory') entry.resume()
        else reads.push(readEntry(entry, collector))
      } catch (error) {
        reject(error)
      }
    },
  })
  parser.on('ignoredEntry', (entry: ReadEntry) =>
    reject(refused(entry.path, `is a ${entry.type}; only files are allowed`)),
  )
  parser.on('error', (error: Error) => reject(damaged('is not a tar file', error)))
  parser.on('end', () => resolve())
  parser.end(Buffer.from(tar.buffer, tar.byteOffset, tar.byteLength))
  await promise
  await Promise.all(reads)
  return collector.files()
}

async function readEntry(entry: ReadEntry, collector: ForeignCollector): Promise<void> {
  const chunks: Buffer[] = []
  entry.on('data', (chunk) => chunks.push(chunk))
  await entry.promise()
  collector.add(entry.path, Buffer.concat(chunks))
}
