/**
 * The one way from template text to file text: parse and check, evaluate over plain data, write values by the file's
 * format. Partials are ours (`templates/partials/`), handed in as text by name. Pure; see template.ts for the language.
 */
import { evaluate, type Segment } from './evaluate.ts'
import { joinSegments } from './format.ts'
import { parseTemplate, type Template } from './template.ts'

/** Text of partials by name (file name without `.hbs`). */
export type Partials = Readonly<Record<string, string>>

export interface RenderInput {
  /** Decides the escaping: `domain.xml.hbs`, `nftables.nft.hbs`. */
  readonly fileName: string
  readonly template: string
  readonly partials?: Partials
  /** Plain data; keys that a template may ask for but that have no value are present and undefined. */
  readonly data: unknown
}

/**
 * Renders one template.
 * @throws {VmpkgError} `TEMPLATE_INVALID` the template's fault, `RENDER_REFUSED` a value's fault
 */
export function renderTemplate(input: RenderInput): string {
  return joinSegments(input.fileName, evaluateTemplate(input))
}

/** The pieces that `renderTemplate` joins, each with its place. @throws {VmpkgError} as `renderTemplate` */
export function evaluateTemplate({ fileName, template, partials = {}, data }: RenderInput): readonly Segment[] {
  return evaluate(parseTemplate(fileName, template), (name) => findPartial(partials, name), data)
}

/** Parsed when first asked for: a template uses a few of many. */
const parsed = new WeakMap<Partials, Map<string, Template>>()

function findPartial(partials: Partials, name: string): Template | undefined {
  const source = Object.hasOwn(partials, name) ? partials[name] : undefined
  if (source === undefined) return undefined
  const known = parsed.get(partials) ?? new Map<string, Template>()
  parsed.set(partials, known)
  const partial = known.get(name) ?? parseTemplate(name, source)
  known.set(name, partial)
  return partial
}
