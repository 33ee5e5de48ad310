/** Sets of names: which elements or attributes a pattern is about. Source: RELAX NG specification, section 6.1. */

export interface XmlName {
  /** Namespace; empty for none. */
  readonly uri: string
  readonly local: string
}

export type NameClass =
  | ({ readonly kind: 'name' } & XmlName)
  | { readonly kind: 'any'; readonly except: NameClass | undefined }
  | { readonly kind: 'namespace'; readonly uri: string; readonly except: NameClass | undefined }
  | { readonly kind: 'choice'; readonly of: readonly NameClass[] }

export function containsName(set: NameClass, name: XmlName): boolean {
  if (set.kind === 'name') return set.local === name.local && set.uri === name.uri
  if (set.kind === 'choice') return set.of.some((part) => containsName(part, name))
  if (set.kind === 'namespace' && set.uri !== name.uri) return false
  return set.except === undefined || !containsName(set.except, name)
}

/** The single names in the set, as one writes them; `any name` for an open set. */
export function listNames(set: NameClass): readonly string[] {
  if (set.kind === 'name') return [formatName(set)]
  if (set.kind === 'choice') return set.of.flatMap(listNames)
  return ['any name']
}

/** `disk`, or `{http://libvirt.org/schemas/domain/qemu/1.0}commandline`. */
export function formatName({ uri, local }: XmlName): string {
  return uri === '' ? local : `{${uri}}${local}`
}
