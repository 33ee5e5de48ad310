/**
 * Reading and writing real XML documents against libxml2's xmllint. xmllint gets all files as arguments of a few
 * processes, so its start is paid a few times for thousands of files; what these starts cost is measured with the same
 * number of empty runs and taken off. It reads the files itself, so we read them inside the measured time too.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseXml } from '../../src/xml/parse.ts'
import { formatXml } from '../../src/xml/tree.ts'
import { xmlCorpus } from '../support/xml-corpus.ts'
import { formatMs, formatTable, interleave, median, type Report } from './measure.ts'

const ROUNDS = 7
/** Arguments of one xmllint; the kernel takes 2 MiB of them. */
const FILES_A_PROCESS = 4000

export async function measureXml(): Promise<Report> {
  const { files, sizeBytes } = await xmlCorpus()
  const paths = files.map(({ path }) => path)
  const batches = Array.from({ length: Math.ceil(paths.length / FILES_A_PROCESS) }, (_, index) =>
    paths.slice(index * FILES_A_PROCESS, (index + 1) * FILES_A_PROCESS),
  )
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-bench-'))
  const empty = join(folder, 'empty.xml')
  await writeFile(empty, '<a/>')
  try {
    const lint = (...options: readonly string[]): void => {
      for (const batch of batches) runXmllint([...options, ...batch])
    }
    const { read, both, noout, output, start } = await interleave(ROUNDS, {
      read: () => paths.forEach((path) => void parseXml(readFileSync(path, 'utf8'))),
      both: () => paths.forEach((path) => void formatXml(parseXml(readFileSync(path, 'utf8')))),
      noout: () => lint('--noout'),
      output: () => lint(),
      start: () => batches.forEach(() => runXmllint([empty])),
    })
    const net = (times: readonly number[]): readonly number[] => times.map((time, round) => time - (start[round] ?? 0))
    const row = (what: string, ours: readonly number[], theirs: readonly number[]): readonly string[] => [
      what,
      formatMs(median(ours)),
      formatRate(sizeBytes, ours),
      formatRate(sizeBytes, net(theirs)),
      median(ours.map((time, round) => time / (net(theirs)[round] ?? Number.NaN))).toFixed(1),
    ]
    return {
      title: 'XML: parse and serialise',
      about:
        `${files.length} XML files with ${(sizeBytes / 1e6).toFixed(1)} MB of Debian’s libvirt (bookworm, trixie) and virt-manager sources, ` +
        `read from the page cache within the time, ${ROUNDS} rounds in turn, without the first. xmllint took them as arguments of ${batches.length} ` +
        `processes; ${formatMs(median(start))} for as many runs with one empty file are taken off. It writes to a pipe that is read.`,
      table: formatTable(
        ['', 'median', 'vmpkg', '`xmllint`', 'times as long'],
        [row('read', read, noout), row('read and write', both, output)],
      ),
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function formatRate(bytes: number, times: readonly number[]): string {
  return `${(bytes / 1000 / median(times)).toFixed(1)} MB/s`
}

/** Complaints about namespaces are not counted as failure by libvirt either. */
function runXmllint(args: readonly string[]): void {
  const { error, status, stderr } = spawnSync('xmllint', ['--nonet', ...args], {
    encoding: 'utf8',
    maxBuffer: 512 * 1024 * 1024,
  })
  if (error !== undefined) throw error
  if (status !== 0 && /: parser error :/.test(stderr))
    throw new Error(`xmllint exited ${status}\n${stderr.slice(0, 1000)}`)
}
