/** Renders a package's network template (LAN or uplink) to well-formed libvirt XML, judged afterwards by `policy.ts`. */
import type { NetworkTemplateContext } from '../model/template-context.ts'
import { parseXml } from '../xml/parse.ts'
import { evaluateTemplate, type Partials, type RenderInput, renderTemplate } from './environment.ts'
import type { SourcePlace } from './evaluate.ts'
import { networkScope } from './scope.ts'
import { traceLines } from './trace.ts'

export interface RenderNetworkInput {
  readonly template: string
  readonly partials: Partials
  readonly context: NetworkTemplateContext
  /** Names of all parameters that the manifest declares. */
  readonly parameterNames?: readonly string[]
}

/** @throws {VmpkgError} `TEMPLATE_INVALID`, `RENDER_REFUSED`, `XML_INVALID` */
export function renderNetwork(input: RenderNetworkInput): string {
  const xml = renderTemplate(prepare(input))
  parseXml(xml)
  return xml
}

/** Where each line of `renderNetwork` was written. @throws {VmpkgError} as `renderNetwork` */
export function traceNetwork(input: RenderNetworkInput): readonly (SourcePlace | undefined)[] {
  return traceLines(evaluateTemplate(prepare(input)))
}

function prepare({ template, partials, context, parameterNames }: RenderNetworkInput): RenderInput {
  return { fileName: 'network.xml.hbs', template, partials, data: networkScope(context, parameterNames) }
}
