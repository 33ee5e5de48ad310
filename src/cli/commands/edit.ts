import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { VmpkgError } from '../../errors.ts'
import { applyEdit, type EditResult, isAboutText, readForEdit } from '../../operations/edit.ts'
import type { Workspace } from '../../operations/workspace.ts'
import { type CommandSpec, type Io, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<machine>',
  summary: 'Edit the definition of a machine, for its next start.',
  description:
    'Opens it in $VISUAL, $EDITOR or vi, as virsh edit does. It is held against\n' +
    'libvirt’s schema and vmpkg’s gate; what cannot stay is named with its line, and\n' +
    'the editor opens again with your text. An upgrade of its package merges it.',
  options: [
    { flags: '--from <file>', summary: 'take the new definition from a file, or from - for standard input' },
    { flags: '--force', summary: 'also what the gate refuses: its package was not granted it' },
    { flags: '--dry-run', summary: 'show the difference and change nothing' },
  ],
  examples: ['vmpkg edit demo', 'vmpkg edit demo --from demo.xml --dry-run'],
  async run({ args, options, io }) {
    const [name = ''] = args
    const workspace = await io.workspace({ write: !io.dryRun })
    const { xml: before } = await readForEdit(workspace, name)
    const request = { name, before, force: options['force'] === true, dryRun: io.dryRun }
    const from = optionText(options, 'from')
    const result =
      from === undefined
        ? await editByHand(workspace, io, request)
        : await applyEdit(workspace, { ...request, after: await readText(from, workspace, io) })
    report(io, result)
    return 0
  },
}

type Request = Parameters<typeof applyEdit>[1]

function report(io: Io, result: EditResult): void {
  const { name, changed, diff, running } = result
  if (io.json) return io.printJson('edit', { dryRun: io.dryRun, ...result })
  if (!changed) return io.print(`${name} is as it was`)
  io.print(diff)
  if (io.dryRun) return
  io.note(`Changed the definition of ${name}`, 'good')
  if (running) io.note(`It runs on as it is until its next start`, 'careful')
}

async function readText(from: string, workspace: Workspace, io: Io): Promise<string> {
  if (from !== '-') {
    return readFile(resolve(workspace.folder, from), 'utf8').catch((cause: unknown) => {
      throw new VmpkgError('USAGE', `Cannot read ${from}`, { hint: 'Name a file with the whole definition.', cause })
    })
  }
  const chunks: Buffer[] = []
  for await (const chunk of io.stdin) chunks.push(Buffer.from(chunk as Uint8Array))
  return Buffer.concat(chunks).toString()
}

/** Until the text can stay, or the person gives up; then it is kept. */
async function editByHand(workspace: Workspace, io: Io, request: Omit<Request, 'after'>): Promise<EditResult> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-edit-'))
  const file = join(folder, `${request.name}.xml`)
  let isKept = false
  try {
    await writeFile(file, request.before, { mode: 0o600 })
    for (;;) {
      await openEditor(workspace, file)
      try {
        return await applyEdit(workspace, { ...request, after: await readFile(file, 'utf8') })
      } catch (error) {
        isKept = true
        if (!isAboutText(error) || !io.stdin.isTTY || !(error instanceof VmpkgError)) throw keeping(error, file)
        io.note(error.message, 'bad')
        const again = await io.ask('Edit it again? y or n', 'y')
        if (!/^y/i.test(again)) throw keeping(error, file)
        isKept = false
      }
    }
  } finally {
    if (!isKept) await rm(folder, { recursive: true, force: true })
  }
}

function keeping(error: unknown, file: string): unknown {
  if (!(error instanceof VmpkgError)) return error
  const { code, message, details, cause } = error
  return new VmpkgError(code, message, { details, cause, hint: `Your text is kept: vmpkg edit NAME --from ${file}` })
}

/** The variable may hold arguments, as for git. */
async function openEditor({ outside }: Workspace, file: string): Promise<void> {
  const script = `exec sh -c "\${VISUAL:-\${EDITOR:-vi}} \\"\\$1\\"" sh "$1"`
  const status = await outside.terminal.attach('/bin/sh', ['-c', script, 'sh', file], {})
  if (status === 0) return
  throw new VmpkgError('ABORTED', `The editor ended with status ${status}`, { hint: 'Nothing was changed.' })
}
