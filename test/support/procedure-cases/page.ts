/** docs/libvirt-procedures.md, made of the verdicts. */
import { type EventName, events } from '../../../src/libvirt/events.ts'
import { type DaemonSpec, expectedOf, unseenReason } from './expectations.ts'
import { procedures } from './procedures.ts'
import type { Expected } from './verdicts.ts'

const HEAD = `# What libvirt's daemons answer

Every procedure that \`vmpkg/libvirt\` knows, run against real daemons by \`test/integration/libvirt-procedures.test.ts\`,
which fails when a daemon does otherwise than this page says. The page is made by
\`node test/integration/libvirt-procedures.test.ts --write\`.

- **✓** the call succeeded, and a check looked at the decoded result.
- **test** the same, by libvirt's test driver behind the same daemon: QEMU's driver cannot or may not do it there.
- A name is the error that the daemon gave, as \`LibvirtError.is()\` takes it; the arguments had been understood.
- **–** not reached.

The first three daemons run with every test of the project, as far as the machine has what they need. The others are run
by hand: virtqemud, built from libvirt's source, with \`VMPKG_TEST_VIRTQEMUD=/path/of/virtqemud\`, and libvirt 12.8 with
\`VMPKG_TEST_LIBVIRT_SUITES=trixie,forky\`. Releases other than the machine's own come out of a tree of that Debian suite,
which is kept in \`~/.cache/vmpkg-test\`.
`

export function formatPage(daemons: readonly DaemonSpec[]): string {
  const names = daemons.map(({ name }) => name)
  return [
    HEAD,
    '## Tally\n',
    table(['', ...names], tally(daemons)),
    '## Procedures\n',
    table(['procedure', 'since', ...names], procedureRows(daemons)),
    '## Why not\n',
    ...reasons(daemons),
    '\n## Events\n',
    '**✓** the event came and was decoded, from any driver of the daemon.\n',
    table(['event', 'since', ...names], eventRows(daemons)),
    ...eventReasons(daemons),
    '',
  ].join('\n')
}

function tally(daemons: readonly DaemonSpec[]): string[][] {
  const count = (is: (expected: Expected) => boolean) =>
    daemons.map((daemon) => String([...procedures].filter(([name, row]) => is(expectedOf(daemon, name, row))).length))
  return [
    ['decoded', ...count(({ kind }) => kind === 'decoded')],
    ['decoded, test driver', ...count(({ kind }) => kind === 'by test driver')],
    ['expected error', ...count(({ kind }) => kind === 'refused')],
    ['not reached', ...count(({ kind }) => kind === 'not reached')],
    ['all', ...daemons.map(() => String(procedures.size))],
  ]
}

function procedureRows(daemons: readonly DaemonSpec[]): string[][] {
  return [...procedures].map(([name, row]) => [
    `\`${name}\``,
    row.since,
    ...daemons.map((daemon) => cell(expectedOf(daemon, name, row))),
  ])
}

function cell(expected: Expected): string {
  if (expected.kind === 'decoded') return '✓'
  if (expected.kind === 'by test driver') return 'test'
  if (expected.kind === 'not reached') return '–'
  return expected.errors.map((error) => (error === '*' ? 'an error' : `\`${error}\``)).join(' or ')
}

/** One line for each reason, with the procedures it holds for on each daemon. */
function reasons(daemons: readonly DaemonSpec[]): string[] {
  const byReason = new Map<string, string[]>()
  for (const [name, row] of procedures) {
    const whys = new Map<string, string[]>()
    for (const daemon of daemons) {
      const expected = expectedOf(daemon, name, row)
      if (expected.kind !== 'decoded') whys.set(expected.why, [...(whys.get(expected.why) ?? []), daemon.name])
    }
    for (const [why, where] of whys) {
      const key = `${where.length === daemons.length ? 'all daemons' : where.join(', ')}: ${why}`
      byReason.set(key, [...(byReason.get(key) ?? []), `\`${name}\``])
    }
  }
  return [...byReason].map(([reason, names]) => `- ${reason}: ${names.join(', ')}`)
}

function eventRows(daemons: readonly DaemonSpec[]): string[][] {
  return (Object.keys(events) as EventName[]).map((name) => [
    `\`${name}\``,
    events[name].since,
    ...daemons.map((daemon) => (unseenReason(daemon, name) === undefined ? '✓' : '–')),
  ])
}

function eventReasons(daemons: readonly DaemonSpec[]): string[] {
  const lines = new Map<string, Set<string>>()
  for (const name of Object.keys(events) as EventName[])
    for (const daemon of daemons) {
      const why = unseenReason(daemon, name)
      if (why !== undefined) lines.set(why, (lines.get(why) ?? new Set<string>()).add(`\`${name}\``))
    }
  return [...lines].map(([why, names]) => `- ${[...names].join(', ')}: ${why}`)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return `${[line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')}\n`
}
