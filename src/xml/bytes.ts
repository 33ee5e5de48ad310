/**
 * XML files in the encoding that they declare. `parseXml` takes characters and so knows UTF-8 only; a file says by its
 * byte order mark or its declaration what its bytes mean (XML 1.0, appendix F): UTF-8, UTF-16, or one byte a character.
 * What decodes to characters that do not encode to the very same bytes is refused. Input may be hostile.
 */
import { VmpkgError } from '../errors.ts'
import { findDeclaration, isUtf8, parseCharacters, requireSize } from './parse.ts'
import { formatXml, type XmlDocument } from './tree.ts'

export interface XmlFile {
  readonly document: XmlDocument
  /** As the file names it: `UTF-8` where it says nothing. */
  readonly encoding: string
}

/**
 * Reads a file without loss: `formatXmlFile` gives back its bytes.
 * @throws {VmpkgError} `XML_INVALID`, also for an encoding that is unknown or is not that of the bytes
 */
export function parseXmlFile(bytes: Uint8Array): XmlFile {
  requireSize(bytes.length)
  const head = Buffer.from(bytes.subarray(0, 200))
  const hasMark = head.indexOf(UTF8_MARK) === 0
  const wide = findWide(head)
  const declared = findDeclaration(head.subarray(hasMark ? 3 : 0).toString('latin1'))[1]
  // Bytes of UTF-16 can be nothing else, whatever they say; other bytes are what they say.
  if (wide === undefined && declared !== undefined) {
    const isWrong = /^utf-?(?:16|32)|^ucs|^iso-10646/i.test(declared) || (hasMark && !isUtf8(declared))
    if (isWrong) throw refusal(`declared as ${declared}, but its bytes are not`)
  }
  const encoding = wide ?? declared ?? 'UTF-8'
  const text = decode(bytes, encoding)
  return { document: parseCharacters(text), encoding }
}

/** The bytes of a file that `parseXmlFile` read. @throws {VmpkgError} `XML_INVALID` for a character that its encoding lacks */
export function formatXmlFile({ document, encoding }: XmlFile): Uint8Array {
  return encode(formatXml(document), encoding)
}

/** The text of a file for libvirt, which takes UTF-8: the same characters, and a declaration that says so. */
export function formatAsUtf8({ document }: XmlFile): string {
  const text = formatXml(document)
  const [at, encoding] = findDeclaration(text)
  return encoding === undefined ? text : `${text.slice(0, at)}UTF-8${text.slice(at + encoding.length)}`
}

const UTF8_MARK = Buffer.from('\uFEFF')

/** UTF-16 by its byte order mark, or by how `<?` looks in it. */
function findWide(head: Uint8Array): 'UTF-16LE' | 'UTF-16BE' | undefined {
  const [a = 0, b = 0, c = 0, d = 0] = head
  if ((a === 0xff && b === 0xfe) || (a === 0x3c && b === 0 && c === 0x3f && d === 0)) return 'UTF-16LE'
  if ((a === 0xfe && b === 0xff) || (a === 0 && b === 0x3c && c === 0 && d === 0x3f)) return 'UTF-16BE'
  return undefined
}

function decode(bytes: Uint8Array, encoding: string): string {
  const table = isUtf8(encoding) || /^utf-16/i.test(encoding) ? undefined : singleBytes(encoding)
  const text = table === undefined ? decodeUnicode(bytes, encoding) : Array.from(bytes, (byte) => table[byte]).join('')
  if (Buffer.compare(encode(text, encoding), bytes) !== 0) throw refusal(`holds bytes that are not ${encoding}`)
  return text
}

function decodeUnicode(bytes: Uint8Array, encoding: string): string {
  const buffer = Buffer.from(bytes)
  if (isUtf8(encoding)) return buffer.toString('utf8')
  if (buffer.length % 2 !== 0) throw refusal(`holds bytes that are not ${encoding}`)
  return (encoding === 'UTF-16BE' ? buffer.swap16() : buffer).toString('utf16le')
}

function encode(text: string, encoding: string): Buffer {
  if (isUtf8(encoding)) return Buffer.from(text, 'utf8')
  if (/^utf-16/i.test(encoding)) {
    const bytes = Buffer.from(text, 'utf16le')
    return encoding === 'UTF-16BE' ? bytes.swap16() : bytes
  }
  const codes = new Map(singleBytes(encoding).map((character, code) => [character, code]))
  return Buffer.from(
    Array.from(text, (character) => {
      const code = codes.get(character)
      if (code === undefined) throw refusal(`${encoding} has no ${JSON.stringify(character)}`)
      return code
    }),
  )
}

/** The characters of an encoding with one byte each. ASCII's upper half and unused codes stay U+FFFD, which encodes to none of them. */
function singleBytes(encoding: string): readonly string[] {
  const name = encoding.toLowerCase()
  if (name === 'us-ascii' || name === 'ascii')
    return halfTable((code) => (code < 0x80 ? String.fromCharCode(code) : ''))
  // The web's decoder takes some of ISO's for Windows' encodings, which have characters in place of the controls.
  if (/^(?:iso-8859-1|latin-?1)$/.test(name)) return halfTable((code) => String.fromCharCode(code))
  if (!/^(?:iso-8859-(?:[2-9]|1[013456])|windows-125[0-8]|koi8-[ru])$/.test(name))
    throw refusal(`in an unknown encoding, ${encoding}`)
  const decoder = new TextDecoder(name)
  const isControl = (code: number): boolean => name.startsWith('iso') && code >= 0x80 && code < 0xa0
  return halfTable((code) => (isControl(code) ? String.fromCharCode(code) : decoder.decode(Uint8Array.of(code))))
}

function halfTable(characterOf: (code: number) => string): readonly string[] {
  return Array.from({ length: 256 }, (_, code) => characterOf(code) || '\uFFFD')
}

function refusal(what: string): VmpkgError {
  return new VmpkgError('XML_INVALID', `Not usable XML: ${what}`.slice(0, 300), {
    hint: 'Convert the file to UTF-8 with iconv, and correct the encoding in its first line.',
  })
}
