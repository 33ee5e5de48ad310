/**
 * One stream of several outputs, told apart by lines that carry a random word: what a guest wrote cannot contain it.
 * Content may be of any length, so it is handed on in pieces.
 */

/** Splits a stream at lines `<before><mark> <text>\n`; what stands before the first one is dropped. */
export async function* splitFrames(
  stream: AsyncIterable<Uint8Array>,
  mark: string,
): AsyncGenerator<{ readonly head: string } | { readonly piece: Buffer }> {
  const needle = Buffer.from(mark)
  let rest: Buffer = Buffer.alloc(0)
  let isOpen = false
  for await (const chunk of stream) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
    for (;;) {
      const at = rest.indexOf(needle)
      const end = at === -1 ? -1 : rest.indexOf(10, at)
      if (end === -1) {
        // What could be the beginning of a mark, or has one whose line is not whole yet, waits.
        const safe = at === -1 ? Math.max(0, rest.length - needle.length) : at
        if (isOpen && safe > 0) yield { piece: rest.subarray(0, safe) }
        rest = rest.subarray(safe)
        break
      }
      if (isOpen && at > 0) yield { piece: rest.subarray(0, at) }
      isOpen = true
      yield { head: rest.toString('latin1', at + needle.length, end).trim() }
      rest = rest.subarray(end + 1)
    }
  }
  if (isOpen && rest.length > 0) yield { piece: rest }
}

/** Frames that are short by their nature: a head and all of what follows it. At most `maxBytes` of a frame are kept. */
export async function collectFrames(
  stream: AsyncIterable<Uint8Array>,
  mark: string,
  maxBytes: number,
): Promise<readonly { readonly head: string; readonly body: Buffer }[]> {
  const frames: { head: string; pieces: Buffer[]; bytes: number }[] = []
  for await (const part of splitFrames(stream, mark)) {
    const last = frames.at(-1)
    if ('head' in part) frames.push({ head: part.head, pieces: [], bytes: 0 })
    else if (last !== undefined && last.bytes < maxBytes) {
      const piece = part.piece.subarray(0, maxBytes - last.bytes)
      last.pieces.push(Buffer.from(piece))
      last.bytes += piece.length
    }
  }
  return frames.map(({ head, pieces }) => ({ head, body: Buffer.concat(pieces) }))
}
