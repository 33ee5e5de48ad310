/**
 * Checks and merges parameter values: the manifest's defaults, then package, profile, host and command line, later ones
 * winning; every value is checked and remembers its origin. Values are written by users and by publishers, as text
 * (`--set memory=192MiB`) or as YAML; definitions come from packages and may be hostile.
 */
import { VmpkgError } from '../errors.ts'
import { choicePattern, describeChoice, isChoice, isChoiceParameter, MAX_CHOICES } from '../model/choice.ts'
import type { ChoiceParameter, Origin, Parameter, ParameterValue, ParameterValues } from '../model/manifest.ts'
import { formatSize, parseSize } from '../model/size.ts'
import { isStoredFile } from '../model/stored-file.ts'
import { compilePattern } from './pattern.ts'

export type ParameterDefinitions = Readonly<Record<string, Parameter>>

/** Values of one origin, as written. */
export interface ParameterLayer {
  readonly origin: Exclude<Origin, 'default'>
  readonly values: Readonly<Record<string, unknown>>
}

const ORDER: readonly Origin[] = ['default', 'package', 'profile', 'host', 'command line']
const MAXIMUM_STRING = 256
const MAXIMUM_PATH = 4096
const UPLINK =
  /^(?:auto|router:[a-z0-9][a-z0-9+.-]{0,62}|network:[A-Za-z0-9._-]{1,64}|bridge:[A-Za-z0-9._-]{1,15}|pci:[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7])$/

/**
 * The checked value of every parameter that has one. Sizes are bytes.
 * @param isPartial what has no value yet may go without: of a package whose machines are given theirs one by one
 * @throws {VmpkgError} `PARAMETER_INVALID` naming parameter, value, origin and what is allowed; `MANIFEST_INVALID` a pattern
 */
export function mergeParameters(
  definitions: ParameterDefinitions,
  layers: readonly ParameterLayer[] = [],
  { isPartial = false }: { readonly isPartial?: boolean } = {},
): ParameterValues {
  const merged = new Map<string, { value: ParameterValue; origin: Origin }>()
  for (const [name, definition] of Object.entries(definitions)) {
    if ('default' in definition && definition.default !== undefined) {
      merged.set(name, { value: checkParameter(name, definition, definition.default, 'default'), origin: 'default' })
    }
  }
  for (const { origin, values } of layers.toSorted((a, b) => ORDER.indexOf(a.origin) - ORDER.indexOf(b.origin))) {
    for (const [name, written] of Object.entries(values)) {
      const definition = Object.hasOwn(definitions, name) ? definitions[name] : undefined
      if (definition === undefined) {
        throw new VmpkgError('PARAMETER_INVALID', `Unknown parameter ${show(name)} (from ${origin})`, {
          hint: `This package has: ${Object.keys(definitions).join(', ') || 'no parameters'}.`,
          details: { parameter: name, origin, known: Object.keys(definitions) },
        })
      }
      merged.set(name, { value: checkParameter(name, definition, written, origin), origin })
    }
  }
  for (const [name, definition] of Object.entries(definitions)) {
    if (isPartial || definition.optional === true || merged.has(name)) continue
    throw new VmpkgError('PARAMETER_INVALID', `Parameter ${show(name)} has no value`, {
      hint: `Set it: --set ${name}=VALUE (${describeAllowed(definition)}).`,
      details: { parameter: name, allowed: describeAllowed(definition) },
    })
  }
  return Object.fromEntries(merged)
}

/** What a parameter accepts, in words: for hints, `show` and the plan. */
function describeAllowed(definition: Parameter): string {
  if (isChoiceParameter(definition)) {
    const { type, list } = definition
    return list === true ? `${describeChoice(type)}; several with commas or more than one --set` : describeChoice(type)
  }
  switch (definition.type) {
    case 'size':
      return `a size such as 192MiB${range(definition.minimum, definition.maximum)}`
    case 'integer':
      return `a whole number${range(definition.minimum, definition.maximum)}`
    case 'boolean':
      return 'true or false'
    case 'choice':
      return `one of ${definition.values.join(', ')}`
    case 'uplink':
      return 'auto, router:NAME, network:NAME, bridge:NAME or pci:DDDD:BB:DD.F'
    case 'file':
      return `the path of a file in format ${definition.format}`
    case 'string': {
      const length = `text of at most ${definition.maxLength ?? MAXIMUM_STRING} characters on one line`
      return definition.pattern === undefined ? length : `${length}, matching ${definition.pattern}`
    }
  }
}

function checkParameter(name: string, definition: Parameter, written: unknown, origin: Origin): ParameterValue {
  const value = readValue(definition, written)
  if (value !== undefined) return value
  const shown = definition.secret === true ? 'the value' : show(written)
  const allowed = describeAllowed(definition)
  throw new VmpkgError('PARAMETER_INVALID', `Parameter ${show(name)}: ${shown} (from ${origin}) is not allowed`, {
    hint: `Give ${allowed}.`,
    details: { parameter: name, origin, allowed, ...(definition.secret === true ? {} : { value: shown }) },
  })
}

/** The value as its type carries it; undefined where it is not allowed. */
function readValue(definition: Parameter, written: unknown): ParameterValue | undefined {
  if (isChoiceParameter(definition)) return readChoices(definition, written)
  switch (definition.type) {
    case 'size':
      return readSize(definition, written)
    case 'integer': {
      const isWritten = typeof written === 'string' && /^-?(?:0|[1-9][0-9]{0,14})$/.test(written)
      const value = isWritten ? Number(written) : written
      return isSafeInteger(value) && isWithin(value, definition.minimum, definition.maximum) ? value : undefined
    }
    case 'boolean':
      if (typeof written === 'boolean') return written
      return written === 'true' || (written === 'false' ? false : undefined)
    case 'choice':
      return definition.values.find((value) => value === written)
    case 'uplink':
      return typeof written === 'string' && UPLINK.test(written) ? written : undefined
    case 'file':
      if (typeof written === 'string' && isStoredFile(written)) return written
      return isOneLine(written) && written !== '' && written.length <= MAXIMUM_PATH ? written : undefined
    case 'string': {
      if (!isOneLine(written) || written.length > (definition.maxLength ?? MAXIMUM_STRING)) return undefined
      return definition.pattern === undefined || compilePattern(definition.pattern)(written) ? written : undefined
    }
  }
}

/** One text, or several joined by commas; an empty list is empty text. */
function readChoices({ type, list }: ChoiceParameter, written: unknown): string | undefined {
  if (list !== true) return typeof written === 'string' && isChoice(type, written) ? written : undefined
  const texts: readonly unknown[] =
    typeof written === 'string' ? written.split(',') : Array.isArray(written) ? written : [0]
  const split = texts.flatMap((text): unknown[] => (typeof text === 'string' ? text.split(',') : [text]))
  const isEmpty = written === '' || split.length === 0
  if (isEmpty) return ''
  const fits = split.length <= MAX_CHOICES && split.every((text) => typeof text === 'string' && isChoice(type, text))
  return fits ? split.join(',') : undefined
}

function readSize(definition: Extract<Parameter, { type: 'size' }>, written: unknown): number | undefined {
  if (typeof written !== 'string') return undefined
  const { minimum, maximum } = definition
  try {
    const bytes = parseSize(written)
    const [least, most] = [minimum, maximum].map((bound) => (bound === undefined ? undefined : parseSize(bound)))
    return isWithin(bytes, least, most) ? bytes : undefined
  } catch (error) {
    if (error instanceof VmpkgError) return undefined
    throw error
  }
}

/** JSON Schema (2020-12) of the values as users write them, for editors and `show --json`. */
export function toJsonSchema(definitions: ParameterDefinitions): Readonly<Record<string, unknown>> {
  const required = Object.entries(definitions)
    .filter(([, one]) => one.optional !== true && !('default' in one && one.default !== undefined))
    .map(([name]) => name)
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    additionalProperties: false,
    required,
    properties: Object.fromEntries(Object.entries(definitions).map(([name, one]) => [name, toPropertySchema(one)])),
  }
}

function toPropertySchema(one: Parameter): Readonly<Record<string, unknown>> {
  const common = {
    description: one.description ?? describeAllowed(one),
    ...('default' in one && one.default !== undefined ? { default: one.default } : {}),
  }
  if (isChoiceParameter(one)) {
    const text = { type: 'string', pattern: choicePattern(one.type) }
    return one.list === true ? { ...common, type: 'array', maxItems: MAX_CHOICES, items: text } : { ...common, ...text }
  }
  switch (one.type) {
    case 'size':
      return { ...common, type: 'string', pattern: '^[0-9]{1,16} ?(B|KiB|MiB|GiB|TiB)$' }
    case 'integer': {
      const { minimum, maximum } = one
      const bounds = { ...(minimum === undefined ? {} : { minimum }), ...(maximum === undefined ? {} : { maximum }) }
      return { ...common, type: 'integer', ...bounds }
    }
    case 'boolean':
      return { ...common, type: 'boolean' }
    case 'choice':
      return { ...common, enum: one.values }
    case 'uplink':
      return { ...common, type: 'string', pattern: UPLINK.source }
    case 'file':
      return { ...common, type: 'string', maxLength: MAXIMUM_PATH }
    case 'string': {
      const pattern = one.pattern === undefined ? {} : { pattern: `^(?:${one.pattern})$` }
      return { ...common, type: 'string', maxLength: one.maxLength ?? MAXIMUM_STRING, ...pattern }
    }
  }
}

function isSafeInteger(value: unknown): value is number {
  return Number.isSafeInteger(value)
}

function isWithin(value: number, minimum: number | undefined, maximum: number | undefined): boolean {
  return value >= (minimum ?? value) && value <= (maximum ?? value)
}

function isOneLine(value: unknown): value is string {
  return typeof value === 'string' && value.isWellFormed() && !/[\p{Cc}\u2028\u2029\uFFFE\uFFFF]/u.test(value)
}

function range(minimum: string | number | undefined, maximum: string | number | undefined): string {
  if (minimum === undefined) return maximum === undefined ? '' : `, at most ${maximum}`
  return maximum === undefined ? `, at least ${minimum}` : `, ${minimum} to ${maximum}`
}

/** As a user would write it, short and without control characters; sizes in bytes in their own notation. */
export function formatParameter(definition: Parameter, value: ParameterValue): string {
  return definition.type === 'size' && typeof value === 'number' ? formatSize(value) : String(value)
}

function show(value: unknown): string {
  const text = JSON.stringify(value)
  return text === undefined ? 'nothing' : text.slice(0, 80)
}
