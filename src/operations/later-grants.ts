/**
 * What machines of an app package may have to be granted later: they are made by `clone`, which asks for what it needs.
 * Told at installation, over an imagined host, so that nobody is surprised then.
 */
import { isVmpkgError } from '../errors.ts'
import { type Capability, grantName, isOptional } from '../model/capability.ts'
import type { ParameterValues } from '../model/manifest.ts'
import { imagineChoices, imagineDomain, imagineNics, imagineParameters } from '../publish/imagined-host.ts'
import { choicesOf } from '../render/choices.ts'
import { renderDomain } from '../render/domain.ts'
import { findMissingDomainGrants } from '../render/domain-policy.ts'
import type { Partials } from '../render/environment.ts'
import { templateValues } from './file-parameters.ts'
import { rootVerity } from './images.ts'
import { type Choice, isGranted } from './package-choice.ts'

/** Sentences for a person; none for a package whose machines need no more than it has. */
export function describeLaterGrants(choice: Choice, partials: Partials): readonly string[] {
  const { pkg, grants } = choice
  const { name, kind } = pkg.manifest
  const open = pkg.manifest.capabilities.filter((one) => isOptional(one) && !isGranted(one, grants))
  if (kind === 'router' || open.length === 0) return []
  const needed = findNeeded(choice, choice.parameters, partials)
  const asked = open.filter((one) => needed.includes(one))
  const rest = open.filter((one) => !needed.includes(one))
  const words = asked.map((one) => `${grantName(one)}${reasonFor(one, choice, partials)}`)
  return [
    ...(words.length === 0 ? [] : [`vmpkg clone ${name} will ask for ${words.join(', ')}`]),
    ...(rest.length === 0
      ? []
      : [`Where you choose such values, ${name} can also use ${rest.map((one) => grantName(one)).join(', ')}`]),
  ]
}

/** ` (pin)`: the parameters without which it would not be needed. */
function reasonFor(capability: Capability, choice: Choice, partials: Partials): string {
  const names = Object.entries(choice.parameters).flatMap(([name, { value, origin }]) => {
    const { [name]: _, ...others } = choice.parameters
    const without = value === true ? { ...others, [name]: { value: false, origin } } : others
    return findNeeded(choice, without, partials).includes(capability) ? [] : [name]
  })
  return names.length === 0 ? '' : ` (${names.join(', ')})`
}

/** Optional capabilities that a machine with these values needs. Empty where an imagined host does not tell. */
function findNeeded(
  { pkg: { manifest, line, templates }, grants }: Choice,
  parameters: ParameterValues,
  partials: Partials,
): readonly Capability[] {
  const { capabilities } = manifest
  const chosen = templateValues(manifest.parameters, parameters)
  const imagined = imagineParameters(manifest, false)
  const params = { ...imagined, ...chosen }
  const context = imagineDomain(
    manifest,
    { roles: line.images.map(({ role }) => role), hasVerity: rootVerity(line) !== undefined },
    imagineNics(capabilities, false, 'network'),
    params,
  )
  const held = capabilities.filter((one) => !isOptional(one) || isGranted(one, grants))
  const users = choicesOf({ parameters, definitions: manifest.parameters, context })
  const ours = imagineChoices(manifest, imagined, context)
  try {
    const template = templates.get(manifest.templates.domain) ?? ''
    const xml = renderDomain({ template, partials, context, parameterNames: Object.keys(manifest.parameters) })
    return findMissingDomainGrants({
      xml,
      context,
      capabilities,
      granted: held.map(grantName),
      choices: { texts: [...users.texts, ...ours.texts], devices: { ...ours.devices, ...users.devices } },
    })
  } catch (error) {
    // It needs a value that nobody has given yet, or clone will say what is wrong with it.
    if (!isVmpkgError(error)) throw error
    return []
  }
}
