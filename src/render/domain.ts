/** Renders a package's domain template to well-formed libvirt XML. What the XML may hold is judged by `policy.ts`. */
import type { DomainTemplateContext } from '../model/template-context.ts'
import { parseXml } from '../xml/parse.ts'
import { type Partials, renderTemplate } from './environment.ts'
import { domainScope } from './scope.ts'

export interface RenderDomainInput {
  readonly template: string
  readonly partials: Partials
  readonly context: DomainTemplateContext
  /** Names of all parameters that the manifest declares; those without a value are absent, not unknown. */
  readonly parameterNames?: readonly string[]
}

/** @throws {VmpkgError} `TEMPLATE_INVALID`, `RENDER_REFUSED`, `XML_INVALID` */
export function renderDomain({ template, partials, context, parameterNames = [] }: RenderDomainInput): string {
  const data = domainScope(context, parameterNames)
  const xml = renderTemplate({ fileName: 'domain.xml.hbs', template, partials, data })
  parseXml(xml)
  return xml
}
