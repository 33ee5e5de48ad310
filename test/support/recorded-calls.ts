/** Remembers which procedures a real daemon carried out, so that a test file can say what it has covered. */
import { Connect } from '../../src/libvirt/connect.ts'
import type { Row, Self } from '../../src/libvirt/methods.ts'

/** Names of procedures that answered with success since this was called. */
export function recordCalls(): Set<string> {
  const names = new Set<string>()
  const original = Object.getOwnPropertyDescriptor(Connect.prototype, 'invoke')?.value as Connect['invoke']
  Connect.prototype.invoke = async function (row: Row, args: Readonly<Record<string, unknown>>, self?: Self) {
    const result = await original.call(this, row, args, self)
    names.add(row.name)
    return result
  }
  return names
}

/** Names of a table's procedures that are not among the recorded ones. */
export function notRecorded(table: Readonly<Record<string, Row>>, recorded: ReadonlySet<string>): string[] {
  return Object.values(table)
    .map((row) => row.name)
    .filter((name) => !recorded.has(name))
}
