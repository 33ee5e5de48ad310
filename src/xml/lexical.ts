/**
 * The characters of XML 1.0: which may stand in a document, in a name, and how references are read and written.
 * Source of the rules: XML 1.0 fifth edition, sections 2.2, 2.3, 4.1 and 4.6. Only the five predefined entities exist
 * here, because documents with a DOCTYPE are refused. Input may be hostile. Test oracle: xmllint.
 */
import { VmpkgError } from '../errors.ts'

const NAME_START =
  ':A-Z_a-z\\u{C0}-\\u{D6}\\u{D8}-\\u{F6}\\u{F8}-\\u{2FF}\\u{370}-\\u{37D}\\u{37F}-\\u{1FFF}\\u{200C}-\\u{200D}' +
  '\\u{2070}-\\u{218F}\\u{2C00}-\\u{2FEF}\\u{3001}-\\u{D7FF}\\u{F900}-\\u{FDCF}\\u{FDF0}-\\u{FFFD}\\u{10000}-\\u{EFFFF}'
const NAME_REST = `${NAME_START}\\-.0-9\\u{B7}\\u{300}-\\u{36F}\\u{203F}-\\u{2040}`

const NAME = new RegExp(`[${NAME_START}][${NAME_REST}]*`, 'uy')
const WHOLE_NAME = new RegExp(`^[${NAME_START}][${NAME_REST}]*$`, 'u')
const REFUSED = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u
const REFERENCE = /&(?:(amp|lt|gt|quot|apos)|#(0*[0-9]{1,7})|#x(0*[0-9A-Fa-f]{1,6}));/g
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** By ASCII code: 1 begins a name, 2 may stand inside one. */
const ASCII_NAME = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code)
  if (/[:A-Z_a-z]/.test(character)) return 1
  return /[-.0-9]/.test(character) ? 2 : 0
})

/** Offset behind the name that begins at `start`; `start` itself where none does. */
export function findNameEnd(text: string, start: number): number {
  let end = start
  let code = text.charCodeAt(end)
  if (code < 128 && ASCII_NAME[code] !== 1) return start
  while (code < 128 && ASCII_NAME[code] !== 0) code = text.charCodeAt(++end)
  if (!(code >= 128)) return end
  NAME.lastIndex = start
  return start + (NAME.exec(text)?.[0] ?? '').length
}

export function isXmlName(text: string): boolean {
  return WHOLE_NAME.test(text)
}

/** Offset of the first character that XML 1.0 forbids (controls, lone surrogates, U+FFFE, U+FFFF); -1 where all may stand. */
export function findForbiddenCharacter(text: string): number {
  return text.search(REFUSED)
}

/** True where every `&` begins one of the five entities or a reference to a permitted character. */
export function areReferencesValid(raw: string): boolean {
  if (!raw.includes('&')) return true
  let sound = true
  const rest = raw.replace(REFERENCE, (_, _entity, decimal?: string, hexadecimal?: string) => {
    const point = decimal === undefined ? Number.parseInt(hexadecimal ?? '20', 16) : Number(decimal)
    sound &&= point <= 0x10ffff && findForbiddenCharacter(String.fromCodePoint(point)) === -1
    return ''
  })
  return sound && !rest.includes('&')
}

/** The characters that raw text or a raw attribute value stands for, with the line ends as XML reads them. */
export function decodeReferences(raw: string): string {
  if (!raw.includes('&')) return normaliseLineEnds(raw)
  return normaliseLineEnds(raw).replace(REFERENCE, (_, entity?: string, decimal?: string, hexadecimal?: string) =>
    entity === undefined
      ? String.fromCodePoint(decimal === undefined ? Number.parseInt(hexadecimal ?? '', 16) : Number(decimal))
      : (ENTITIES[entity] ?? ''),
  )
}

/** The value of a raw attribute: white space becomes a blank, as every XML reader must make it. */
export function decodeAttribute(raw: string): string {
  return decodeReferences(normaliseLineEnds(raw).replace(/[\t\n]/g, ' '))
}

export function normaliseLineEnds(raw: string): string {
  if (!raw.includes('\r')) return raw
  return raw.replace(/\r\n?/g, '\n')
}

/**
 * Writes text so that any XML reader gives back exactly these characters, in element content and in attributes of either quote.
 * @throws {VmpkgError} `XML_INVALID` for characters that XML cannot carry
 */
export function escapeXml(text: string): string {
  requireCharacters(text)
  return text.replace(/[&<>"'\t\n\r]/g, (c) => ESCAPES[c] ?? c)
}

/** As `escapeXml`, for element content only: quotes, tabs and line ends stay as they are, since readers keep them there. */
export function escapeText(text: string): string {
  requireCharacters(text)
  return text.replace(/[&<>\r]/g, (c) => ESCAPES[c] ?? c)
}

function requireCharacters(text: string): void {
  const at = findForbiddenCharacter(text)
  if (at !== -1) {
    const point = text.codePointAt(at) ?? 0
    throw new VmpkgError('XML_INVALID', `XML cannot carry U+${point.toString(16).toUpperCase().padStart(4, '0')}`, {
      hint: 'Remove the control character.',
    })
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
}
