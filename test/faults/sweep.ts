/**
 * Runs a verb once for every operation it does, each time with a fault there, and looks what is left: after the next
 * command either the state from before or the state from after (threats L01, L02, decisions 30).
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Random } from '../support/random.ts'
import type { FaultWay, Operation } from './fault.ts'
import type { Sight, World } from './world.ts'

/** A verb in one situation. */
export interface Scenario {
  readonly name: string
  readonly verb: readonly string[]
  /** Needs libvirt. */
  readonly host?: boolean
  /**
   * Brings a fresh world into the state from before; relative paths are below the world's folder. What it returns are
   * further words of the verb, such as the number of an entry in the history.
   */
  readonly before: (world: World) => Promise<readonly string[] | void>
  /** The command after the fault, which recovers by itself, so one that writes; `gc` by default. */
  readonly next?: readonly string[]
  /** Codes with which the verb may refuse to be run again once it is done, such as `SOURCE_EXISTS`. */
  readonly done?: readonly string[]
  /** Unfinished files that may stay until a later publisher takes them away: they are nobody's state. */
  readonly leaves?: RegExp
  /**
   * Lists of what nobody needs before the verb is done: it comes or goes piece by piece, and between the old and the new
   * list is as good as either.
   */
  readonly piecemeal?: readonly string[]
  /** A verb of its own that it begins with: the state after that one is whole as well. */
  readonly first?: readonly string[]
  /** To run it again once it is done is a change of its own, such as a renewal. */
  readonly renews?: boolean
  /** Points that once left a mix; of several operations the last one counts. They are always tried. */
  readonly known?: readonly { readonly way: FaultWay; readonly kind: string; readonly path: RegExp }[]
  /** Ways that would prove nothing here. */
  readonly not?: readonly FaultWay[]
  readonly env?: Readonly<Record<string, string>>
  /** What a killed command left is gone once the verb has been run again, also what `leaves` names. */
  readonly tidies?: boolean
  /** Only in the soak run: the tests have another that does nearly the same. */
  readonly isLong?: boolean
}

export interface FaultPoint {
  readonly operation: Operation
  readonly way: FaultWay
}

export interface Prepared {
  readonly scenario: Scenario
  readonly world: World
  /** With the words that `before` has found. */
  readonly verb: readonly string[]
  readonly operations: readonly Operation[]
  readonly before: Sight
  readonly after: Sight
  /** After the verb that it begins with, where there is one. */
  readonly between?: Sight
}

/** Comes to the state from before, runs the verb once without a fault, and notes both states and every operation. */
export async function prepare(scenario: Scenario, world: World): Promise<Prepared> {
  await world.wipe()
  const more = (await scenario.before(world)) ?? []
  const verb = [...words(scenario.verb, world), ...more]
  await world.save()
  const before = relevant(scenario, await world.observe())
  const { status, stderr, operations } = await world.runFaulty(verb, { at: 0, way: 'before' }, scenario.env)
  assert.equal(status, 0, `${scenario.name} without a fault: ${stderr}`)
  assert.ok(operations.length > 0, 'nothing was counted')
  const after = relevant(scenario, await world.observe())
  assert.notDeepEqual(after, before, `${scenario.name} changes nothing that is looked at`)
  if (scenario.first === undefined) return { scenario, world, verb, operations, before, after }
  await world.restore()
  await world.cli.ok(words(scenario.first, world))
  const between = relevant(scenario, await world.observe())
  assert.notDeepEqual(between, before)
  return { scenario, world, verb, operations, before, after, between }
}

const WAYS: readonly FaultWay[] = ['before', 'after', 'torn', 'power', 'ENOSPC', 'EIO', 'EACCES']

/** Every point: killed on both sides of each operation, half done where it can be, unsynced work lost, and each error. */
export function allPoints({ operations, scenario }: Pick<Prepared, 'operations' | 'scenario'>): readonly FaultPoint[] {
  return operations.flatMap((operation) =>
    WAYS.filter((way) => isPossible(way, operation) && scenario.not?.includes(way) !== true).map((way) => ({
      operation,
      way,
    })),
  )
}

function isPossible(way: FaultWay, { kind }: Operation): boolean {
  if (way === 'torn') return /write|copyFile|^rm$/i.test(kind)
  if (kind.startsWith('rpc')) return ['before', 'after'].includes(way)
  if (way === 'power') return !/sync$/i.test(kind)
  // One side of a name that changes nothing by itself is the other side of the one before.
  return true
}

/** Some of the points: those around renames, commits and changes in libvirt more often than the rest. */
export function samplePoints(all: readonly FaultPoint[], random: Random, count: number): readonly FaultPoint[] {
  const [weighty, plain]: [FaultPoint[], FaultPoint[]] = [[], []]
  for (const point of all) (isWeighty(point) ? weighty : plain).push(point)
  const most = Math.ceil((count * 3) / 4)
  const chosen = random.shuffle(weighty).slice(0, most)
  return [...chosen, ...random.shuffle(plain).slice(0, count - chosen.length)]
}

/** Those that once left a mix. */
export function knownPoints({ operations, scenario: { name, known = [] } }: Prepared): readonly FaultPoint[] {
  return known.map(({ way, kind, path }) => {
    const operation = operations.findLast((one) => one.kind === kind && path.test(one.path))
    assert.ok(operation, `${name} has no ${kind} of ${String(path)} any more`)
    return { operation, way }
  })
}

const CHANGES = readProcedures(/DEFINE|CREATE|DESTROY|UPDATE|SHUTDOWN/)

function isWeighty({ operation: { kind }, way }: FaultPoint): boolean {
  if (!['before', 'after', 'power', 'torn'].includes(way)) return false
  return /rename|COMMIT|^rm$|unlink/.test(kind) || CHANGES.has(kind)
}

function readProcedures(pattern: RegExp): ReadonlySet<string> {
  const text = readFileSync(join(import.meta.dirname, '..', 'fixtures', 'libvirt-procedures.txt'), 'utf8')
  const found = [...text.matchAll(/^([A-Z_0-9]+) (\d+) /gm)].filter(([, name = '']) => pattern.test(name))
  return new Set(found.map(([, , number]) => `rpc ${number}`))
}

/** Runs the verb with the fault and fails with an `AssertionError` where a mix is left. */
export async function strike(prepared: Prepared, { operation, way }: FaultPoint): Promise<'before' | 'after'> {
  const { scenario, world, verb, after } = prepared
  const what = `${scenario.name}: ${way} at ${operation.number} of ${prepared.operations.length}, ${operation.kind} ${operation.path}`
  await world.restore()
  const hit = await world.runFaulty(verb, { at: operation.number, way }, scenario.env)
  const reached = hit.operations.at(operation.number - 1)
  const where = `${what}\n  then at ${reached?.kind} ${reached?.path}\n  status ${hit.status} ${hit.stderr}`
  if (isDeath(way)) assert.ok(hit.status === 128 || reached === undefined, `it was not killed: ${where}`)
  else if (hit.status !== 0) {
    assert.equal(hit.status, 100, where)
    assert.match(hit.stderr, /^E: .* \[[A-Z_]+\]$/m, where)
    assert.doesNotMatch(hit.stderr, /\[INTERNAL\]|^\s+at .*:\d+/m, where)
  }
  // Before anything recovers: readers come at any moment, and of two of the verb's own files they see what is there.
  assert.deepEqual(await world.findRefused(), [], `clients are refused: ${where}`)
  const next = await world.run(words(scenario.next ?? ['gc'], world), scenario.env)
  assert.equal(next.status, 0, `the next command: ${next.stderr}\n${where}`)
  const look = async (): Promise<Sight> => relevant(scenario, await world.observe())
  const seen = await look()
  // What the first verb did is done: from there on the old state is the one that it left.
  const isPast = prepared.between !== undefined && !isDeepStrictEqual(seen['sources'], prepared.before['sources'])
  const before = isPast ? (prepared.between ?? prepared.before) : prepared.before
  const found = settlePieces(scenario, seen, before, after)
  const isOld = isDeepStrictEqual(found, before)
  const isNew = isDeepStrictEqual(found, after)
  if (!isOld && !isNew) assert.deepEqual(found, nearer(found, before, after), `a mix is left: ${where}`)
  const again = await world.run(verb, scenario.env)
  const code = /\[([A-Z_]+)\]/.exec(again.stderr)?.[1] ?? ''
  const isFine = again.status === 0 || (isNew && scenario.done?.includes(code) === true)
  assert.ok(isFine, `run again: ${again.stderr}\n${where}`)
  const last = await look()
  if (scenario.tidies === true) assert.deepEqual((await world.observe())['unfinished'], [], `it stays: ${where}`)
  if (!isNew || scenario.renews !== true)
    assert.deepEqual(last, after, `run again it does not come to the new state: ${where}`)
  return isOld ? 'before' : 'after'
}

function relevant({ leaves, piecemeal }: Scenario, sight: Sight): Sight {
  const { registryFiles, ...rest } = sight
  const unfinished = texts(sight, 'unfinished').filter((path) => leaves?.test(path) !== true)
  // Publishers leave files that no version names until gc takes them away.
  return { ...rest, ...(piecemeal?.includes('registryFiles') === true ? { registryFiles } : {}), unfinished }
}

/** Lists that may come or go piece by piece count as those of the state that the rest is nearer to. */
function settlePieces({ piecemeal = [] }: Scenario, seen: Sight, before: Sight, after: Sight): Sight {
  const settled = { ...seen }
  const side = nearer(seen, before, after)
  for (const key of piecemeal) {
    const [old, young, now] = [texts(before, key), texts(after, key), texts(seen, key)]
    const isBetween =
      now.every((one) => old.includes(one) || young.includes(one)) &&
      old.every((one) => !young.includes(one) || now.includes(one))
    if (isBetween) settled[key] = side[key]
  }
  return settled
}

function texts(sight: Sight, key: string): readonly string[] {
  return (sight[key] ?? []) as readonly string[]
}

function isDeath(way: FaultWay): boolean {
  return ['before', 'after', 'torn', 'power'].includes(way)
}

function nearer(found: Sight, before: Sight, after: Sight): Sight {
  const equal = (other: Sight): number =>
    Object.keys(found).filter((key) => isDeepStrictEqual(found[key], other[key])).length
  return equal(before) >= equal(after) ? before : after
}

/** `%` stands for the world's folder, also as a path in a machine. */
export function words(argv: readonly string[], { folder }: World): readonly string[] {
  return argv.map((word) => word.replace(/(?<=^|:)%/, folder))
}
