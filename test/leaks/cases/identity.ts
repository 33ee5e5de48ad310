/** Group I of docs/leaks.md: what the router says of itself where it asks for a lease. */
import { dissect } from '../../support/leak-lab/dissect.ts'
import { WAN_MAC } from '../../support/leak-lab/lab.ts'
import type { LeakCase } from '../../support/leak-lab/leak-case.ts'
import type { Seen } from '../../support/leak-lab/oracle.ts'

const UDP = 17
const BOOTP_BYTES = 236
const COOKIE_BYTES = 4
/** Requested address, message type, server, wanted options, largest message: no name, no client id, no vendor class. */
const HARMLESS = new Set([50, 53, 54, 55, 57])
/** Mask, router, resolvers. */
const WANTED = '1,3,6'
const MESSAGES = { discover: 1, request: 3 }

/** Every message of the router's DHCP client, as its options say. */
function judgeClient({ wan }: Seen): readonly string[] {
  const wrong: string[] = []
  const types = new Set<number | undefined>()
  for (const { bytes, isOutgoing } of wan) {
    const ip = isOutgoing ? undefined : dissect(bytes).ip
    if (ip?.protocol !== UDP || ip.ports?.[0] !== 68) continue
    const message = ip.payload.subarray(8)
    const options = readOptions(message.subarray(BOOTP_BYTES + COOKIE_BYTES))
    types.add(options.get(53)?.at(0))
    for (const code of options.keys()) if (!HARMLESS.has(code)) wrong.push(`option ${code} goes out`)
    const wanted = options.get(55)
    if (wanted !== undefined && [...wanted].join(',') !== WANTED) wrong.push(`it asks for ${[...wanted].join(',')}`)
    if (message.subarray(44, BOOTP_BYTES).some((byte) => byte !== 0)) wrong.push('it names a server or a file')
    const card = [...message.subarray(28, 34)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
    if (card !== WAN_MAC) wrong.push(`it asks for the card ${card}`)
  }
  for (const [name, type] of Object.entries(MESSAGES)) if (!types.has(type)) wrong.push(`no ${name} was seen`)
  return wrong
}

/** RFC 2132: code, length, value; 0 pads, 255 ends. */
function readOptions(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const options = new Map<number, Buffer>()
  for (let at = 0; at < bytes.length && bytes[at] !== 255; ) {
    const [code = 0, length = 0] = bytes.subarray(at)
    if (code !== 0) options.set(code, bytes.subarray(at + 2, at + 2 + length))
    at += code === 0 ? 1 : 2 + length
  }
  return options
}

export const IDENTITY: readonly LeakCase[] = [
  {
    id: 'I2',
    title: 'the DHCP client on the WAN sends no name, no client id and no vendor class',
    states: ['U', 'F'],
    judge: judgeClient,
    negative: {
      changes: [{ file: 'usr/lib/vmpkg/run-uplink', find: " -V ''", replace: ' -x hostname:uni0' }],
    },
  },
]
