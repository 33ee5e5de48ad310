/**
 * The disks of a definition and what they stand on, written down: each with all files below it, so that libvirt looks for
 * none by itself and labels none of the shared store. Pure.
 */
import type { ChainFile } from '../image/chain.ts'
import { VMPKG_NAMESPACE } from '../render/facts-xml.ts'
import { insertElement, removeAttribute, removeElement, setAttribute, setText } from '../xml/edit.ts'
import { childElements, findElement, findElements, findInNamespace, getAttribute, getText } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { formatXml, type XmlElement } from '../xml/tree.ts'

export interface DiskFiles {
  readonly files: ReadonlyMap<string, ChainFile>
  /** By target, `vda`: key of the file that the disk is to have. */
  readonly tops: ReadonlyMap<string, string>
  /** Files that libvirt must not take for its own, as those of the image store. */
  readonly isShared: (file: string) => boolean
}

/** The definition with these files, where they are not there already. */
export function placeDisks(domainXml: string, { files, tops, isShared }: DiskFiles): string {
  const document = parseXml(domainXml)
  const placed: { readonly names: readonly (string | undefined)[]; readonly file: string }[] = []
  for (const disk of findElements(document.root, 'devices/disk')) {
    const target = findElement(disk, 'target')
    const top = tops.get((target && getAttribute(target, 'dev')) ?? '')
    const file = top === undefined ? undefined : files.get(top)
    const source = findElement(disk, 'source')
    if (file === undefined || source === undefined) continue
    const former = getAttribute(source, 'file')
    setAttribute(source, 'file', file.file)
    removeAttribute(source, 'index')
    const driver = findElement(disk, 'driver')
    if (driver !== undefined) setAttribute(driver, 'type', file.format)
    const below = formatBelow(files, file.backing, isShared)
    const chain = findElement(disk, 'backingStore')
    if (chain === undefined || describeChain(chain) !== describeChain(parseXml(below).root)) {
      if (chain !== undefined) removeElement(disk, chain)
      insertElement(disk, below, { after: source, within: document })
    }
    placed.push({ names: [former, ...namesBelow(files, top)], file: file.file })
  }
  // What our metadata says of the machine's own overlay: where virsh has moved it, that is the first disk.
  const [facts] = findInNamespace(document.root, VMPKG_NAMESPACE, 'domain')
  const said = facts && getAttribute(facts, 'overlay')
  const own = said === undefined ? undefined : (placed.find(({ names }) => names.includes(said)) ?? placed[0])
  if (facts !== undefined && own !== undefined) setAttribute(facts, 'overlay', own.file)
  return formatXml(document)
}

function namesBelow(files: ReadonlyMap<string, ChainFile>, top: string | undefined): readonly string[] {
  const layer = top === undefined ? undefined : files.get(top)
  return layer === undefined ? [] : [layer.file, ...namesBelow(files, layer.backing)]
}

function formatBelow(
  files: ReadonlyMap<string, ChainFile>,
  key: string | undefined,
  isShared: (file: string) => boolean,
): string {
  const layer = key === undefined ? undefined : files.get(key)
  if (layer === undefined) return '<backingStore/>'
  const element = parseXml("<backingStore type='file'><format/><source/></backingStore>").root
  const [format, source] = childElements(element)
  if (format !== undefined) setAttribute(format, 'type', layer.format)
  if (source !== undefined) {
    setAttribute(source, 'file', layer.file)
    if (isShared(layer.file)) insertElement(source, "<seclabel model='dac' relabel='no'/>")
  }
  insertElement(element, formatBelow(files, layer.backing, isShared))
  return formatXml(element)
}

/** The same for chains that say the same. */
function describeChain(chain: XmlElement): string {
  const source = findElement(chain, 'source')
  const format = findElement(chain, 'format')
  const next = findElement(chain, 'backingStore')
  if (source === undefined) return childElements(chain).length === 0 ? 'end' : 'unknown'
  const label = findElement(source, 'seclabel') === undefined ? '' : ' unlabelled'
  const here = `${getAttribute(source, 'file')} ${format && getAttribute(format, 'type')}${label}`
  return `${here} > ${next === undefined ? 'unsaid' : describeChain(next)}`
}

/** The same with another file for the variables of its firmware. */
export function placeNvram(domainXml: string, file: string): string {
  const document = parseXml(domainXml)
  const nvram = findElement(document.root, 'os/nvram')
  if (nvram !== undefined) setText(nvram, file)
  return formatXml(document)
}

/** Where a machine that starts by UEFI has its variables. */
export function readNvram(domainXml: string): string | undefined {
  const nvram = findElement(parseXml(domainXml).root, 'os/nvram')
  const file = nvram === undefined ? '' : getText(nvram).trim()
  return file === '' ? undefined : file
}
