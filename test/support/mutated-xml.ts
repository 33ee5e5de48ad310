/** Documents changed by one random step, as mistakes and attacks change them: for oracles that judge good and bad ones. */
import { childElements } from '../../src/xml/find.ts'
import { parseXml } from '../../src/xml/parse.ts'
import { formatXml, type XmlElement } from '../../src/xml/tree.ts'
import type { Random } from './random.ts'

const VALUES = ['', 'x', '0', '-1', 'yes', 'on', '99999999999', ' ', '/a', '0x1']

/** Still well-formed. */
export function mutateXml(text: string, random: Random): string {
  const document = parseXml(text)
  const all: { readonly element: XmlElement; readonly parent: XmlElement | undefined }[] = []
  const visit = (element: XmlElement, parent: XmlElement | undefined): void => {
    all.push({ element, parent })
    for (const child of childElements(element)) visit(child, element)
  }
  visit(document.root, undefined)
  const { element, parent } = random.pick(all)
  const attribute = element.attributes.length === 0 ? undefined : random.pick(element.attributes)
  const siblings = parent?.children
  const step = random.below(8)
  if (step === 0 && attribute !== undefined) element.attributes.splice(element.attributes.indexOf(attribute), 1)
  else if (step === 1 && attribute !== undefined) attribute.raw = random.pick(VALUES)
  else if (step === 2 && attribute !== undefined) {
    const other = random.pick(all).element.attributes[0]?.name ?? 'type'
    if (!element.attributes.some(({ name }) => name === other)) attribute.name = other
  } else if (step === 3 && siblings !== undefined) siblings.splice(siblings.indexOf(element), 1)
  else if (step === 4 && siblings !== undefined) siblings.splice(siblings.indexOf(element), 0, element)
  else if (step === 5) element.children.push(structuredClone(random.pick(all).element))
  else if (step === 6) element.children = element.children.toReversed()
  else element.children.push({ type: 'text', raw: random.pick(VALUES) })
  return formatXml(document)
}
