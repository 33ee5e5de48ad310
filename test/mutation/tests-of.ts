/** Test files that may notice a mutant in a folder: those of the folder itself first, then whoever uses it. */
import { globSync } from 'node:fs'

/** More than the tests of the folder itself; without those that take minutes or need a hypervisor. */
const FURTHER: Readonly<Record<string, readonly string[]>> = {
  'src/trust': [
    'test/threats/{metadata,keys}.test.ts',
    'test/operations/update.test.ts',
    'test/publish/registry-merge.test.ts',
  ],
  'src/archive': ['test/threats/{content,publisher}.test.ts', 'test/publish/{build-package,package-files}.test.ts'],
  'src/fetch': ['test/threats/{download,leaks,metadata}.test.ts', 'test/image/plan-fetch.test.ts'],
}

export interface TestsOf {
  readonly own: readonly string[]
  readonly further: readonly string[]
}

export function testsOf(top: string, folder: string, isWanted: (path: string) => boolean): TestsOf {
  const find = (patterns: readonly string[]) =>
    patterns.flatMap((one) => globSync(one, { cwd: top }).filter(isWanted).toSorted())
  return { own: find([`${folder.replace(/^src\//, 'test/')}/*.test.ts`]), further: find(FURTHER[folder] ?? []) }
}
