/**
 * An ordinary user on a machine of its own, for tests that root runs: the namespaces of a private host are the machine, with
 * a world beyond it (`outside-world.sh`), and the user, who is in no group and has no capability, is only in its /etc/passwd,
 * /etc/subuid and /etc/subgid. No packet leaves those namespaces, also where the user's own uplink leads out.
 */
import { chown, mkdir, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { privateHostPrefix } from '../../src/host/private-host-run.ts'
import { type Cli, makeCli } from './cli.ts'
import { findOrdinaryUser } from './ordinary-user.ts'
import { privateHostMissing, startTestHost, type TestHost } from './private-host.ts'
import { realProcesses } from './real-processes.ts'

const NAME = 'ordinary'
const ID = 60_001
/** The size that a private host asks for. */
const RANGE = `${NAME}:1000000:65536`

export interface UserMachine {
  readonly machine: TestHost
  readonly id: number
  /** Words that run a command on the machine as the user, with the folders that their command line has. */
  asUser(cli: Cli, command: readonly string[]): [string, ...string[]]
  /** A command line of the user on that machine; close it before the machine stops. */
  makeCli(connect: string): Promise<Cli>
  stop(): Promise<void>
}

/** A reason to skip, or `false`. Read it once at the head of a test file. */
export async function userMachineMissing(): Promise<string | false> {
  if (userInfo().uid !== 0) return 'Not root, so the other tests run as an ordinary user already'
  const user = await findOrdinaryUser()
  if (typeof user === 'string' && user.startsWith('/dev/')) return user
  const missing = await privateHostMissing('slirp4netns')
  if (missing !== false) return missing
  const [program, ...words] = setUser(['test', '-r', import.meta.filename, '-a', '-x', process.execPath])
  const { exitCode } = await realProcesses.run(program, words)
  return exitCode === 0 ? false : 'The folder of the project is closed to other users'
}

export async function startUserMachine(): Promise<UserMachine> {
  const machine = await startTestHost()
  try {
    await addUser(machine)
  } catch (error) {
    await machine.stop()
    throw error
  }
  const prefix = [...privateHostPrefix(machine.host), ...setUser([])]
  return {
    machine,
    id: ID,
    asUser: ({ env }, command) =>
      setUser(['env', ...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...command]),
    async makeCli(connect) {
      const cli = await makeCli(connect, undefined, prefix)
      await chown(cli.folder, ID, ID)
      return cli
    },
    stop: () => machine.stop(),
  }
}

/** In the machine's mount namespace alone. */
async function addUser(machine: TestHost): Promise<void> {
  const etc = join(machine.dir, 'etc')
  await mkdir(etc)
  const lines: Readonly<Record<string, string>> = {
    passwd: `root:x:0:0:root:/root:/bin/sh\n${NAME}:x:${ID}:${ID}::/nonexistent:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false`,
    group: `root:x:0:\n${NAME}:x:${ID}:\nkvm:x:104:\nnogroup:x:65534:`,
    subuid: RANGE,
    subgid: RANGE,
  }
  for (const [name, text] of Object.entries(lines)) {
    await writeFile(join(etc, name), `${text}\n`)
    const { exitCode, stderr } = await machine.run(['mount', '-n', '--bind', join(etc, name), `/etc/${name}`])
    if (exitCode !== 0) throw new Error(`/etc/${name} cannot be replaced: ${stderr.trim()}`)
  }
}

/** A command ends with the nsenter before it, so that to kill the one is to kill the other. */
function setUser(command: readonly string[]): [string, ...string[]] {
  const ids = [`--reuid=${ID}`, `--regid=${ID}`, '--clear-groups']
  return ['setpriv', ...ids, '--inh-caps=-all', '--pdeathsig=KILL', ...command]
}
