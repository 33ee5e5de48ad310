/**
 * Every XML file of Debian's libvirt (bookworm and trixie) and virt-manager (trixie) source packages, except what is no
 * XML to libxml2 (fragments and differences that are kept under the same ending) and what has a DOCTYPE, which we refuse.
 */
import { spawnSync } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { debianSource } from './debian-source.ts'

export interface CorpusFile {
  /** As in `libvirt-trixie/tests/…`. */
  readonly name: string
  readonly path: string
  readonly bytes: Buffer
}

export interface XmlCorpus {
  readonly files: readonly CorpusFile[]
  readonly sizeBytes: number
  /** Files that are there and not in it, by reason. */
  readonly left: { readonly doctype: number; readonly notXml: number }
}

const LIBVIRT = ['tests', 'src/conf/schemas', 'docs/*.rst']
const SOURCES = [
  { name: 'libvirt', suite: 'bookworm', only: LIBVIRT },
  { name: 'libvirt', suite: 'trixie', only: LIBVIRT },
  { name: 'virt-manager', suite: 'trixie', only: ['tests'] },
] as const

let read: Promise<XmlCorpus> | undefined

/** Read once a process. */
export function xmlCorpus(): Promise<XmlCorpus> {
  read ??= readCorpus()
  return read
}

async function readCorpus(): Promise<XmlCorpus> {
  const all: CorpusFile[] = []
  for (const { name, ...options } of SOURCES) {
    const folder = await debianSource(name, options)
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith('.xml')) continue
      const path = join(entry.parentPath, entry.name)
      all.push({ name: `${name}-${options.suite}${path.slice(folder.length)}`, path, bytes: await readFile(path) })
    }
  }
  all.sort((a, b) => (a.name < b.name ? -1 : 1))
  const notXml = refusedByXmllint(all.map(({ path }) => path))
  const withDoctype = all.filter(({ path, bytes }) => !notXml.has(path) && bytes.includes('<!DOCTYPE'))
  const files = all.filter((file) => !notXml.has(file.path) && !withDoctype.includes(file))
  return {
    files,
    sizeBytes: files.reduce((sum, { bytes }) => sum + bytes.length, 0),
    left: { doctype: withDoctype.length, notXml: notXml.size },
  }
}

/** What libxml2 finds not well-formed. It goes on after complaints about namespaces, as libvirt does. */
export function refusedByXmllint(paths: readonly string[]): ReadonlySet<string> {
  const { stderr, error } = spawnSync('xmllint', ['--noout', '--nonet', ...paths], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  if (error !== undefined) throw error
  return new Set(Array.from(stderr.matchAll(/^(.*):\d+: parser error : /gm), ([, path = '']) => path))
}
