/** Features, clocks, power and events of the machine that the guest sees. Harmless but for what belongs to containers. */
import { matching, never, oneOf, type Rule } from '../policy.ts'
import {
  attributes,
  each,
  large,
  line,
  number,
  onOff,
  quantity,
  signed,
  switched,
  textOf,
  word,
  yesNo,
} from './values.ts'

const ENLIGHTENMENTS = [
  'relaxed',
  'vapic',
  'vpindex',
  'runtime',
  'synic',
  'reset',
  'frequencies',
  'reenlightenment',
  'ipi',
  'evmcs',
  'avic',
  'emsr_bitmap',
  'xmm_input',
] as const
const value = attributes(word, 'value')

export const features: Rule = {
  children: {
    ...each<Rule>({}, 'acpi', 'pae', 'viridian'),
    apic: { attributes: { eoi: onOff } },
    hap: switched,
    ...each(switched, 'pmu', 'pvspinlock', 'vmcoreinfo', 'vmport', 'htm', 'nested-hv', 'ccf-assist', 'ras', 'ps2'),
    ...each(value, 'cfpc', 'sbbc', 'ibs', 'aia'),
    'async-teardown': attributes(yesNo, 'enabled'),
    gic: attributes(word, 'version'),
    ioapic: attributes(oneOf('kvm', 'qemu'), 'driver'),
    msrs: attributes(oneOf('ignore', 'fault'), 'unknown'),
    hpt: { attributes: { resizing: word }, children: { maxpagesize: quantity } },
    smm: { attributes: { state: onOff }, children: { tseg: quantity } },
    tcg: { children: { 'tb-cache': { attributes: { unit: oneOf('MiB') }, text: matching(/^[0-9]{1,4}$/, 'MiB') } } },
    kvm: {
      children: {
        ...each(switched, 'hidden', 'hint-dedicated', 'poll-control', 'pv-ipi'),
        'dirty-ring': { attributes: { state: onOff, size: number } },
      },
    },
    hyperv: {
      attributes: { mode: oneOf('custom', 'passthrough') },
      children: {
        ...each(switched, ...ENLIGHTENMENTS),
        spinlocks: { attributes: { state: onOff, retries: number } },
        stimer: { attributes: { state: onOff }, children: { direct: switched } },
        tlbflush: { attributes: { state: onOff }, children: { direct: switched, extended: switched } },
        vendor_id: { attributes: { state: onOff, value: line } },
      },
    },
    xen: never('only Xen has it'),
    capabilities: never('only containers have it'),
    privnet: never('only containers have it'),
  },
}

export const clock: Rule = {
  attributes: {
    offset: oneOf('utc', 'localtime', 'timezone', 'variable', 'absolute'),
    adjustment: matching(/^(?:reset|-?[0-9]{1,9})$/, 'seconds or reset'),
    basis: oneOf('utc', 'localtime'),
    start: signed,
    timezone: matching(/^[A-Za-z0-9_+/-]{1,64}$/, 'a time zone'),
  },
  children: {
    timer: {
      many: true,
      attributes: {
        name: word,
        tickpolicy: word,
        present: yesNo,
        track: oneOf('boot', 'guest', 'wall', 'realtime'),
        frequency: large,
        mode: word,
      },
      children: { catchup: attributes(number, 'threshold', 'slew', 'limit') },
    },
  },
}

export const pm: Rule = { children: each(attributes(yesNo, 'enabled'), 'suspend-to-mem', 'suspend-to-disk') }

export const perf: Rule = {
  children: { event: { attributes: { name: word, enabled: yesNo }, many: true } },
}

export const keywrap: Rule = { children: { cipher: { attributes: { name: word, state: onOff }, many: true } } }

export const seed: Rule = textOf(matching(/^(?:[0-9a-f-]{36})?$/, 'a UUID or nothing'))
