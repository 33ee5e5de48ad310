/**
 * A Debian tree of another release with its libvirt, QEMU and a small Linux guest that runs qemu-guest-agent.
 *
 * Trees lie in `$XDG_CACHE_HOME/vmpkg-test` (or `~/.cache/vmpkg-test`), about 310 MB each, named by suite and a digest
 * of what goes in; one that is there is used again, an unfinished one is made anew. Remove the folder at any time, but
 * not while tests run. Packages come from the mirror that the machine's own apt configuration names, and are checked by
 * apt against Debian's keyring.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { AGENT_GUEST } from './agent-guest.ts'
import { cachedFolder } from './cached-folder.ts'
import { debianSources } from './debian-suites.ts'
import { realProcesses } from './real-processes.ts'

const PACKAGES = `libvirt-daemon-system libvirt-clients qemu-system-x86 qemu-utils dnsmasq-base nftables iptables
  iproute2 tini dmidecode qemu-guest-agent busybox-static kmod xz-utils`.split(/\s+/)
const WITHOUT = ['/usr/share/doc/*', '/usr/share/locale/*', '/usr/share/man/*']
const LIMIT_MS = 180_000

/** A reason to skip, or false: trees are made and entered by root. */
export const withoutTrees: string | false =
  process.geteuid?.() !== 0
    ? 'a tree of another release is made and entered by root'
    : existsSync('/usr/bin/mmdebstrap')
      ? false
      : 'mmdebstrap is not installed'

/** The one whose kernel and agent the small Linux is made of; the others have none. */
export const AGENT_SUITE = 'trixie'

/** The path of a complete tree, made when it is not there. */
export async function libvirtTree(suite: string): Promise<string> {
  const content = [PACKAGES, WITHOUT, suite === AGENT_SUITE ? AGENT_GUEST : '']
  return cachedFolder(`libvirt-${suite}`, content, (unfinished) => make(suite, unfinished))
}

async function make(suite: string, tree: string): Promise<void> {
  const options = ['--mode=root', '--variant=minbase', `--include=${PACKAGES.join(',')}`]
  // Lists of a release under test expire within a week, and a mirror may be behind; the signatures are checked all the same.
  options.push('--aptopt=Acquire::Languages "none"', '--aptopt=Acquire::Check-Valid-Until "false"', '--skip=output/dev')
  options.push(...WITHOUT.map((path) => `--dpkgopt=path-exclude=${path}`))
  options.push(...hooksOf(suite).map((hook) => `--customize-hook=${hook}`))
  const whole = ['mmdebstrap', ...options, suite, join(tree, 'root'), ...(await debianSources(suite))]
  const env = { ...process.env, VMPKG_AGENT_GUEST: AGENT_GUEST }
  const result = await realProcesses.run('nice', whole, { env, timeoutMs: LIMIT_MS })
  if (result.exitCode !== 0) throw new Error(`mmdebstrap ${suite}: ${result.stderr.slice(-2000)}`)
}

/** Commands that mmdebstrap runs at the end, with the tree as `$1`. */
function hooksOf(suite: string): readonly string[] {
  return suite === AGENT_SUITE ? ['chroot "$1" sh -c "$VMPKG_AGENT_GUEST"'] : []
}
