import { VmpkgError } from '../../errors.ts'
import { supervise } from '../../operations/supervise.ts'
import { type CommandSpec, optionText } from '../command.ts'

const DEFAULT_INTERVAL = '30s'
const UNIT_MS: Readonly<Record<string, number>> = { '': 1000, s: 1000, m: 60_000 }

export const command: CommandSpec = {
  args: '',
  summary: 'Watch over the routers of a connection: LANs that are attested open, others closed.',
  description:
    'Asks every running router for its attestation at the interval, and whenever\n' +
    'libvirt tells that something changed. A LAN is closed when the rules are not\n' +
    'those rendered, or when the router does not answer three times; it is opened\n' +
    'when it attests, upper routers first. Starts what is marked to start with the\n' +
    'host and did not. Ends at SIGTERM. One runs per connection.',
  options: [
    { flags: '--once', summary: 'look until each router has a verdict, then end; exits 1 when a LAN is closed' },
    { flags: '--interval <time>', summary: 'between two looks, as 30s or 2m (default 30s)' },
  ],
  examples: ['vmpkg supervise', 'vmpkg supervise --once --json', 'vmpkg supervise --interval 2m --connect private:lab'],
  async run({ options, io }) {
    const once = options['once'] === true
    const intervalMs = parseInterval(optionText(options, 'interval') ?? DEFAULT_INTERVAL)
    const workspace = await io.workspace()
    try {
      const routers = await supervise(workspace, { intervalMs, once })
      if (!once) return 0
      if (io.json) io.printJson('supervise', { routers })
      else
        io.printTable(
          ['NAME', 'LAN LINK', 'WHY'],
          routers.map((row) => [row.name, row.link, row.reason]),
        )
      return routers.every(({ link }) => link === 'up') ? 0 : 1
    } catch (error) {
      if (io.signal.aborted) return 0 // that is how it ends
      throw error
    }
  },
}

/** @throws {VmpkgError} `USAGE` */
function parseInterval(text: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,5})([sm]?)$/.exec(text) ?? []
  const ms = digits === '' ? 0 : Number(digits) * (UNIT_MS[unit] ?? 0)
  if (ms >= 1000 && ms <= 3_600_000) return ms
  throw new VmpkgError('USAGE', `--interval takes a time from 1s to 60m, not ${JSON.stringify(text.slice(0, 40))}`, {
    hint: 'Write it like 30s or 2m.',
  })
}
