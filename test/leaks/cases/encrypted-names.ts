/** B2 of docs/leaks.md: names that are asked for inside TLS and QUIC, at servers that are known for it. */
import { tcp, udp } from '../../support/leak-lab/frames.ts'
import type { TapName } from '../../support/leak-lab/lab.ts'
import { ALL_STATES, type Bench, type LeakCase, type Probe } from '../../support/leak-lab/leak-case.ts'
import { fromClient } from '../../support/leak-lab/places.ts'
import { RESOLVERS } from './names.ts'
import { MASQUERADE, RULES } from './rules.ts'

/** DNS over TLS (RFC 7858), over QUIC (RFC 9250) and at the port that its drafts had, over HTTPS (RFC 8484) by TCP and by QUIC. */
const KINDS = [
  ['DNS over TLS', 'tcp', 853],
  ['DNS over QUIC', 'udp', 853],
  ['DNS over QUIC of a draft', 'udp', 8853],
  ['DNS over HTTPS', 'tcp', 443],
  ['DNS over HTTP/3', 'udp', 443],
] as const
const MAKE = { tcp, udp } as const

function encryptedNames(passes: readonly TapName[]): readonly Probe[] {
  return RESOLVERS.flatMap((resolver, n) =>
    KINDS.map(
      ([name, kind, port], index): Probe => ({
        from: n % 2 === 0 ? 'a' : 'b',
        what: `${name} to ${resolver}`,
        passes,
        frame: (token) =>
          MAKE[kind](fromClient(n % 2 === 0 ? 'a' : 'b', resolver), [9200 + 5 * n + index, port], token),
      }),
    ),
  )
}

/** Where they pass they are seen to pass, all of them. */
export async function passAsAnyOther(bench: Bench, way: 'wan' | 'tunnel'): Promise<readonly string[]> {
  const wrong: string[] = []
  for (const [index, [name, kind, port]] of KINDS.entries()) {
    const token = bench.token('b', `${name} once more`, [way])
    await bench.send('b', MAKE[kind](fromClient('b', '9.9.9.9'), [9400 + index, port], token))
    if ((await bench.see(way, token)) === undefined) wrong.push(`${name} does not pass`)
  }
  return wrong
}

export const UNI_ENCRYPTED_NAMES: LeakCase = {
  id: 'B2',
  title: 'questions inside TLS and QUIC to 20 public resolvers pass as any other connection, with the WAN’s address',
  states: ALL_STATES,
  probes: encryptedNames(['wan', 'lan', 'a', 'b']),
  act: (bench) => passAsAnyOther(bench, 'wan'),
  negative: {
    changes: [
      {
        file: RULES,
        find: MASQUERADE,
        replace: MASQUERADE.replace('masquerade', 'th dport != { 443, 853 } masquerade'),
      },
    ],
    state: 'U',
  },
}
