/**
 * Reads `vmpkg.yaml` (formats 3.4): strict YAML 1.2 without anchors, aliases, tags or doubled keys, then a schema that
 * refuses every unknown field and reports all problems at once, each with its path. The same schema is exported as JSON
 * Schema for editors. Manifests come from publishers and from hostile archives.
 */
import { isAlias, parseDocument, visit } from 'yaml'
import { z } from 'zod'
import { VmpkgError } from '../errors.ts'
import { grantName, PCI_CLASSES } from './capability.ts'
import { fromWritten, writtenCapabilities } from './capability-schema.ts'
import { CHOICE_TYPES, type ChoiceType, describeChoice, isChoice, MAX_CHOICES } from './choice.ts'
import { arch, layer, packageKind } from './line-schema.ts'
import type { Manifest, Parameter } from './manifest.ts'
import { isoDate, oneLine, packageName, parseShape, relations, version } from './shape.ts'
import { parseSize } from './size.ts'

/** They follow the machine’s own disk. */
const MAX_DATA_DISKS = 8
const MAX_MANIFEST_BYTES = 256 * 1024
const YAML_OPTIONS = { uniqueKeys: true, strict: true, merge: false, version: '1.2', logLevel: 'silent' } as const

/** A path below the package folder: plain names, no `.` or `..`, not absolute. */
const path = z
  .string()
  .max(150)
  .regex(
    /^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[A-Za-z0-9._@+=,~-]+(?:\/[A-Za-z0-9._@+=,~-]+)*\/?$/,
    'not a path below the package',
  )
const template = path.regex(/\.hbs$/, 'not the path of an .hbs template')
const text = z.string().max(20_000)
const size = z.string().refine(isSize, 'not a size such as 192MiB')
const base = {
  description: oneLine.exactOptional(),
  optional: z.boolean().exactOptional(),
  secret: z.boolean().exactOptional(),
}
const uplink = z
  .string()
  .regex(
    /^(?:auto|network:[A-Za-z0-9._-]{1,64}|bridge:[A-Za-z0-9._-]{1,15}|pci:[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])$/,
    'not auto, network:NAME, bridge:NAME or pci:DDDD:BB:DD.F',
  )

/** Types that take an access, a format or a class are their own members; these are the rest. */
const PLAIN_CHOICES = CHOICE_TYPES.filter(
  (type): type is Exclude<ChoiceType, 'pci' | 'folder' | 'disk' | 'block' | 'network-disk'> =>
    !['pci', 'folder', 'disk', 'block', 'network-disk'].includes(type),
)
const choice = {
  default: z.union([z.string(), z.array(z.string()).max(MAX_CHOICES)]).exactOptional(),
  list: z.boolean().exactOptional(),
  ...base,
}
const access = z.enum(['read', 'write']).exactOptional()
const [pci, folder, disk, remote, plain] = [
  z.strictObject({ type: z.literal('pci'), class: z.enum(PCI_CLASSES), ...choice }),
  z.strictObject({ type: z.literal('folder'), access, ...choice }),
  z.strictObject({ type: z.literal('disk'), format: z.enum(['raw', 'qcow2']).exactOptional(), access, ...choice }),
  z.strictObject({ type: z.literal(['block', 'network-disk']), access, ...choice }),
  z.strictObject({ type: z.literal(PLAIN_CHOICES), ...choice }),
] as const

const parameter: z.ZodType<Parameter> = z.discriminatedUnion(
  'type',
  [
    z
      .strictObject({
        type: z.literal('size'),
        default: size.exactOptional(),
        minimum: size.exactOptional(),
        maximum: size.exactOptional(),
        ...base,
      })
      .superRefine((one, context) => checkRange(mapped(one, parseSize), context)),
    z
      .strictObject({
        type: z.literal('integer'),
        default: z.int().exactOptional(),
        minimum: z.int().exactOptional(),
        maximum: z.int().exactOptional(),
        ...base,
      })
      .superRefine(checkRange),
    z.strictObject({ type: z.literal('boolean'), default: z.boolean().exactOptional(), ...base }),
    z
      .strictObject({
        type: z.literal('string'),
        default: z.string().exactOptional(),
        pattern: z.string().max(200).refine(isPattern, 'not a regular expression').exactOptional(),
        maxLength: z.int().min(1).max(65_536).exactOptional(),
        ...base,
      })
      .refine((one) => (one.default?.length ?? 0) <= (one.maxLength ?? Number.POSITIVE_INFINITY), {
        path: ['default'],
        message: 'longer than maxLength',
      }),
    z
      .strictObject({
        type: z.literal('choice'),
        values: z.array(oneLine).min(1).max(100),
        default: z.string().exactOptional(),
        ...base,
      })
      .refine((one) => one.default === undefined || one.values.includes(one.default), {
        path: ['default'],
        message: 'not among the values',
      }),
    z.strictObject({ type: z.literal('uplink'), default: uplink.exactOptional(), ...base }),
    z.strictObject({ type: z.literal('file'), format: z.string().regex(/^[a-z0-9-]{1,32}$/), ...base }),
    pci.superRefine(checkChoiceDefault),
    folder.superRefine(checkChoiceDefault),
    disk.superRefine(checkChoiceDefault),
    remote.superRefine(checkChoiceDefault),
    plain.superRefine(checkChoiceDefault),
  ],
  {
    error: () =>
      `not a type of parameter; allowed are size, integer, boolean, string, choice, uplink, file, ${CHOICE_TYPES.join(', ')}`,
  },
)

const parameterName = z
  .string()
  .regex(/^[a-z][A-Za-z0-9]{0,39}$/, 'not a parameter name: a lower-case letter, then letters and digits')
  .refine((name) => !(name in Object.prototype), 'a name that JavaScript reserves')

const dataName = z
  .string()
  .regex(/^[a-z][a-z0-9]{0,13}$/, 'not the name of a data disk: a lower-case letter, then up to 13 of a-z, 0-9')

const dataDisk = z.strictObject({
  size: z
    .string()
    .refine(
      (written) => isSize(written) && isDataSize(parseSize(written)),
      'not a size from 16MiB to 16TiB, as in 8GiB',
    ),
  label: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,16}$/, 'not a label of 1 to 16 letters, digits and "_.-"')
    .exactOptional(),
  mount: z.string().regex(/^(?:\/[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}){1,8}$/, 'not a folder of the guest, as in /home'),
})

const profileValue = z.union([z.string(), z.number(), z.boolean(), z.array(z.string()).max(MAX_CHOICES)])

const document = z
  .strictObject({
    vmpkg: z.literal(1),
    name: packageName,
    version,
    arch,
    kind: packageKind,
    summary: oneLine,
    description: text.default(''),
    license: oneLine,
    os: z
      .strictObject({
        id: z.string().regex(/^[a-z0-9.-]{1,64}$/),
        family: z.enum(['linux', 'windows', 'bsd', 'other']),
      })
      .exactOptional(),
    depends: relations.default([]),
    recommends: relations.default([]),
    provides: relations.default([]),
    conflicts: relations.default([]),
    replaces: relations.default([]),
    layer: layer.exactOptional(),
    images: z.strictObject({ recipe: path }).exactOptional(),
    capabilities: writtenCapabilities.default([]),
    parameters: z.record(parameterName, parameter).default({}),
    profiles: z
      .record(
        z
          .string()
          .regex(/^[a-z][a-z0-9-]{0,39}$/, 'not the name of a profile: a lower-case letter, then a-z, 0-9, "-"'),
        z.record(parameterName, profileValue),
      )
      .exactOptional(),
    templates: z.strictObject({
      domain: template,
      network: template.exactOptional(),
      uplink: template.exactOptional(),
    }),
    guest: z.strictObject({ files: path }).exactOptional(),
    data: z.record(dataName, dataDisk).exactOptional(),
    ready: z
      .strictObject({
        agent: z.enum(['rules-loaded', 'up']),
        timeoutSeconds: z.int().min(1).max(3600).default(120),
      })
      .exactOptional(),
    notes: text.exactOptional(),
    supportEndsAt: isoDate.exactOptional(),
  })
  .superRefine((one, context) => {
    if ((one.kind === 'router') !== (one.layer !== undefined)) {
      context.addIssue({ code: 'custom', path: ['layer'], message: 'routers have a layer, and only routers' })
    }
    for (const [profile, values] of Object.entries(one.profiles ?? {})) {
      for (const name of Object.keys(values).filter((key) => !Object.hasOwn(one.parameters, key))) {
        context.addIssue({
          code: 'custom',
          path: ['profiles', profile, name],
          message: 'not a parameter of this package',
        })
      }
    }
    const data = Object.entries(one.data ?? {})
    if (data.length > 0 && one.kind === 'router') {
      context.addIssue({ code: 'custom', path: ['data'], message: 'routers keep nothing' })
    }
    if (data.length > MAX_DATA_DISKS) {
      context.addIssue({ code: 'custom', path: ['data'], message: `more than ${MAX_DATA_DISKS} data disks` })
    }
    for (const [field, values] of [
      ['mount', data.map(([, { mount }]) => mount)],
      ['label', data.map(([name, { label }]) => label ?? name)],
    ] as const) {
      if (new Set(values).size === values.length) continue
      context.addIssue({ code: 'custom', path: ['data'], message: `two data disks have one ${field}` })
    }
    const names = fromWritten(one.capabilities).map(grantName)
    if (new Set(names).size !== names.length) {
      context.addIssue({ code: 'custom', path: ['capabilities'], message: 'a capability appears twice' })
    }
  })

/** @throws {VmpkgError} `MANIFEST_INVALID` with every problem in `details.problems` */
export function parseManifest(yamlText: string): Manifest {
  const subject = 'The manifest vmpkg.yaml'
  const hint = 'Correct the fields named; docs/format.md describes each.'
  const checked = parseShape(document, readYaml(yamlText), { code: 'MANIFEST_INVALID', subject, hint })
  return { ...checked, capabilities: fromWritten(checked.capabilities) }
}

/** JSON Schema (2020-12) of the manifest, for editors. */
export function manifestJsonSchema(): Readonly<Record<string, unknown>> {
  return { ...z.toJSONSchema(document, { io: 'input', unrepresentable: 'any' }), title: 'vmpkg.yaml, format 1' }
}

/** Plain data out of YAML that can be read in one way only. */
function readYaml(yamlText: string): unknown {
  if (yamlText.length > MAX_MANIFEST_BYTES) throw invalid([`is larger than ${MAX_MANIFEST_BYTES} bytes`])
  try {
    const yaml = parseDocument(yamlText, YAML_OPTIONS)
    const problems = [...yaml.errors, ...yaml.warnings].map(({ message }) => message.split('\n')[0] ?? '')
    visit(yaml, {
      Node(_, node) {
        const hasAnchor = 'anchor' in node && node.anchor !== undefined
        if (isAlias(node) || hasAnchor) problems.push('anchors and aliases are not allowed')
        else if (node.tag !== undefined) problems.push('tags are not allowed')
      },
    })
    if (problems.length > 0) throw invalid(problems)
    return yaml.toJS({ maxAliasCount: 0 })
  } catch (error) {
    if (error instanceof RangeError) throw invalid(['is nested too deep'], error) // the parser's stack
    throw error
  }
}

function invalid(problems: readonly string[], cause?: unknown): VmpkgError {
  const shown = problems.slice(0, 5).join('; ').slice(0, 500)
  return new VmpkgError('MANIFEST_INVALID', `The manifest vmpkg.yaml is refused: ${shown}`, {
    hint: 'It must be plain YAML: no anchors, no tags, each key once.',
    cause,
    details: { problems: problems.slice(0, 50).map((problem) => ({ path: '(document)', problem })) },
  })
}

interface Range<T> {
  readonly default?: T | undefined
  readonly minimum?: T | undefined
  readonly maximum?: T | undefined
}

function mapped(range: Range<string>, parse: (text: string) => number): Range<number> {
  const value = (written: string | undefined) => (written !== undefined && isSize(written) ? parse(written) : undefined)
  return { default: value(range.default), minimum: value(range.minimum), maximum: value(range.maximum) }
}

function checkRange(
  range: Range<number>,
  context: { addIssue(issue: { code: 'custom'; path: string[]; message: string }): void },
) {
  const { default: value, minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = range
  if (minimum > maximum) context.addIssue({ code: 'custom', path: ['minimum'], message: 'above maximum' })
  if (value !== undefined && (value < minimum || value > maximum)) {
    context.addIssue({ code: 'custom', path: ['default'], message: 'not between minimum and maximum' })
  }
}

function checkChoiceDefault(
  one: { readonly type: ChoiceType; readonly default?: string | readonly string[]; readonly list?: boolean },
  context: { addIssue(issue: { code: 'custom'; path: string[]; message: string }): void },
): void {
  const { type, default: value, list } = one
  if (value === undefined) return
  const texts = typeof value === 'string' ? [value] : value
  if (typeof value !== 'string' && list !== true) {
    context.addIssue({ code: 'custom', path: ['default'], message: 'several values need list: true' })
  } else if (!texts.every((written) => isChoice(type, written))) {
    context.addIssue({ code: 'custom', path: ['default'], message: `not ${describeChoice(type)}` })
  }
}

function isDataSize(bytes: number): boolean {
  return bytes >= 16 * 2 ** 20 && bytes <= 16 * 2 ** 40
}

function isSize(written: string): boolean {
  try {
    return parseSize(written) >= 0
  } catch (error) {
    if (error instanceof VmpkgError) return false
    throw error
  }
}

function isPattern(source: string): boolean {
  try {
    return new RegExp(source, 'u') instanceof RegExp
  } catch {
    return false
  }
}
