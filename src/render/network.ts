/** Renders a package's network template (LAN or uplink) to well-formed libvirt XML, judged afterwards by `policy.ts`. */
import type { NetworkTemplateContext } from '../model/template-context.ts'
import { parseXml } from '../xml/parse.ts'
import { type Partials, renderTemplate } from './environment.ts'
import { networkScope } from './scope.ts'

export interface RenderNetworkInput {
  readonly template: string
  readonly partials: Partials
  readonly context: NetworkTemplateContext
}

/** @throws {VmpkgError} `TEMPLATE_INVALID`, `RENDER_REFUSED`, `XML_INVALID` */
export function renderNetwork({ template, partials, context }: RenderNetworkInput): string {
  const xml = renderTemplate({ fileName: 'network.xml.hbs', template, partials, data: networkScope(context) })
  parseXml(xml)
  return xml
}
