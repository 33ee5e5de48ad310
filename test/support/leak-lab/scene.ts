/** One router in one state with the probes of several cases at once: from its first instant, or once it is up. */
import { isVmpkgError } from '../../../src/errors.ts'
import { dissect, type Packet } from './dissect.ts'
import { asFrame, type Lab, type Sender, type TapName } from './lab.ts'
import type { Bench, LeakCase, State } from './leak-case.ts'
import { joinRoad, leaveRoad } from './openvpn-client.ts'
import { judge } from './oracle.ts'
import type { Road } from './road.ts'
import { type Router, startRouter } from './router.ts'
import { type Change, type RouterFiles, withChanges } from './router-files.ts'
import { Tokens } from './tokens.ts'
import { killServer, startServer } from './vpn.ts'
import { joinWireguard, leaveWireguard } from './wireguard-client.ts'

export interface Scene {
  readonly state: State
  readonly cases: readonly LeakCase[]
  readonly changes?: readonly Change[]
  readonly gate?: 'open'
  readonly isCutOff?: true
  /** How often the rules are loaded again in state R. */
  readonly reloads?: number
}

export interface Outcome {
  /** What went wrong, by case; a case that is not in it holds. */
  readonly failures: ReadonlyMap<string, readonly string[]>
  /** The same without what differs from run to run, to compare two of them. */
  readonly signs: ReadonlySet<string>
  /** Frames on all taps. */
  readonly frames: number
}

/** Frames a second of each sender. */
const RATE = 4000
/** Frames of one probe from which on it is dealt out. */
const LONG = 400
const SENDERS = ['wan', 'a', 'b', 'tunnel', 'second'] as const
const FRAMES = 65_536

export async function runScene(lab: Lab, files: RouterFiles, scene: Scene): Promise<Outcome> {
  const { state, cases, changes = [], gate, isCutOff = false, reloads = 40 } = scene
  const changed = withChanges(files, changes)
  const tokens = new Tokens()
  const failures = new Map<string, string[]>()
  const fail = (id: string, ...lines: readonly string[]): void => {
    if (lines.length > 0) failures.set(id, [...(failures.get(id) ?? []), ...lines])
  }
  const floods = makeFloods(cases, tokens)
  await lab.pairs()
  await lab.openTaps(Math.max(FRAMES, ...cases.map(({ frames = 0 }) => frames)))
  let router: Router | undefined
  try {
    if (gate === 'open') await lab.run('host', 'ip', 'link', 'set', 'lan0', 'up')
    if (state === 'B') await startFloods(lab, floods)
    router = await startRouter(lab, changed, cases.find(({ cards }) => cards !== undefined)?.cards)
    let gateAt: bigint | undefined
    const isReady = await router.ready()
    if (isReady) {
      try {
        await router.attest()
        gateAt = BigInt(Date.now()) * 1_000_000n
      } catch (error) {
        for (const { id } of cases) fail(id, `not attested: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    if (!isReady)
      for (const { id } of cases)
        fail(id, `the router does not come up: ${await lab.run('host', 'cat', '/run/router/dev/console')}`)
    if (gateAt !== undefined && gate !== 'open') await router.setLanLink('up')
    const leased = gateAt !== undefined || gate === 'open' ? await hasWayOut(router, isCutOff ? 100 : 1200) : false
    if (!leased && gateAt !== undefined && !isCutOff)
      for (const { id } of cases) fail(id, 'the router finds no way out')
    const everyCase = cases.map(({ id }) => id)
    // Whether it is let in is for the cases to say.
    if (lab.road !== undefined && leased) await join(lab, lab.road)
    await orRefusal(
      async () => passThrough(lab, router as Router, { state, floods, reloads }),
      (line) => {
        for (const id of everyCase) fail(id, line)
      },
    )
    for (const { id, act, inspect } of leased ? cases : []) {
      const bench = benchOf(lab, router, tokens, id)
      const note = (line: string): void => fail(id, line)
      if (state === 'U' && act !== undefined) await orRefusal(async () => fail(id, ...(await act(bench))), note)
      if (state !== 'H' && inspect !== undefined) await orRefusal(async () => fail(id, ...(await inspect(bench))), note)
    }
    await pause(100)
    const seen = await lab.closeTaps()
    const { leaks, strays, unsent } = judge(seen, tokens, files.layer, lab.road)
    for (const [id, lines] of leaks) fail(id, ...lines)
    for (const [id, lines] of unsent) fail(id, ...lines.map((line) => `the sender's own card never saw it: ${line}`))
    const declaredOf = (bytes: Buffer) => tokens.find(bytes)
    for (const { id, judge: more } of cases) if (more !== undefined) fail(id, ...more(seen, gateAt, declaredOf))
    const signs = new Set([...failures].flatMap(([id, lines]) => lines.map((line) => withoutNumbers(`${id}: ${line}`))))
    for (const line of strays) signs.add(withoutNumbers(`stray: ${line}`))
    for (const { id } of cases) fail(id, ...strays.slice(0, 20))
    return { failures, signs, frames: Object.values(seen).reduce((sum, { length }) => sum + length, 0) }
  } finally {
    if (lab.road !== undefined) await leave(lab, lab.road)
    await router?.stop()
    if (state === 'D' && lab.vpn !== false) await startServer(lab, lab.vpn)
  }
}

async function join(lab: Lab, { kind, file }: Road): Promise<void> {
  if (kind === 'openvpn') await joinRoad(lab, file)
  else await joinWireguard(lab, file)
}

async function leave(lab: Lab, { kind }: Road): Promise<void> {
  if (kind === 'openvpn') await leaveRoad(lab)
  else await leaveWireguard(lab)
}

/** Ports that the router chose. */
function withoutNumbers(line: string): string {
  return line.replaceAll(/ ports \d+>\d+/g, '')
}

/** What the project's own code refuses, a wrong attestation above all, is a finding; any other error ends the run. */
async function orRefusal(run: () => Promise<void>, note: (line: string) => void): Promise<void> {
  try {
    await run()
  } catch (error) {
    if (!isVmpkgError(error)) throw error
    note(error.message)
  }
}

type Floods = Readonly<Record<Sender, readonly Buffer[]>>

/** Each sender's frames in turn; probes of many frames are dealt out between rounds of the others. */
function makeFloods(cases: readonly LeakCase[], tokens: Tokens): Floods {
  const short: Record<Sender, Buffer[]> = { wan: [], a: [], b: [], tunnel: [], second: [] }
  const long: Record<Sender, Buffer[]> = { wan: [], a: [], b: [], tunnel: [], second: [] }
  for (const { id, probes = [] } of cases) {
    for (const { from, what, frame, passes = [] } of probes) {
      const made = [frame(tokens.add({ caseId: id, what, from, passes }))].flat()
      const list = made.length > LONG ? long : short
      list[from].push(...made)
    }
  }
  const deal = (from: Sender): Buffer[] => {
    if (long[from].length === 0) return short[from]
    const rounds = Math.ceil(long[from].length / LONG)
    return Array.from({ length: rounds }, (_, round) => [
      ...short[from],
      ...long[from].slice(round * LONG, (round + 1) * LONG),
    ]).flat()
  }
  return { wan: deal('wan'), a: deal('a'), b: deal('b'), tunnel: deal('tunnel'), second: deal('second') }
}

/** How long a round of every sender takes. */
function roundMs(floods: Floods): number {
  return (Math.max(...SENDERS.map((from) => Math.min(floods[from].length, 1000))) / RATE) * 1000 + 150
}

async function startFloods(lab: Lab, floods: Floods): Promise<void> {
  for (const from of SENDERS) if (floods[from].length > 0) await lab.keepSending(from, from, floods[from], RATE)
}

async function stopFloods(lab: Lab, floods: Floods): Promise<void> {
  for (const from of SENDERS) if (floods[from].length > 0) await lab.stopSending(from)
}

/** The event that the state is named after, under the flood; a boot has it behind it. */
async function passThrough(
  lab: Lab,
  router: Router,
  { state, floods, reloads }: { readonly state: State; readonly floods: Floods; readonly reloads: number },
): Promise<void> {
  if (state === 'U') {
    for (const from of SENDERS) if (floods[from].length > 0) await lab.send(from, floods[from], { times: 2 })
    return
  }
  if (state !== 'B') await startFloods(lab, floods)
  try {
    await pause(roundMs(floods))
    await happen(lab, router, state, reloads)
    await pause(state === 'H' ? 0 : roundMs(floods))
  } finally {
    await stopFloods(lab, floods) // also of a router that refuses: what goes on would be seen in the next scene
  }
}

async function happen(lab: Lab, router: Router, state: State, reloads: number): Promise<void> {
  if (state === 'R') {
    const one = 'load_rules "$CONFIG" || exit 1'
    await router.shell(`. /usr/lib/vmpkg/router.sh; for n in $(seq ${reloads}); do ${one}; done`)
    await router.ask('reset')
    await router.attest()
  } else if (state === 'H') {
    await router.shell('kill -USR2 1') // poweroff
    await pause(1500)
  } else if (state === 'F') {
    for (let round = 0; round < 3; round++) {
      await router.setWanLink('down')
      await pause(100)
      await router.setWanLink('up')
      await pause(150)
    }
  } else if (state === 'D') {
    // OpenVPN, or ssh, is killed and comes back by itself; then the server falls silent, which it has to notice.
    await router.shell('killall -q -9 openvpn ssh; true')
    await router.shell(UNTIL_DOWN)
    await router.shell(UNTIL_UP)
    await killServer(lab)
    await router.shell(UNTIL_DOWN)
  }
}

/** Eight seconds: a tunnel whose end the router does not notice is found by what its cases ask. */
const UNTIL_DOWN = 'n=0; while [ -e /run/vmpkg/tunnel.up ] && [ $n -lt 400 ]; do n=$((n + 1)); usleep 20000; done'

/** The route is there a little before the router calls the tunnel up. */
const UNTIL_UP = 'n=0; until [ -e /run/vmpkg/tunnel.up ] || [ $n -ge 1200 ]; do n=$((n + 1)); usleep 20000; done'

/** A lease, or a tunnel. */
async function hasWayOut(router: Router, looks = 1200): Promise<boolean> {
  const script = `n=0; until ip route | grep -q default; do n=$((n + 1)); [ $n -lt ${looks} ] || exit 1; usleep 20000; done`
  try {
    await router.shell(script)
    return true
  } catch {
    return false
  }
}

function benchOf(lab: Lab, router: Router, tokens: Tokens, caseId: string): Bench {
  return {
    lab,
    router,
    token: (from, what, passes = []) => tokens.add({ caseId, what, from, passes }),
    send: (from, ...frames) => lab.send(from, frames),
    async see(tap: TapName, bytes: Buffer, seconds = 3) {
      const { frame } = await lab.request<{ frame: string | null }>('see', {
        id: tap,
        wanted: bytes.toString('base64'),
        timeout: seconds,
      })
      if (frame === null) return undefined
      const found = asFrame(tap, Buffer.from(frame, 'base64'))
      const packet: Packet = dissect(found)
      return { ...packet, bytes: found }
    },
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
