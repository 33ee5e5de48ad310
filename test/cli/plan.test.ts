import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Io, Tone } from '../../src/cli/command.ts'
import { conflictSide, runPlan, startOptions } from '../../src/cli/plan.ts'
import type { PlanSummary } from '../../src/operations/install-plan.ts'
import type { TransitionPlan } from '../../src/operations/plan-transition.ts'
import { NO_OPTIONS } from '../../src/operations/transition.ts'
import type { Workspace } from '../../src/operations/workspace.ts'

const SUMMARY: PlanSummary = {
  changes: [
    { verb: 'Upgrading', items: ['router-uni (1.0 → 1.1)'] },
    { verb: 'Installing', items: [] },
    { verb: 'DOWNGRADING', items: ['app-old (2.0 → 1.0)'] },
    { verb: 'REMOVING', items: ['a', 'b'] },
  ],
  packages: [
    { name: 'router-uni', action: 'upgrade', from: '1.0', to: '1.1' },
    { name: 'app-old', action: 'downgrade', from: '2.0', to: '1.0' },
    { name: 'a', action: 'remove', from: '1' },
    { name: 'b', action: 'remove', from: '1' },
  ],
  definitions: [
    { kind: 'domain', name: 'router-uni', diff: '--- a/x\n+++ b/x\n-old\n+new', edited: true, conflicts: [] },
  ],
  restarts: ['router-uni'],
  capabilities: [],
  missingGrants: [],
  downloadBytes: 2048,
  diskBytes: 0,
  notes: ['a note'],
}

interface Printed {
  readonly io: Io
  readonly notes: { readonly text: string; readonly tone: Tone | undefined }[]
  readonly questions: string[]
  readonly json: unknown[]
}

function makeIo(changes: Partial<Io> = {}): Printed {
  const notes: Printed['notes'] = []
  const questions: string[] = []
  const json: unknown[] = []
  const io = {
    json: false,
    assumeYes: false,
    dryRun: false,
    stdin: { isTTY: true },
    note: (text: string, tone?: Tone) => void notes.push({ text, tone }),
    print: (text: string) => void notes.push({ text, tone: undefined }),
    printJson: (_name: string, value: unknown) => void json.push(value),
    confirm: async (question: string) => {
      questions.push(question)
      return false
    },
    ...changes,
  } as unknown as Io
  return { io, notes, questions, json }
}

function makePlan(summary: PlanSummary): TransitionPlan {
  const changes = summary.packages.map(
    ({ name }) => ({ kind: 'remove', name, before: undefined, target: undefined }) as const,
  )
  const transition = {
    operation: 'upgrade',
    options: NO_OPTIONS,
    changes,
    saved: [],
    purge: false,
    purgeKept: [],
    notes: [],
  }
  const again = async (): Promise<TransitionPlan> => assert.fail('nothing is applied here')
  return { transition, summary, redefinitions: new Map(), removal: { machines: [], networks: [] }, again }
}

async function show(printed: Printed, plan = makePlan(SUMMARY), options = {}): Promise<number> {
  return runPlan(printed.io, { outside: { isOffline: false } } as Workspace, plan, {
    name: 'upgrade',
    options,
    nothing: 'nothing',
  })
}

describe('a plan', () => {
  test('goes from upgrades to removals, each in its colour, and counts at the end', async () => {
    const printed = makeIo({ dryRun: true })
    assert.equal(await show(printed), 0)
    assert.deepEqual(
      printed.notes.map(({ text, tone }) => (tone === undefined ? text : `${tone}: ${text}`)),
      [
        'good: Upgrading:',
        'good:   router-uni (1.0 → 1.1)',
        'careful: DOWNGRADING:',
        'careful:   app-old (2.0 → 1.0)',
        'bad: REMOVING:',
        'bad:   a  b',
        'Your edits of domain router-uni stay',
        'The definition of domain router-uni changes:',
        'bad:   --- a/x',
        'good:   +++ b/x',
        'bad:   -old',
        'good:   +new',
        'careful: router-uni runs on as it is until it is restarted',
        'a note',
        '1 upgraded, 0 installed, 1 downgraded, 2 removed',
        'Download 2.0 KiB, disk space 0 B',
      ],
    )
    assert.deepEqual(printed.questions, [])
  })

  test('with many names fits 80 columns', async () => {
    const items = Array.from({ length: 30 }, (_, i) => `package-number-${i} (1.0)`)
    const printed = makeIo({ dryRun: true })
    await show(printed, makePlan({ ...SUMMARY, changes: [{ verb: 'Installing', items }] }))
    for (const { text } of printed.notes) assert.ok(text.length <= 80, text)
  })

  test('prints a long difference on request only', async () => {
    const diff = Array.from({ length: 60 }, (_, i) => `+line ${i}`).join('\n')
    const plan = makePlan({
      ...SUMMARY,
      definitions: [{ kind: 'network', name: 'uni0', diff, edited: false, conflicts: [] }],
    })
    const [short, long] = [makeIo({ dryRun: true }), makeIo({ dryRun: true })]
    await show(short, plan)
    await show(long, plan, { diff: true })
    assert.ok(short.notes.some(({ text }) => text === 'The definition of network uni0 changes (--diff shows how)'))
    assert.ok(!short.notes.some(({ text }) => text.includes('line 59')))
    assert.ok(long.notes.some(({ text }) => text === '  +line 59'))
  })

  test('as JSON is the whole summary, differences included', async () => {
    const printed = makeIo({ dryRun: true, json: true })
    await show(printed)
    assert.deepEqual(printed.json, [SUMMARY])
    assert.deepEqual(printed.notes, [])
  })

  test('that goes back to an older version asks by name, and -y is no answer', async () => {
    const asked = makeIo()
    await assert.rejects(show(asked), { code: 'CONFIRMATION_NEEDED' })
    assert.deepEqual(asked.questions, ['Go back to an older version of app-old?'])
    await assert.rejects(show(makeIo({ assumeYes: true })), { code: 'CONFIRMATION_NEEDED', message: /app-old/ })
    const allowed = makeIo()
    assert.equal(await show(allowed, makePlan(SUMMARY), { allowDowngrade: true }), 1)
    assert.deepEqual(allowed.questions, ['Continue?'])
  })

  test('with nothing to do says so without a question', async () => {
    const printed = makeIo()
    const plan = makePlan({ ...SUMMARY, packages: [] })
    assert.equal(await show(printed, plan), 0)
    assert.deepEqual([printed.questions, printed.notes.map(({ text }) => text)], [[], ['a note', 'nothing']])
  })
})

test('a conflict has two sides', () => {
  assert.deepEqual(
    [conflictSide({}), conflictSide({ conflict: 'keep' }), conflictSide({ conflict: 'replace' })],
    [undefined, 'current', 'after'],
  )
  assert.throws(() => conflictSide({ conflict: 'ours' }), { code: 'USAGE' })
})

describe('startOptions', () => {
  test('reads whether machines start and restart, and how long they may take', () => {
    assert.deepEqual(startOptions({}), { start: true, restart: false, timeoutSeconds: undefined })
    const said = startOptions({ start: false, restart: true, timeout: '600' })
    assert.deepEqual(said, { start: false, restart: true, timeoutSeconds: 600 })
    for (const timeout of ['0', 'soon', '1.5']) assert.throws(() => startOptions({ timeout }), { code: 'USAGE' })
  })
})
