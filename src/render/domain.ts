/** Renders a package's domain template to well-formed libvirt XML. What the XML may hold is judged by `policy.ts`. */

import { VmpkgError } from '../errors.ts'
import type { DomainTemplateContext } from '../model/template-context.ts'
import { findElement, findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import type { XmlElement } from '../xml/tree.ts'
import { evaluateTemplate, type Partials, type RenderInput, renderTemplate } from './environment.ts'
import type { SourcePlace } from './evaluate.ts'
import { domainScope } from './scope.ts'
import { traceLines } from './trace.ts'

export interface RenderDomainInput {
  readonly template: string
  readonly partials: Partials
  readonly context: DomainTemplateContext
  /** Names of all parameters that the manifest declares; those without a value are absent, not unknown. */
  readonly parameterNames?: readonly string[]
}

/**
 * @throws {VmpkgError} `TEMPLATE_INVALID`, `RENDER_REFUSED`, `XML_INVALID`, `HOST_UNSUPPORTED` a feature of a newer release
 */
export function renderDomain(input: RenderDomainInput): string {
  const xml = renderTemplate(prepare(input))
  requireSharedMemory(parseXml(xml).root)
  return xml
}

/** Where each line of `renderDomain` was written. @throws {VmpkgError} as `renderDomain` */
export function traceDomain(input: RenderDomainInput): readonly (SourcePlace | undefined)[] {
  return traceLines(evaluateTemplate(prepare(input)))
}

function prepare({ template, partials, context, parameterNames = [] }: RenderDomainInput): RenderInput {
  return { fileName: 'domain.xml.hbs', template, partials, data: domainScope(context, parameterNames) }
}

/** libvirt refuses virtiofs at the start only. Source: libvirt's kbase/virtiofs. @throws {VmpkgError} `RENDER_REFUSED` */
function requireSharedMemory(root: XmlElement): void {
  const drivers = findElements(root, 'devices/filesystem/driver')
  if (!drivers.some((driver) => getAttribute(driver, 'type') === 'virtiofs')) return
  const access = findElement(root, 'memoryBacking/access')
  const cells = findElements(root, 'cpu/numa/cell')
  const isShared =
    (access !== undefined && getAttribute(access, 'mode') === 'shared') ||
    (cells.length > 0 && cells.every((cell) => getAttribute(cell, 'memAccess') === 'shared'))
  if (isShared) return
  throw new VmpkgError('RENDER_REFUSED', 'The domain shares a folder by virtiofs, and its memory is not shared', {
    hint: 'Add {{> memory-backing shared=true}} to the template, or share the folder by 9p.',
  })
}
