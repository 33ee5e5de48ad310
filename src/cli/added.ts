/** What was published, or would be: every file that travels, who signs, how much it is. */
import type { AddReport } from '../operations/repo-add.ts'
import type { Io } from './command.ts'
import { formatBytes } from './table.ts'

/** The list goes to standard error, but for a dry run, whose result it is. */
export function printAdded(io: Io, report: AddReport): void {
  const say = (text: string): void => (report.place.dryRun ? io.print(text) : io.note(text))
  for (const { name, version, files, images } of report.packages) {
    say(`${name} ${version}`)
    for (const { path, size } of files) say(`  ${formatBytes(size).padStart(10)}  ${path}`)
    for (const { role, size } of images) say(`  ${formatBytes(size).padStart(10)}  image ${role}`)
  }
  for (const { role, fingerprint } of report.signers) say(`Signed by ${role} ${fingerprint}`)
  for (const line of report.messages) io.print(line)
}
