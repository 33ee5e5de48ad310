/**
 * The soak run of snapshots: every row of the matrix, with BIOS and with UEFI, on the libvirt of this machine and on
 * Debian 13's, for real. Again and again until the time is over.
 */
import { openBench } from '../support/snapshot-bench.ts'
import { ROWS, runRow } from '../support/snapshot-matrix.ts'

interface Range {
  readonly from: number
  readonly cases: number
  readonly until: number
}

export async function soakSnapshots({ from, cases, until }: Range): Promise<string> {
  const rows = new Map<string, Record<string, number>>()
  const began = Date.now()
  let done = 0
  for (const release of ['9.0', '11.3']) {
    await using place = await openBench(release)
    for (const isUefi of [false, true]) {
      for (const row of ROWS) {
        if (row.only !== undefined && (row.only === 'uefi') !== isUefi) continue
        const number = done++
        if (number < from || number - from >= cases || Date.now() > until) continue
        const start = performance.now()
        await runRow(place.bench, row, isUefi).catch((cause: unknown) => {
          throw new Error(`${row.name}, ${isUefi ? 'UEFI' : 'BIOS'}, libvirt ${release} (--from ${number} --cases 1)`, {
            cause,
          })
        })
        const column = `${release} ${isUefi ? 'UEFI' : 'BIOS'}`
        rows.set(row.name, { ...rows.get(row.name), [column]: Math.round(performance.now() - start) })
      }
    }
  }
  return report(rows, Math.round((Date.now() - began) / 1000))
}

const COLUMNS = ['9.0 BIOS', '9.0 UEFI', '11.3 BIOS', '11.3 UEFI']

function report(rows: ReadonlyMap<string, Record<string, number>>, seconds: number): string {
  const lines = [...rows].map(([name, times]) => {
    const cells = COLUMNS.map((column) =>
      times[column] === undefined ? '-' : `${(times[column] / 1000).toFixed(1)} s`,
    )
    return `| ${name} | ${cells.join(' | ')} |`
  })
  const runs = [...rows.values()].reduce((sum, times) => sum + Object.keys(times).length, 0)
  return `${runs} rows in ${seconds} s; a row counts when every file passed \`qemu-img check\`, the base had its digest, and nothing was left.

| operation | ${COLUMNS.join(' | ')} |
|---|${COLUMNS.map(() => '---:').join('|')}|
${lines.join('\n')}`
}
