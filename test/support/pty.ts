/** The command line on a terminal of its own, answered like a person does. */
import type { Cli, CliResult } from './cli.ts'

/** Runs a command on a terminal of its own and types each answer once its question is there. */
const ON_A_TERMINAL = `
import json, os, pty, sys
answers, command = json.loads(sys.argv[1]), sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0: os.execvp(command[0], command)
seen = b""
while True:
    try: data = os.read(terminal, 4096)
    except OSError: break
    if not data: break
    os.write(1, data)
    seen += data
    if answers and answers[0][0].encode() in seen:
        os.write(terminal, answers.pop(0)[1].encode() + b"\\r")
        seen = b""
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`

/** @param answers what is typed once the question is there. Standard error is in `stdout`: a terminal has one stream. */
export async function runOnTerminal(
  cli: Cli,
  args: readonly string[],
  answers: readonly (readonly [question: string, answer: string])[],
  env: Readonly<Record<string, string>> = {},
): Promise<CliResult> {
  return cli.run(args, '', { env, prefix: ['python3', '-c', ON_A_TERMINAL, JSON.stringify(answers)] })
}
