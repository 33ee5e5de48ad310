/**
 * Which test files reach which place of a source file, by V8's own coverage; and how long each takes. A mutant is shown
 * only to tests that run the place it changes. Types are stripped in place, so offsets are those of the file.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type ProgramResult, runTests } from './run-tests.ts'

export interface TestCoverage {
  readonly test: string
  readonly durationMs: number
  /** By source path, as `src/trust/pae.ts`: blocks from outer to inner with whether they ran. */
  readonly files: ReadonlyMap<string, readonly Block[]>
}

interface Block {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}

interface CoverageFile {
  readonly result: readonly {
    readonly url: string
    readonly functions: readonly { readonly ranges: readonly Block[] }[]
  }[]
}

/** `undefined` where the tests do not even pass as they are. */
export async function coverTest(top: string, test: string, sources: readonly string[]): Promise<TestCoverage> {
  const folder = mkdtempSync(join(tmpdir(), 'vmpkg-cover-'))
  try {
    const begin = performance.now()
    const result: ProgramResult = await runTests(top, [test], { NODE_V8_COVERAGE: folder }, 300_000)
    if (result !== 'passed') throw new Error(`${test} does not pass without a mutant: ${result}`)
    const durationMs = performance.now() - begin
    const files = new Map<string, Block[]>()
    for (const name of readdirSync(folder)) {
      const { result: scripts } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as CoverageFile
      for (const source of sources) {
        const url = pathToFileURL(join(top, source)).href
        const blocks = scripts.filter((one) => one.url === url).flatMap((one) => one.functions.flatMap((f) => f.ranges))
        if (blocks.length > 0) files.set(source, [...(files.get(source) ?? []), ...blocks])
      }
    }
    return { test, durationMs, files }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** True where the innermost block around the place ran. */
export function reaches({ files }: TestCoverage, source: string, at: number): boolean {
  const around = (files.get(source) ?? []).filter(({ startOffset, endOffset }) => startOffset <= at && at < endOffset)
  const [innermost] = around.toSorted((a, b) => a.endOffset - a.startOffset - (b.endOffset - b.startOffset))
  return innermost !== undefined && innermost.count > 0
}
