/**
 * The one way from template text to file text: parse and check, evaluate over plain data, write values by the file's
 * format. Partials are ours (`templates/partials/`), handed in as text by name. Pure; see template.ts for the language.
 */
import { evaluate } from './evaluate.ts'
import { joinSegments } from './format.ts'
import { parseTemplate } from './template.ts'

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
export function renderTemplate({ fileName, template, partials = {}, data }: RenderInput): string {
  const parsed = new Map(Object.entries(partials).map(([name, source]) => [name, parseTemplate(name, source)] as const))
  return joinSegments(fileName, evaluate(parseTemplate(fileName, template), parsed, data))
}
