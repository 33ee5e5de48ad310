/** Renders one file for a guest's read-only configuration medium; its name decides how values are written (`format.ts`). */
import type { GuestTemplateContext } from '../model/template-context.ts'
import { renderTemplate } from './environment.ts'
import { guestScope } from './scope.ts'

/**
 * `fileName` is the path below the package's guest folder (`nftables.nft.hbs`). Guest templates have no partials.
 * @throws {VmpkgError} `TEMPLATE_INVALID`, `RENDER_REFUSED`
 */
export function renderGuestFile(
  fileName: string,
  template: string,
  context: GuestTemplateContext,
  parameterNames: readonly string[] = [],
): string {
  return renderTemplate({ fileName, template, data: guestScope(context, parameterNames) })
}
