/**
 * The closed set of capabilities as schemas: in a signed line (`{"name":"pci","class":"network"}`) and as people write
 * them in `vmpkg.yaml` (`- pci: { class: network }`). What is not listed here is refused, never ignored. A line is
 * signed for ever: a form may be added here, and none changed or removed.
 */
import { z } from 'zod'
import { ACCESS, CAPABILITY_NAMES, type Capability, PCI_CLASSES, PLAIN_NAMES } from './capability.ts'

const layer = z.enum(['uni', 'gal', 'sol'])
const network = { lan: layer.exactOptional(), wan: z.enum(['uni', 'gal', 'sol', 'uplink']).exactOptional() }
const optional = z.boolean().exactOptional()
const pci = { class: z.enum(PCI_CLASSES), optional }
const hosted = { access: z.enum(ACCESS), optional }
const plain = z.enum(PLAIN_NAMES)
const unknown = { error: () => `not a capability; allowed are ${CAPABILITY_NAMES.join(', ')}` }

const capability = z.discriminatedUnion(
  'name',
  [
    z.strictObject({ name: z.literal('network'), ...network }),
    z.strictObject({ name: z.literal('pci'), ...pci }),
    z.strictObject({ name: z.enum(['host-folder', 'host-file']), ...hosted }),
    z.strictObject({ name: plain, optional }),
  ],
  unknown,
)

export const capabilities: z.ZodType<readonly Capability[]> = z.array(capability).max(32)

const need = z.enum(['required', 'optional'])

/** One member each, as YAML shows it best. */
export const writtenCapabilities = z
  .array(
    z.union(
      [
        z.strictObject({ network: z.strictObject(network) }),
        z.strictObject({ pci: z.strictObject(pci) }),
        z.strictObject({ 'host-folder': z.strictObject(hosted) }),
        z.strictObject({ 'host-file': z.strictObject(hosted) }),
        ...PLAIN_NAMES.map((name) => z.strictObject({ [name]: need })),
      ],
      unknown,
    ),
  )
  .max(32)

/** @param written as `writtenCapabilities` accepted it */
export function fromWritten(written: readonly Readonly<Record<string, unknown>>[]): readonly Capability[] {
  return written.map((one): Capability => {
    const [name, body] = Object.entries(one)[0] ?? []
    if (typeof body === 'object') return capability.parse({ name, ...body })
    return capability.parse({ name, ...(body === 'optional' ? { optional: true } : {}) })
  })
}
