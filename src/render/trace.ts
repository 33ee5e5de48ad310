/** Which line of which template every line of rendered text came from, for people who look for the reason of a line. */
import type { Segment, SourcePlace } from './evaluate.ts'

/** One entry a line of the text that the segments make; undefined for lines that nothing but white space stands on. */
export function traceLines(segments: readonly Segment[]): readonly (SourcePlace | undefined)[] {
  const places: (SourcePlace | undefined)[] = [undefined]
  for (const segment of segments) {
    let { place } = segment
    // A value is one line of output whatever it holds: escaping makes line ends into references.
    const lines = segment.kind === 'value' ? [segment.text] : segment.text.split('\n')
    for (const [at, line] of lines.entries()) {
      if (at > 0) {
        places.push(undefined)
        place = place && { ...place, line: place.line + 1 }
      }
      if (/\S/.test(line)) places[places.length - 1] ??= place
    }
  }
  return places
}

/** `cpu:3 < domain.xml.hbs:9`: innermost first. */
export function formatPlace(place: SourcePlace): string {
  const own = `${place.template}:${place.line}`
  return place.from === undefined ? own : `${own} < ${formatPlace(place.from)}`
}

/**
 * The places of `after`, which is `before` with lines put in, and perhaps some taken out (as `stamp.ts` does); those put
 * in are undefined.
 * @param places of `before`
 */
export function shiftPlaces<T>(
  before: string,
  after: string,
  places: readonly (T | undefined)[],
): readonly (T | undefined)[] {
  const [old, next] = [before.split('\n'), after.split('\n')]
  let at = 0
  return next.map((line, index) => {
    while (at < old.length && !next.includes(old[at] ?? '', index)) at += 1
    if (old[at] !== line) return undefined
    at += 1
    return places[at - 1]
  })
}
