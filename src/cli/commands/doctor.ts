import type { CheckResult } from '../../host/doctor-check.ts'
import { examineComponents, examineHost } from '../../operations/doctor.ts'
import type { CommandSpec, Io } from '../command.ts'

const MARKS: Readonly<Record<CheckResult['status'], string>> = {
  ok: 'ok',
  warning: 'WARN',
  problem: 'FAIL',
  unknown: '?',
  'not-applicable': '-',
}

export const command: CommandSpec = {
  args: '',
  summary: 'Check this host, its libvirt and vmpkg’s own state, and say what to mend.',
  description:
    'Changes nothing. Each check says what was seen; what is not well also says why it matters and how to mend it. Exit status 1 when there is a problem; warnings are for what only some machines need. docs/doctor.md lists the checks.',
  options: [
    { flags: '-a, --all', summary: 'also what is well' },
    { flags: '--no-probe', summary: 'run no guest to try KVM' },
    { flags: '--components', summary: 'only: which programs this host has' },
  ],
  examples: ['vmpkg doctor', 'vmpkg doctor --all --json', 'vmpkg doctor --components'],
  async run({ options, io }) {
    const workspace = await io.workspace()
    if (options['components'] === true) {
      const components = await examineComponents(workspace)
      if (io.json) io.printJson('components', { components })
      else
        io.printTable(
          ['COMPONENT', 'STATE', 'WHERE'],
          components.map(({ name, state, detail }) => [name, state, detail]),
        )
      return 0
    }
    const { connection, checks } = await examineHost(workspace, { probe: options['probe'] !== false })
    const problems = checks.filter(({ status }) => status === 'problem').length
    if (io.json) io.printJson('doctor', { connection, problems, checks })
    else printChecks(io, checks, options['all'] === true)
    return problems > 0 ? 1 : 0
  },
}

function printChecks(io: Io, checks: readonly CheckResult[], all: boolean): void {
  const shown = checks.filter(({ status }) => all || status === 'problem' || status === 'warning')
  for (const [group, members] of Map.groupBy(shown, (check) => check.group)) {
    io.print(group)
    for (const { id, status, seen, why, fix } of members) {
      io.print(`  ${MARKS[status].padEnd(4)} ${id}: ${seen}`)
      if (why !== undefined) io.print(`       ${why}`)
      if (fix !== undefined) io.print(`       ${fix}`)
    }
  }
  const count = (status: CheckResult['status']): number => checks.filter((check) => check.status === status).length
  io.note(
    `${count('ok')} checks are well, ${count('warning')} warnings, ${count('problem')} problems, ${count('unknown')} unknown.`,
    count('problem') > 0 ? 'bad' : count('warning') > 0 ? 'careful' : 'good',
  )
}
