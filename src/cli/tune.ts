/** What the tune commands share: their options, and a plan as a difference. */
import type { TunePlan } from '../host/tune-plan.ts'
import type { CommandSpec, Io } from './command.ts'

export const TUNE_OPTIONS: CommandSpec['options'] = [
  { flags: '--pins <cpus>', summary: 'processors of guests, as in 2-5,8' },
  { flags: '--machine <name>...', summary: 'machines whose pins count' },
]

export function printTunePlan(io: Io, { changes, notes }: TunePlan): void {
  for (const { file, before, after, why } of changes) {
    io.print(`${file}   (${why})`)
    io.print(`- ${before}`)
    io.print(`+ ${after}`)
  }
  if (changes.length === 0) io.print('Nothing to change')
  for (const note of notes) io.note(note)
}
