/**
 * The inline helpers of templates, each with the least and the most arguments it takes. They see their arguments and, for
 * tests of releases, what the host runs; they cannot reach anything else. Documented in docs/templates.md.
 */
import { VmpkgError } from '../errors.ts'
import { formatCpuSet } from '../model/cpu-set.ts'

/** What a call stands in: for messages, and the host's releases. */
interface CallPlace {
  readonly template: string
  readonly line: number
  /** Where the package's own template leads here; the same as the two above in that template itself. */
  readonly origin: string
  /** Releases by program; absent ones are not known and count as older than any. */
  readonly releases: Readonly<Record<string, string | undefined>>
  refuse(reason: string): never
}

interface Helper {
  readonly least: number
  readonly most: number
  compute(values: readonly unknown[], place: CallPlace): unknown
}

const helper = (least: number, most: number, compute: Helper['compute']): Helper => ({ least, most, compute })

const HELPERS = {
  eq: helper(2, 2, ([a, b]) => a === b),
  and: helper(2, 8, (values) => values.every((value) => isTruthy(value))),
  or: helper(2, 8, (values) => values.some((value) => isTruthy(value))),
  not: helper(1, 1, ([value]) => !isTruthy(value)),
  kib: helper(1, 1, ([bytes], place) => divide(bytes, 1024, place)),
  mib: helper(1, 1, ([bytes], place) => divide(bytes, 1024 ** 2, place)),
  default: helper(2, 4, (values) => values.find((value) => value !== undefined && value !== '')),
  given: helper(1, 1, ([value]) => value !== undefined),
  cpuset: helper(1, 1, ([list], place) => writeCpuset(list, place)),
  qemuValue: helper(1, 1, ([value]) => (typeof value === 'string' ? value.replaceAll(',', ',,') : value)),
  libvirt: helper(1, 1, ([version], place) => isAtLeast('libvirt', version, place)),
  qemu: helper(1, 1, ([version], place) => isAtLeast('qemu', version, place)),
  needs: helper(3, 3, (values, place) => requireRelease(values, place)),
} as const satisfies Readonly<Record<string, Helper>>

export type HelperName = keyof typeof HELPERS

export function isHelper(name: string): name is HelperName {
  return Object.hasOwn(HELPERS, name)
}

export function helperOf(name: HelperName): Helper {
  return HELPERS[name]
}

/** As Handlebars: empty text, empty list, 0, false and absent values are false. */
export function isTruthy(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value)
}

function divide(bytes: unknown, unit: number, place: CallPlace): number {
  if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes / unit)) {
    return place.refuse(`kib and mib need a whole multiple of ${unit} bytes`)
  }
  return bytes / unit
}

/** Numbers of CPUs or nodes as libvirt writes them: `0-3,8`. Source: libvirt's domain format, "CPU allocation". */
function writeCpuset(list: unknown, place: CallPlace): string {
  const numbers = Array.isArray(list) ? list : [list]
  if (numbers.length === 0 || !numbers.every((one) => Number.isSafeInteger(one) && one >= 0)) {
    return place.refuse('cpuset needs a list of whole numbers')
  }
  return formatCpuSet(numbers)
}

const PROGRAMS = { libvirt: 'libvirt', qemu: 'QEMU' } as const

function isAtLeast(program: keyof typeof PROGRAMS, version: unknown, place: CallPlace): boolean {
  if (typeof version !== 'string' || !/^\d{1,3}(?:\.\d{1,3}){1,2}$/.test(version)) {
    return place.refuse(`${program} needs a release such as "9.0"`)
  }
  const present = place.releases[program]
  return present !== undefined && compareReleases(present, version) >= 0
}

/** True, or the refusal of the whole template: `needs "libvirt" "11.0" "read-only virtiofs"`. */
function requireRelease([program, version, feature]: readonly unknown[], place: CallPlace): true {
  if ((program !== 'libvirt' && program !== 'qemu') || typeof version !== 'string' || typeof feature !== 'string') {
    return place.refuse('needs takes "libvirt" or "qemu", a release and the name of a feature')
  }
  if (isAtLeast(program, version, place)) return true
  const present = place.releases[program]
  const here = present === undefined ? 'this host does not tell its release' : `this host has ${present}`
  const name = PROGRAMS[program]
  throw new VmpkgError('HOST_UNSUPPORTED', `${place.origin}: ${feature} needs ${name} ${version}, and ${here}`, {
    hint: `Upgrade ${name} to ${version} or later, or choose another value for the parameter that asks for it.`,
    details: { feature, program, needed: version, present, template: place.template, line: place.line },
  })
}

/** Below 0 where `a` is older. Missing parts count as 0. */
function compareReleases(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split('.').map(Number))
  for (let at = 0; at < 3; at += 1) {
    const difference = (left?.[at] ?? 0) - (right?.[at] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
