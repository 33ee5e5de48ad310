/** Every case of the exercise, in the order in which it runs. */
import * as connection from './connection.ts'
import * as agent from './domain-agent.ts'
import * as disks from './domain-disks.ts'
import * as happenings from './domain-events.ts'
import * as extras from './domain-extras.ts'
import * as figures from './domain-figures.ts'
import * as life from './domain-life.ts'
import type { Exercise } from './exercise.ts'
import * as host from './host-things.ts'
import * as migration from './migration.ts'
import * as networks from './networks.ts'
import * as node from './node-settings.ts'
import * as plugged from './plugged.ts'
import * as secrets from './secrets.ts'
import * as storage from './storage.ts'

type Case = (exercise: Exercise) => Promise<void>

/** By name: what each shows. */
export const cases: Readonly<Record<string, Case>> = {
  ...connection,
  ...life,
  ...figures,
  ...extras,
  ...disks,
  ...happenings,
  ...agent,
  ...migration,
  ...networks,
  ...plugged,
  ...storage,
  ...secrets,
  ...node,
  ...host,
}
