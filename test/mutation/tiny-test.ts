/**
 * What our tests use of `node:test`, as functions that only take down the tests, so that the same ones can be run many times
 * in one process. `runTest` runs one with the hooks of its suites.
 */
import { mock, type TestContext } from 'node:test'

type Body = (t: TestContext) => unknown
interface Options {
  readonly skip?: boolean | string | undefined
}

export interface Suite {
  readonly name: string
  readonly parent: Suite | undefined
  readonly isSkipped: boolean
  readonly before: (() => unknown)[]
  readonly after: (() => unknown)[]
}

export interface TakenTest {
  readonly name: string
  readonly suite: Suite
  readonly body: Body
}

const root: Suite = { name: '', parent: undefined, isSkipped: false, before: [], after: [] }
let current: Suite = root
export const taken: TakenTest[] = []

export function describe(name: string, ...rest: readonly (Options | (() => void))[]): void {
  const { options, body } = split(rest)
  const outer = current
  const isSkipped = outer.isSkipped || isSkipping(options)
  current = { name: `${outer.name} ${name}`, parent: outer, isSkipped, before: [], after: [] }
  ;(body as (() => void) | undefined)?.()
  current = outer
}

export function test(name: string, ...rest: readonly (Options | Body)[]): void {
  const { options, body } = split(rest)
  if (current.isSkipped || isSkipping(options) || body === undefined) return
  taken.push({ name: `${current.name} ${name}`, suite: current, body })
}

export function before(hook: () => unknown): void {
  current.before.push(hook)
}

export function after(hook: () => unknown): void {
  current.after.push(hook)
}

/** Runs tests of one suite with its hooks once; stops at the first that fails. True where all passed. */
export async function runSuite(tests: readonly TakenTest[], limitMs: (one?: TakenTest) => number): Promise<boolean> {
  const [first] = tests
  if (first === undefined) return true
  const suites: Suite[] = []
  for (let suite: Suite | undefined = first.suite; suite !== undefined; suite = suite.parent) suites.unshift(suite)
  try {
    for (const suite of suites) for (const hook of suite.before) await limited(Promise.resolve(hook()), limitMs())
    for (const one of tests) await runBody(one.body, limitMs(one))
    return true
  } catch {
    return false
  } finally {
    for (const suite of suites.toReversed()) {
      for (const hook of suite.after) await Promise.resolve().then(hook).catch(ignored)
    }
  }
}

async function runBody(body: Body, limitMs: number): Promise<void> {
  const hooks: (() => unknown)[] = []
  const context = {
    after: (hook: () => unknown) => void hooks.push(hook),
    mock,
    test: async (_name: string, ...rest: readonly (Options | Body)[]) => {
      const { body: inner } = split(rest)
      if (inner !== undefined) await runBody(inner, limitMs)
    },
  } as unknown as TestContext
  try {
    await limited(Promise.resolve(body(context)), limitMs)
  } finally {
    mock.restoreAll()
    for (const hook of hooks.toReversed()) await Promise.resolve().then(hook).catch(ignored)
  }
}

async function limited(work: Promise<unknown>, limitMs: number): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error('timed out')), limitMs)
  try {
    await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}

function split(rest: readonly (Options | Body | (() => void))[]) {
  return {
    options: rest.find((one) => typeof one === 'object'),
    body: rest.find((one) => typeof one === 'function'),
  }
}

function isSkipping(options: Options | undefined): boolean {
  return options?.skip !== undefined && options.skip !== false
}

function ignored(): undefined {
  return undefined // cleaning up after a mutant may fail
}
