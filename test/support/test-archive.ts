/** Package archives for tests: good ones, and such as our writer would not make. */
import { zstdCompressSync } from 'node:zlib'
import { Header, type HeaderData } from 'tar'
import { type ArchiveFiles } from '../../src/archive/write.ts'
import { type Digested, sha256 } from '../../src/model/digest.ts'

export const MANIFEST = `vmpkg: 1
name: router-test
version: 1.0-1
arch: amd64
kind: router
layer: uni
summary: Test
license: Apache-2.0
templates: { domain: domain.xml.hbs }
guest: { files: guest/ }
`

export function files(extra: Readonly<Record<string, string>> = {}): ArchiveFiles {
  const all = {
    'vmpkg.yaml': MANIFEST,
    'domain.xml.hbs': '<domain/>',
    'guest/rules.nft.hbs': 'table {{x}}',
    'guest/bin/run': '#!/bin/sh\n',
    ...extra,
  }
  return new Map(
    Object.entries(all).map(([path, text]) => [
      path,
      { bytes: new TextEncoder().encode(text), executable: path.includes('/bin/') },
    ]),
  )
}

export function digestOf(bytes: Uint8Array): Digested {
  return { sha256: sha256(bytes), size: bytes.length }
}

/** An archive that our writer would not make, as an attacker's would. */
export function hostileArchive(
  entries: readonly (HeaderData & { readonly content?: Uint8Array; readonly raw?: Uint8Array })[],
  tail = Buffer.alloc(1024),
): Uint8Array {
  const blocks = entries.flatMap(({ content = new Uint8Array(), raw, ...header }) => {
    if (raw !== undefined) return [raw]
    const block = Buffer.alloc(512)
    new Header({ mode: 0o644, mtime: new Date(0), size: content.length, type: 'File', ...header }).encode(block)
    return [block, content, Buffer.alloc((512 - (content.length % 512)) % 512)]
  })
  return zstdCompressSync(Buffer.concat([...blocks, tail]))
}

export function frame(windowDescriptor: number): Uint8Array {
  return Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, windowDescriptor, 0x01, 0x00, 0x00])
}

/** A header with a type that the library would not write, and a right checksum. */
export function headerOfType(type: string): Uint8Array {
  const block = Buffer.alloc(512)
  new Header({ path: 'a', mode: 0o644, mtime: new Date(0), size: 0, type: 'File' }).encode(block)
  block.write(type, 156)
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

export const manifestEntry = { path: 'vmpkg.yaml', content: new TextEncoder().encode(MANIFEST) }
