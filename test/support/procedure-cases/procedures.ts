/** Every row of every table, by the name of its procedure. */
import type { Row } from '../../../src/libvirt/methods.ts'
import { connectionTables, objectTables } from '../libvirt-tables.ts'
import { procedureName } from './recorder.ts'

export type AnyRow = Row

const rows = [
  ...Object.values(objectTables).flatMap(({ methods }) => Object.values(methods) as Row[]),
  ...Object.values(connectionTables).flatMap((methods) =>
    Object.values(methods as object).filter((row): row is Row => typeof row === 'object' && 'procedure' in row),
  ),
]

export const procedures: ReadonlyMap<string, AnyRow> = new Map(rows.map((row) => [procedureName(row), row]))
