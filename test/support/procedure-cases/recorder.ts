/**
 * Remembers what a daemon answered to each procedure: decoded success, and by which driver, or the errors it gave.
 * The methods of all objects come through `Connect.invoke`; opening, closing, authenticating and the registration of
 * events through `Rpc.call` alone.
 */
import { Connect } from '../../../src/libvirt/connect.ts'
import { LibvirtError } from '../../../src/libvirt/error.ts'
import { eventRegistration } from '../../../src/libvirt/events.ts'
import type { Row, Self } from '../../../src/libvirt/methods.ts'
import { PROGRAM } from '../../../src/libvirt/protocol.ts'
import { Rpc } from '../../../src/libvirt/rpc.ts'
import { connectionTables } from '../libvirt-tables.ts'

/** The driver that QEMU's connection has for the object, or libvirt's test driver behind the same daemon. */
export type Driver = 'real' | 'test'

export interface Note {
  readonly decoded: Set<Driver>
  /** Names of the errors that the real driver gave, with the daemon's text. */
  readonly refused: Map<string, string>
  /** A check has looked at what was decoded. */
  checked: boolean
}

export interface Recorder {
  /** By libvirt's name of the procedure, QEMU's own with `qemu:` before it. */
  readonly notes: ReadonlyMap<string, Note>
  /** The row of the call that was begun last. */
  latest(): Row | undefined
  checked(row: Row | undefined): void
  stop(): void
}

export const procedureName = (row: Pick<Row, 'name' | 'program'>): string =>
  row.program === PROGRAM.qemu ? `qemu:${row.name}` : row.name

/** Begins to record every connection of this process, until `stop`. */
export function startRecorder(): Recorder {
  const notes = new Map<string, Note>()
  let latest: Row | undefined
  const noteOf = (name: string): Note => {
    const known = notes.get(name) ?? { decoded: new Set<Driver>(), refused: new Map<string, string>(), checked: false }
    notes.set(name, known)
    return known
  }
  const invoke = Object.getOwnPropertyDescriptor(Connect.prototype, 'invoke')?.value as Connect['invoke']
  Connect.prototype.invoke = async function (row: Row, args: Readonly<Record<string, unknown>>, self?: Self) {
    latest = row
    const driver: Driver = /^test[:+]/.test(this.uri) ? 'test' : 'real'
    const note = noteOf(procedureName(row))
    try {
      const result = await invoke.call(this, row, args, self)
      note.decoded.add(driver)
      return result
    } catch (error) {
      if (driver === 'real' && error instanceof LibvirtError && !error.local)
        note.refused.set(error.codeName, error.message)
      throw error
    }
  }
  // Looked at by what makes them: the opening goes on with it, a feed gets no event without the right number.
  const registration = Object.values(eventRegistration).flatMap(({ register, deregister }): Row[] => [
    register,
    deregister,
  ])
  const inner = new Set(
    [...Object.values(connectionTables.auth), ...Object.values(connectionTables.session), ...registration].map(
      procedureName,
    ),
  )
  const call = Object.getOwnPropertyDescriptor(Rpc.prototype, 'call')?.value as Rpc['call']
  Rpc.prototype.call = async function (this: Rpc, ...given: Parameters<Rpc['call']>) {
    const reply = await call.apply(this, given)
    const name = procedureName(given[0])
    if (!inner.has(name)) return reply
    const note = noteOf(name)
    if (reply.ok) {
      note.decoded.add('real')
      note.checked = true
    } else note.refused.set(new LibvirtError(reply.error).codeName, reply.error.message)
    return reply
  } as Rpc['call']
  return {
    notes,
    latest: () => latest,
    checked: (row) => {
      if (row !== undefined) noteOf(procedureName(row)).checked = true
    },
    stop: () => {
      Connect.prototype.invoke = invoke
      Rpc.prototype.call = call
    },
  }
}
