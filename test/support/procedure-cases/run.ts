/** Runs every case against one daemon, and says what became of each procedure and event. */
import { Connect } from '../../../src/libvirt/connect.ts'
import type { EventName } from '../../../src/libvirt/events.ts'
import { watchEvents } from './events-seen.ts'
import { Exercise, type ExerciseDaemon } from './exercise.ts'
import { cases } from './index.ts'
import { type Driver, type Note, startRecorder } from './recorder.ts'

export interface Outcome {
  /** The daemon's release, as 9000000. */
  readonly version: number
  readonly notes: ReadonlyMap<string, Note>
  readonly events: ReadonlyMap<EventName, ReadonlySet<Driver>>
  /** What a case said that did not go as it is written. */
  readonly failures: readonly string[]
}

export async function runExercise(start: () => Promise<ExerciseDaemon>): Promise<Outcome> {
  const recorder = startRecorder()
  try {
    await using daemon = await start()
    await using connect = await Connect.open(daemon.uri)
    await using test = daemon.testUri === undefined ? undefined : await Connect.open(daemon.testUri)
    const events = await watchEvents(test === undefined ? { real: connect } : { real: connect, test })
    const version = await connect.getLibVersion()
    const exercise = new Exercise({ daemon, connect, test, version, recorder, events })
    const failures: string[] = []
    for (const [name, run] of Object.entries(cases)) {
      const began = Date.now()
      try {
        await run(exercise)
      } catch (error) {
        failures.push(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
      }
      if (process.env['VMPKG_TEST_TIMES'] !== undefined) console.log(`${name} ${Date.now() - began} ms`)
    }
    await events.stop()
    return { version, notes: recorder.notes, events: events.seen, failures }
  } finally {
    recorder.stop()
  }
}
