/** Every value that a template saw, with where it comes from: for `render --explain`. */
import { formatCpuSet } from '../model/cpu-set.ts'
import type { ParameterValues } from '../model/manifest.ts'
import type { DomainTemplateContext } from '../model/template-context.ts'
import { formatParameter } from '../render/parameters.ts'
import type { MachineInput } from './render-machine.ts'

export interface ExplainedValue {
  /** As templates name it: `params.memory`, `nics[0].mac`. */
  readonly name: string
  readonly value: string
  readonly origin: string
}

const HOST_ORIGINS: Readonly<Record<string, string>> = {
  virtType: 'KVM probe',
  emulator: 'libvirt',
  firmware: 'firmware descriptors of this host',
  secureFirmware: 'firmware descriptors of this host',
  libvirtVersion: 'libvirt',
  qemuVersion: 'libvirt',
}

/** @param isDefined the machine is there, and its identity is kept */
export function explainValues(
  { pkg: { manifest }, parameters }: MachineInput,
  context: DomainTemplateContext,
  isDefined: boolean,
): readonly ExplainedValue[] {
  const { params: _, ...rest } = context
  const values = Object.entries(parameters).flatMap(([name, { value, origin }]) => {
    const definition = manifest.parameters[name]
    if (definition === undefined) return []
    const isSecret = definition.secret === true || definition.type === 'file'
    return [{ name: `params.${name}`, value: isSecret ? '(secret)' : formatParameter(definition, value), origin }]
  })
  const planned = isDefined ? 'the machine as defined' : 'planned'
  const others = flatten('', rest).map(({ name, value }) => ({
    name,
    value,
    origin: originOf(name, context, parameters) ?? planned,
  }))
  return [...values, ...others.filter(({ name }) => !/^(?:wan|lan)\./.test(name))]
}

function originOf(name: string, context: DomainTemplateContext, parameters: ParameterValues): string | undefined {
  const [first = '', second = ''] = name.split('.')
  if (first === 'host') return HOST_ORIGINS[second]
  if (first === 'images') return 'image store'
  if (first === 'placement') return 'host'
  if (name === 'domain.memoryKib' || name === 'domain.vcpus') {
    const parameter = second === 'vcpus' ? 'vcpus' : 'memory'
    return parameters[parameter] === undefined ? 'default of vmpkg' : `params.${parameter}`
  }
  const [, list = '', index = ''] = /^(\w+)\[(\d+)\]/.exec(first) ?? []
  const chosen: unknown = Object.entries(context).find(([key]) => key === list)?.[1]
  const entry: unknown = Array.isArray(chosen) ? chosen[Number(index)] : undefined
  const isChosen = typeof entry === 'object' && entry !== null && 'parameter' in entry
  return isChosen && typeof entry.parameter === 'string' ? `params.${entry.parameter}` : undefined
}

/** Of a placement: processors, vCPUs, nodes. */
function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'number')
}

function flatten(prefix: string, value: unknown): readonly { readonly name: string; readonly value: string }[] {
  if (value === undefined || value === null) return []
  if (isNumbers(value)) return value.length === 0 ? [] : [{ name: prefix, value: formatCpuSet(value) }]
  if (Array.isArray(value)) return value.flatMap((one, index) => flatten(`${prefix}[${index}]`, one))
  if (typeof value !== 'object')
    return [{ name: prefix, value: typeof value === 'string' ? value : JSON.stringify(value) }]
  const entries = Object.entries(value).filter(([key]) => key !== 'parameter')
  return entries.flatMap(([key, one]) => flatten(prefix === '' ? key : `${prefix}.${key}`, one))
}
