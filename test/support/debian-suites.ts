/** Where packages of any Debian release come from in tests: the mirror that the machine's own apt configuration names. */
import { readHostAptSources } from '../../src/publish/apt-sources.ts'
import { realProcesses } from './real-processes.ts'

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** One `deb` line: what the host's apt has for its own release, with the other suite's name. */
export async function debianSources(suite: string): Promise<string[]> {
  const { stdout: own } = await realProcesses.run('sh', ['-c', '. /etc/os-release && printf %s "$VERSION_CODENAME"'])
  const lines = await readHostAptSources(own, ['main'])
  const [first = ''] = lines.filter((line) => line.includes(` ${own} `))
  return [first.replace(/\[signed-by=[^\]]*\]/, `[signed-by=${KEYRING}]`).replace(` ${own} `, ` ${suite} `)]
}
