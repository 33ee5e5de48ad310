/** 10,000 random typed edits of the documents in Debian's libvirt and virt-manager sources, each held against libxml2. */

import { xmlCorpus } from '../support/xml-corpus.ts'
import { checkEdits } from '../support/xml-edits.ts'

export interface XmlSoak {
  readonly seed: number
  readonly from: number
  readonly cases: number
  /** Milliseconds since the epoch; no further case begins after it. */
  readonly until: number
}

const BATCH = 1000

export async function soakXml({ seed, from, cases, until }: XmlSoak): Promise<string> {
  const { files, sizeBytes } = await xmlCorpus()
  const kinds = new Map<string, number>()
  let done = 0
  for (; done < cases && Date.now() < until; ) {
    const batch = Math.min(BATCH, cases - done)
    const figures = await checkEdits(files, { seed, from: from + done, cases: batch })
    for (const [kind, count] of Object.entries(figures)) kinds.set(kind, (kinds.get(kind) ?? 0) + count)
    done += batch
  }
  const rows = [...kinds].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([kind, count]) => `| ${kind} | ${count} |`)
  return [
    `Cases ${from} to ${from + done - 1} of seed ${seed}; the next run goes on with \`--seed ${seed} --from ${from + done}\`.`,
    `${done} edits of ${files.length} files with ${sizeBytes} bytes. Edits that changed anything else, or not what they should: 0.`,
    ['| edit | tried |', '| --- | ---: |', ...rows].join('\n'),
  ].join('\n\n')
}
