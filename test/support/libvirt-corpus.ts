/** libvirt's own test data: every XML document of its source package whose root one of its schemas is about. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseXml } from '../../src/xml/parse.ts'
import type { XmlDocument } from '../../src/xml/tree.ts'
import { debianSource } from './debian-source.ts'

/** Root element and the schema for it, as `virt-xml-validate` chooses. */
export const SCHEMA_OF_ROOT: Readonly<Record<string, string>> = {
  domain: 'domain.rng',
  network: 'network.rng',
  pool: 'storagepool.rng',
  volume: 'storagevol.rng',
  domainsnapshot: 'domainsnapshot.rng',
  domaincheckpoint: 'domaincheckpoint.rng',
  domainbackup: 'domainbackup.rng',
  device: 'nodedev.rng',
  capabilities: 'capability.rng',
  domainCapabilities: 'domaincaps.rng',
  storagepoolCapabilities: 'storagepoolcaps.rng',
  filter: 'nwfilter.rng',
  filterbinding: 'nwfilterbinding.rng',
  secret: 'secret.rng',
  interface: 'interface.rng',
  networkport: 'networkport.rng',
}

/** What tests need of libvirt's source package; one list, because the cache is keyed by suite and name. */
export function libvirtSource(suite: string): Promise<string> {
  return debianSource('libvirt', { suite, only: ['tests', 'src/conf/schemas', 'docs/*.rst'] })
}

/** Reads a schema file of the source package by its name. */
export async function schemaFiles(suite: string): Promise<(name: string) => string> {
  const folder = join(await libvirtSource(suite), 'src/conf/schemas')
  return (name) => readFileSync(join(folder, name), 'utf8')
}

export interface CorpusFile {
  readonly path: string
  readonly text: string
}

/** The documents by schema file. */
export async function libvirtCorpus(suite: string): Promise<ReadonlyMap<string, readonly CorpusFile[]>> {
  const folder = join(await libvirtSource(suite), 'tests')
  const files = globSync('**/*.xml', { cwd: folder })
    .toSorted()
    .map((name) => ({ path: join(folder, name), text: readFileSync(join(folder, name), 'utf8') }))
  const corpus = Map.groupBy(files, ({ text }) => SCHEMA_OF_ROOT[rootName(text)] ?? '')
  corpus.delete('')
  return corpus
}

export interface ParsedFile extends CorpusFile {
  readonly document: XmlDocument
}

/** A few are fragments or broken on purpose, and left out. */
export function parseCorpus(files: readonly CorpusFile[]): readonly ParsedFile[] {
  return files.flatMap((file) => {
    try {
      return [{ ...file, document: parseXml(file.text) }]
    } catch {
      return []
    }
  })
}

/** Name of the first start tag after declaration and comments. */
function rootName(text: string): string {
  return /<([A-Za-z][\w.:-]*)/.exec(text.replaceAll(/<!--[^]*?-->/g, ''))?.[1] ?? ''
}
