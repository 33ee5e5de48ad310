/**
 * From `vmpkg start router-sol client`, all of the chain stopped, to the client's first answer through Tor inside a VPN;
 * and each of its guests alone, when all above it run. Real guests, a real OpenVPN server, a Tor network of our own.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { Cli } from '../support/cli.ts'
import { WEB } from '../support/vpn-site.ts'
import { makeChain } from './chain-site.ts'
import { formatMs, formatTable, median, type Report } from './measure.ts'

const HOST = 'bench-layers'
const ROUNDS = 3
const GUESTS = ['router-uni', 'router-gal', 'router-sol', 'client'] as const
const POLL_MS = 100

export async function measureLayers(): Promise<Report> {
  const { cli, close } = await makeChain(HOST)
  try {
    const alone: number[][] = []
    const whole: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const times: number[] = []
      for (const guest of GUESTS) times.push(await timed(() => bringUp(cli, guest)))
      await cli.ok(['stop', 'client', 'router-sol', 'router-gal', 'router-uni'])
      alone.push(times)
      whole.push(
        await timed(async () => {
          await cli.ok(['start', 'router-sol', 'client'])
          await untilAnswered(cli)
        }),
      )
      await cli.ok(['stop', 'client', 'router-sol', 'router-gal', 'router-uni'])
    }
    const rows = GUESTS.map((guest, i) => {
      const values = alone.map((times) => times[i] ?? Number.NaN)
      return [`${guest}, those above it running`, formatMs(median(values)), '']
    })
    const slowest = alone.map((times) => Math.max(...times))
    const ratios = whole.map((time, round) => time / (slowest[round] ?? Number.NaN))
    const sums = alone.map((times) => times.reduce((sum, time) => sum + time))
    return {
      title: 'From `vmpkg start router-sol client` to the first answer through Tor inside a VPN',
      about:
        `The first answer is a page that the client’s own loop gets from beyond an exit. A guest alone counts until its agent says that it is of use: rules attested, ` +
        `tunnel up, Tor up; the client until that answer. The last column is the whole chain against the slowest of its guests alone, by round (goal at most 1.3); ` +
        `one after the other they take ${formatMs(median(sums))}. ${ROUNDS} rounds: ${whole.map(formatMs).join(', ')}.`,
      table: formatTable(
        ['', 'median', 'against the slowest'],
        [...rows, ['**all four, from stopped**', `**${formatMs(median(whole))}**`, median(ratios).toFixed(2)]],
      ),
    }
  } finally {
    await close()
  }
}

async function timed(run: () => Promise<void>): Promise<number> {
  const startedAt = performance.now()
  await run()
  return performance.now() - startedAt
}

async function bringUp(cli: Cli, guest: (typeof GUESTS)[number]): Promise<void> {
  await cli.ok(['start', guest])
  if (guest === 'client') await untilAnswered(cli)
  if (guest === 'router-gal') await untilUp(cli, guest, 'tunnel')
  if (guest === 'router-sol') await untilUp(cli, guest, 'tor')
}

async function untilUp(cli: Cli, router: string, fact: 'tunnel' | 'tor'): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    const { machines } = (await cli.json(['status', router])) as { machines: Record<string, { state?: string }>[] }
    if (machines[0]?.[fact]?.state === 'up') return
    await wait(POLL_MS)
  }
  throw new Error(`${router} did not come up`)
}

/** The loop is the client's, so that no poll of ours is in the figure. */
export async function untilAnswered(cli: Cli): Promise<void> {
  await untilShell(cli)
  const answer = /you came from/
  const asking = cli.start(
    ['console', 'client', '--silence', '120'],
    `until fetch http://${WEB}:8080/ 2>/dev/null; do usleep 100000; done\n`,
  )
  await asking.said(answer)
  asking.kill('SIGTERM')
  const { stdout } = await asking.done
  if (!answer.test(stdout)) throw new Error(`the client got no answer: ${stdout}`)
}

/** What is typed before there is a shell is lost in part. */
async function untilShell(cli: Cli): Promise<void> {
  for (let tries = 0; tries < 60; tries++) {
    const asking = cli.start(['console', 'client', '--silence', '1'], ':\n')
    await asking.said(/~# /)
    asking.kill('SIGTERM')
    if (/~# /.test((await asking.done).stdout)) return
  }
  throw new Error('the client has no shell')
}
