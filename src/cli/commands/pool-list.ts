import { listPools, type PoolRow } from '../../operations/pool.ts'
import type { CommandSpec } from '../command.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'List pools: how many machines wait, how many are made now, and the memory that they hold.',
  options: [],
  examples: ['vmpkg pool list', 'vmpkg pool list --json'],
  async run({ io }) {
    const { pools, isSupervised } = await listPools(await io.workspace())
    if (io.json) {
      io.printJson('pool-list', { pools, supervised: isSupervised })
      return 0
    }
    io.printTable(
      ['PACKAGE', 'READY', 'FILLING', 'MEMORY', 'VERSION', 'NET', 'MODE', 'SINCE'],
      pools.map((pool) => [
        pool.package,
        `${pool.ready}/${pool.size}`,
        String(pool.filling),
        formatBytes(pool.members.reduce((sum, { heldBytes }) => sum + heldBytes, 0)),
        wordsOf(pool, ({ version, state }) => (state === 'stale' ? `${version} (stale)` : version)),
        wordsOf(pool, ({ net }) => net ?? '-'),
        wordsOf(pool, ({ mode }) => mode),
        pool.members[0]?.createdAt.slice(0, 19).concat('Z') ?? '-',
      ]),
    )
    const missing = pools.filter(({ ready, filling, size }) => ready + filling < size)
    if (missing.length > 0 && !isSupervised) io.note('Nobody refills them: vmpkg pool fill, or vmpkg supervise')
    return 0
  },
}

/** Each word once. */
function wordsOf({ members }: PoolRow, word: (member: PoolRow['members'][number]) => string): string {
  return members.length === 0 ? '-' : [...new Set(members.map(word))].join(', ')
}
