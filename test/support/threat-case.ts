/**
 * The cases of docs/threats.md. Each is an attack that must be refused, and a negative control: the same attack in a
 * process where the one check that stops it is taken out, which must then fail. A case whose control passes is no test.
 *
 *     threatCase({
 *       id: 'M05',
 *       title: 'an older envelope is refused',
 *       attack: async () => { await refused('ENVELOPE_ROLLED_BACK', …) },
 *       controls: [{ file: 'src/trust/envelope.ts', find: 'verifyNotOlder(envelope, …)', replace: '' }],
 *     })
 *
 * `attack` throws when the attack is not refused as it should, and cleans up by `t.after`. It runs anew for each control, so it makes
 * everything it needs. Checks in depth: a control may name several places, all of which are taken out together.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type ErrorCode, isVmpkgError } from '../../src/errors.ts'
import type { DisabledCheck } from './disabled-check.ts'

export interface ThreatCase {
  /** As in the table, `M05`. Several cases may share one. */
  readonly id: string
  /** What is refused, or what stays true; the title of the test. */
  readonly title: string
  readonly attack: (t: TestContext) => Promise<void> | void
  /** One run each. A list in it is one run with all of them. */
  readonly controls: readonly (DisabledCheck | readonly DisabledCheck[])[]
  readonly timeout?: number
  /** A reason why this cannot run here. */
  readonly skip?: string | false | undefined
}

const HOOK = join(import.meta.dirname, 'disable-check.ts')
/** Exit statuses of a control run, chosen so that a crash of Node is neither. */
const REFUSED_ALL_THE_SAME = 60
const SUCCEEDED = 61
/** Taking the check out broke the program instead of opening it: the control proves nothing. */
const BROKEN = 62
const only = process.env['VMPKG_TEST_CONTROL']

export function threatCase(one: ThreatCase): void {
  const { id, title, attack, controls, timeout = 120_000, skip = false } = one
  const name = `${id}: ${title}`
  if (only !== undefined) {
    if (only === name) test(name, async (t) => runAsControl(t, attack))
    return
  }
  if (process.env['VMPKG_TEST_CONTROLS'] === 'none') {
    test(name, { skip: skip ?? false }, async (t) => attack(t)) // a mutant of its own is at work: test/mutation
    return
  }
  test(name, { timeout: timeout * (1 + controls.length), skip: skip ?? false }, async (t) => {
    await t.test('holds', async (inner) => attack(inner))
    assert.ok(controls.length > 0, 'a case without a negative control proves nothing')
    for (const control of controls) {
      const checks = 'file' in control ? [control] : control
      await t.test(
        `fails without ${checks.map(({ file, find }) => `${file}: ${shorten(find)}`).join(', ')}`,
        async () => {
          await expectToFail(name, checks)
        },
      )
    }
  })
}

/** Asserts the refusal and returns the error for closer looks. */
export async function refused(code: ErrorCode, run: () => unknown): Promise<Error> {
  let result: unknown
  try {
    result = await run()
  } catch (error) {
    assert.ok(isVmpkgError(error), `not a refusal but ${error instanceof Error ? error.stack : String(error)}`)
    assert.equal(error.code, code, error.message)
    return error
  }
  assert.fail(`not refused: ${JSON.stringify(result)?.slice(0, 200)}`)
}

async function runAsControl(t: TestContext, attack: ThreatCase['attack']): Promise<void> {
  try {
    await attack(t)
    process.exitCode = REFUSED_ALL_THE_SAME
  } catch (error) {
    if (!(error instanceof assert.AssertionError)) console.error(error)
    const isBroken = error instanceof ReferenceError || error instanceof SyntaxError
    process.exitCode = isBroken ? BROKEN : SUCCEEDED
  }
}

async function expectToFail(name: string, checks: readonly DisabledCheck[]): Promise<void> {
  const [file = ''] = process.argv.slice(1).filter((word) => word.endsWith('.test.ts'))
  const child = spawn(process.execPath, ['--import', HOOK, file], {
    env: {
      ...process.env,
      NODE_TEST_CONTEXT: '', // a run of its own, not a part of this one
      NODE_OPTIONS: `--import=${HOOK}`,
      VMPKG_TEST_DISABLE: JSON.stringify(checks),
      VMPKG_TEST_CONTROL: name,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => output.push(chunk))
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  assert.notEqual(
    status,
    REFUSED_ALL_THE_SAME,
    'the attack is refused without this check as well: the control proves nothing',
  )
  assert.equal(
    status,
    SUCCEEDED,
    `the control run ended with ${status}\n${Buffer.concat(output).toString().slice(-4000)}`,
  )
}

function shorten(text: string): string {
  const line = text.trim().replaceAll(/\s+/g, ' ')
  return line.length > 60 ? `${line.slice(0, 59)}…` : line
}
