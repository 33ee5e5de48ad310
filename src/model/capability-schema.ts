/**
 * The closed set of capabilities as schemas: in a signed line (`{"name":"pci","class":"network"}`) and as people write
 * them in `vmpkg.yaml` (`- pci: { class: network }`). What is not listed here is refused, never ignored.
 */
import { z } from 'zod'
import type { Capability } from './capability.ts'

const layer = z.enum(['uni', 'gal', 'sol'])
const pciClass = z.enum(['network', 'display', 'usb', 'audio', 'storage'])
const network = { lan: layer.exactOptional(), wan: z.enum(['uni', 'gal', 'sol', 'uplink']).exactOptional() }
const optional = z.boolean().exactOptional()
const allowed = 'network, host-bridge, pci, hugepages'

export const capabilities: z.ZodType<readonly Capability[]> = z
  .array(
    z.discriminatedUnion(
      'name',
      [
        z.strictObject({ name: z.literal('network'), ...network }),
        z.strictObject({ name: z.literal('host-bridge'), optional }),
        z.strictObject({ name: z.literal('pci'), class: pciClass, optional }),
        z.strictObject({ name: z.literal('hugepages'), optional }),
      ],
      { error: () => `not a capability; allowed are ${allowed}` },
    ),
  )
  .max(32)

const need = z.enum(['required', 'optional'])

/** One member each, as YAML shows it best. */
export const writtenCapabilities = z
  .array(
    z.union(
      [
        z.strictObject({ network: z.strictObject(network) }),
        z.strictObject({ 'host-bridge': need }),
        z.strictObject({ pci: z.strictObject({ class: pciClass, optional }) }),
        z.strictObject({ hugepages: need }),
      ],
      { error: () => `not a capability; allowed are ${allowed}` },
    ),
  )
  .max(32)

export function fromWritten(written: z.infer<typeof writtenCapabilities>): readonly Capability[] {
  return written.map((one): Capability => {
    if ('network' in one) return { name: 'network', ...one.network }
    if ('pci' in one) return { name: 'pci', ...one.pci }
    if ('hugepages' in one) return { name: 'hugepages', ...optionally(one.hugepages) }
    return { name: 'host-bridge', ...optionally(one['host-bridge']) }
  })
}

function optionally(word: 'required' | 'optional'): { readonly optional?: true } {
  return word === 'optional' ? { optional: true } : {}
}
