/**
 * How values are written into each kind of file, chosen by the template's name. Escaping is never a template's choice:
 * XML values become text whatever they hold, shell values one quoted word, JSON values a JSON value's text; everywhere
 * else only a token of harmless characters passes. A value that cannot stand where the template puts it is refused.
 */
import { VmpkgError } from '../errors.ts'
import { escapeXml } from '../xml/lexical.ts'
import type { Segment } from './evaluate.ts'

export type Format = 'xml' | 'shell' | 'json' | 'token'

const TOKEN = /^[A-Za-z0-9._:/@+-]+$/
const NOT_TOKEN = /[^A-Za-z0-9._:/@+-]/u

/** The format of a template file by its name: `x.xml.hbs`, `x.sh.hbs`, `x.env.hbs`, `x.json.hbs`; else tokens. */
export function formatOf(fileName: string): Format {
  const kind = /\.(xml|sh|env|json)(?:\.hbs)?$/.exec(fileName)?.[1]
  if (kind === 'sh' || kind === 'env') return 'shell'
  return kind === 'xml' || kind === 'json' ? kind : 'token'
}

/**
 * Joins evaluated pieces into the text of a file.
 * @throws {VmpkgError} `RENDER_REFUSED` naming the value and the character or the place that forbids it
 */
export function joinSegments(fileName: string, segments: readonly Segment[]): string {
  const format = formatOf(fileName)
  for (const segment of segments) {
    // UTF-8 has no form for it: a file would hold another character.
    if (segment.kind === 'value' && !segment.text.isWellFormed()) {
      refuseValue(fileName, segment.name, 'holds half a surrogate pair')
    }
  }
  if (format === 'token') return segments.map((segment) => writeToken(fileName, segment)).join('')
  const place = PLACES[format]()
  const parts: string[] = []
  for (const segment of segments) {
    if (segment.kind === 'text') {
      place.read(segment.text)
      parts.push(segment.text)
      continue
    }
    const forbidden = place.forbidden()
    if (forbidden !== undefined) refuseValue(fileName, segment.name, `must not stand ${forbidden}`)
    parts.push(WRITERS[format](fileName, segment.text, segment.name))
  }
  return parts.join('')
}

function writeToken(fileName: string, segment: Segment): string {
  if (segment.kind === 'text' || TOKEN.test(segment.text)) return segment.text
  const character = NOT_TOKEN.exec(segment.text)?.[0]
  const reason = character === undefined ? 'is empty' : `holds ${JSON.stringify(character)}`
  return refuseValue(fileName, segment.name, `${reason}; only A-Z a-z 0-9 . _ : / @ + - may stand in this file`)
}

const WRITERS = { xml: writeXml, shell: writeShell, json: writeJson } as const

function writeXml(fileName: string, text: string, name: string): string {
  try {
    return escapeXml(text)
  } catch (cause) {
    return refuseValue(fileName, name, `holds a character that XML cannot carry`, cause)
  }
}

/** One word for any POSIX shell; a plain token stays as it is. */
function writeShell(fileName: string, text: string, name: string): string {
  if (TOKEN.test(text)) return text
  if (/\p{Cc}/u.test(text)) return refuseValue(fileName, name, 'holds a control character')
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** The inside of a JSON string. */
function writeJson(_fileName: string, text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

/** Follows the template's own text and says where a value may not stand. */
interface Place {
  read(text: string): void
  /** Description of the place where it is forbidden; undefined where a value may stand. */
  forbidden(): string | undefined
}

const PLACES: Readonly<Record<Exclude<Format, 'token'>, () => Place>> = {
  xml: () => {
    let state: 'content' | 'tag' | '"' | "'" | 'comment' | 'cdata' | 'instruction' = 'content'
    const ends = { comment: '-->', cdata: ']]>', instruction: '?>' } as const
    const openings = [
      ['<!--', 'comment'],
      ['<![CDATA[', 'cdata'],
      ['<?', 'instruction'],
      ['<', 'tag'],
    ] as const
    return {
      read(text) {
        for (let at = 0; at < text.length; at += 1) {
          const character = text[at]
          if (state === 'content') {
            const opening = openings.find(([mark]) => text.startsWith(mark, at))
            if (opening !== undefined) [, state] = opening
            at += opening === undefined ? 0 : opening[0].length - 1
          } else if (state === 'tag') {
            if (character === '>') state = 'content'
            else if (character === '"' || character === "'") state = character
          } else if (state === '"' || state === "'") {
            if (character === state) state = 'tag'
          } else if (text.startsWith(ends[state], at)) {
            at += ends[state].length - 1
            state = 'content'
          }
        }
      },
      forbidden: () => (state === 'content' || state === '"' || state === "'" ? undefined : `inside a ${state}`),
    }
  },
  // Conservative: after anything whose quoting is hard to follow (`\`, backquote, `<<`, `$'`, `"$(`), no value may come.
  shell: () => {
    let state: 'word' | '"' | "'" | 'comment' | 'unclear' = 'word'
    let previous = '\n'
    return {
      read(text) {
        for (const character of text) {
          const pair = previous + character
          if (state === 'word') {
            if (character === '\\' || character === '`' || pair === '<<' || pair === "$'") state = 'unclear'
            else if (character === '"' || character === "'") state = character
            else if (character === '#' && /[\s;&|()]/.test(previous)) state = 'comment'
          } else if (state === '"') {
            if (character === '\\' || character === '`' || pair === '$(' || pair === '${') state = 'unclear'
            else if (character === '"') state = 'word'
          } else if ((state === "'" && character === "'") || (state === 'comment' && character === '\n')) state = 'word'
          previous = character
        }
      },
      forbidden() {
        const allowed = state === 'word' && previous !== '$'
        previous = 'x'
        return allowed ? undefined : 'inside quotes or a comment, after "$", or after quoting that is hard to follow'
      },
    }
  },
  json: () => {
    let inside = false
    let escaped = false
    return {
      read(text) {
        for (const character of text) {
          if (inside && escaped) escaped = false
          else if (inside && character === '\\') escaped = true
          else if (character === '"') inside = !inside
        }
      },
      forbidden: () => (inside && !escaped ? undefined : 'outside a JSON string'),
    }
  },
}

function refuseValue(fileName: string, name: string, reason: string, cause?: unknown): never {
  throw new VmpkgError(
    'RENDER_REFUSED',
    `Value ${JSON.stringify(name.slice(0, 80))} in ${JSON.stringify(fileName.slice(0, 120))} ${reason}`,
    { hint: 'Change the value, or the template that places it.', cause, details: { file: fileName, name } },
  )
}
