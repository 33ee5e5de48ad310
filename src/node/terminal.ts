/** Implements `Terminal`: the program inherits standard input, output and error. */
import { execa } from 'execa'
import { VmpkgError } from '../errors.ts'
import type { Terminal } from '../ports.ts'

export const systemTerminal: Terminal = {
  async attach(program, args, env) {
    const result = await execa(program, [...args], { stdio: 'inherit', reject: false, env, extendEnv: true })
    if (result.code === 'ENOENT') {
      throw new VmpkgError('TOOL_MISSING', `The program ${program} cannot be found`, { cause: result.cause })
    }
    return result.exitCode ?? 1
  },
}
