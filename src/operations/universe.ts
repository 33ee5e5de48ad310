/** What the resolver chooses from on this host: the catalogue with the user's preferences applied, and what is installed. */
import type { Catalogue, CatalogueEntry } from '../catalogue/catalogue.ts'
import { MAY_GO_BACK } from '../catalogue/policy.ts'
import type { Universe } from '../resolve/universe.ts'
import type { InstalledPackage } from '../state/installed.ts'

/** What is withheld comes with the reason, for explanations. */
export function universeOf(
  catalogue: Catalogue,
  installed: readonly InstalledPackage[],
): Required<Universe<CatalogueEntry>> {
  const sources = new Map(installed.map(({ line, source }) => [line.name, source]))
  const judged = new Map<string, ReturnType<Catalogue['judge']>>()
  const judge = (name: string) => {
    const known = judged.get(name) ?? catalogue.judge(name, sources.get(name))
    judged.set(name, known)
    return known
  }
  return {
    available: (name) => judge(name).flatMap(({ offer, refusal }) => (refusal === undefined ? [offer.entry] : [])),
    withheld: (name) =>
      judge(name).flatMap(({ offer, refusal }) =>
        refusal === undefined
          ? []
          : [
              {
                candidate: offer.entry,
                because: refusal.because,
                ...(refusal.hint === undefined ? {} : { hint: refusal.hint }),
              },
            ],
      ),
    providers: (virtual) => catalogue.providers(virtual),
    replacers: (name) => catalogue.related('replaces', name),
    names: () => catalogue.names(),
  }
}

/** Installed packages that a pin above 1000 lets become older. */
export function mayGoBack(catalogue: Catalogue, installed: readonly InstalledPackage[]): readonly string[] {
  return installed
    .filter(({ line, source }) =>
      catalogue
        .judge(line.name, source)
        .some(({ refusal, priority }) => refusal === undefined && priority > MAY_GO_BACK),
    )
    .map(({ line }) => line.name)
}

/** Names that the user holds. */
export function heldNames(installed: readonly InstalledPackage[]): readonly string[] {
  return installed.flatMap((one) => (one.isHeld ? [one.line.name] : []))
}
