/** `shorewall check -r` of Debian in a network namespace of its own: its verdict and the rules it would load; nothing is loaded. */
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { makeTempFolder } from './temp-folder.ts'

interface Checked {
  readonly status: number | string
  readonly output: string
}

export async function checkShorewall(t: TestContext, files: ReadonlyMap<string, string>): Promise<Checked> {
  const folder = join(await makeTempFolder(t), 'shorewall')
  await mkdir(folder)
  for (const [name, text] of files) await writeFile(join(folder, name), text)
  return runAlone(['shorewall', 'check', '-r', folder])
}

/** Runs a program in a network namespace that it has for itself. */
export function runAlone(words: readonly string[]): Promise<Checked> {
  const limits = { timeout: 120_000, maxBuffer: 16 * 1024 * 1024 }
  return new Promise((resolve) => {
    execFile('unshare', ['--net', '--', ...words], limits, (error, stdout, stderr) =>
      resolve({ status: error?.code ?? 0, output: `${stdout}${stderr}` }),
    )
  })
}

/** What `iptables-restore` takes, out of the script that Shorewall shows. */
export function rulesOf({ output }: Checked): string {
  const rules = output.split('\n').filter((line) => /^(?:\*[a-z]+$|:\S+ [A-Z-]+ \[|-A |COMMIT$)/.test(line))
  return `${rules.join('\n')}\n`
}
