import { VmpkgError } from '../../errors.ts'
import { saveScreenshot, takeScreenshot } from '../../operations/screenshot.ts'
import { type CommandSpec, optionNumber } from '../command.ts'

export const command: CommandSpec = {
  args: '<machine> [file]',
  summary:
    'Save a picture of a machine’s screen as PNG: to the file, to - for standard output, or to MACHINE.png here.',
  options: [
    { flags: '--screen <number>', summary: 'which screen, counted from 0 over all graphics cards' },
    { flags: '-f, --force', summary: 'replace a file that is there' },
  ],
  examples: ['vmpkg screenshot app-firefox-1', 'vmpkg screenshot app-firefox-1 page.png --force'],
  async run({ args, options, io }) {
    const [name = '', file] = args
    const request = { name, screen: optionNumber(options, 'screen', 0) ?? 0 }
    const workspace = await io.workspace()
    if (file === '-') {
      if (io.stdout.isTTY) {
        throw new VmpkgError('USAGE', 'A picture is nothing for a terminal', {
          hint: 'Pipe it into a program, or name a file.',
        })
      }
      const png = await takeScreenshot(workspace, request)
      await new Promise<void>((done) => io.stdout.write(png, () => done()))
      return 0
    }
    const saved = await saveScreenshot(workspace, { ...request, file, replace: options['force'] === true })
    if (io.json) io.printJson('screenshot', { ...saved })
    else io.print(saved.file)
    return 0
  },
}
