/** Two disk images of which the later is an edit of the earlier, as an update makes it. */
import { noise, writeDiskImage } from './disk-image.ts'

const MIB = 2 ** 20

/**
 * About 6 MiB in 12 MiB: parts that stay, one that moves, one of which each 20 KB some bytes change, one that is new, one that goes.
 * A chunk with an edit is another chunk, and yet nearly the old one.
 */
export async function writeEditedImages(before: string, after: string): Promise<void> {
  const kept = noise('kept', MIB)
  const moved = noise('moved', MIB)
  const edited = noise('edited', 2 * MIB)
  const later = Buffer.from(edited)
  for (let at = 10_000; at < later.length; at += 20_000) later.write('an edit', at)
  await writeDiskImage(before, 12 * MIB, [
    [0, kept],
    [2 * MIB, moved],
    [4 * MIB, edited],
    [8 * MIB, noise('gone', MIB)],
  ])
  await writeDiskImage(after, 12 * MIB, [
    [0, kept],
    [3 * MIB, moved],
    [5 * MIB, later],
    [8 * MIB, noise('new', 300_000)],
  ])
}
