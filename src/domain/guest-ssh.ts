/**
 * OpenSSH's server in a guest, for one session, over a virtio channel of that machine: no network, no service, and nothing
 * of the guest's own settings changes. The agent starts it; its host key and the keys that it lets in are in the guest's
 * /run, so they end with its run.
 *
 * A channel is attached when it is needed and stays until the machine is off: who has it open is libvirt's business,
 * which lets one in at a time, so nothing has to be taken away after a crash.
 */
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { VmpkgError } from '../errors.ts'
import type { Domain } from '../libvirt/domain.ts'
import { LibvirtError } from '../libvirt/error.ts'
import type { Randomness } from '../ports.ts'
import { findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { pollProcess, startProcess } from './guest-agent.ts'
import { runScript } from './guest-run.ts'

/** Of QEMU's 31 ports of a controller these may become ours: so many sessions at a time. */
const CHANNELS = 16
const OPEN_MS = 10_000
const START_MS = 60_000
const POLL_MS = 250
/** How often it is looked whether the server still lives. */
const LIFE_MS = 2000

export type SshDomain = Pick<Domain, 'name' | 'agentCommand' | 'openChannel' | 'attachDevice' | 'getXMLDesc'>

/** The public key of the client, one line of OpenSSH's: what is let in, and by what name its file goes in the guest. */
export interface ClientKey {
  readonly line: string
  /** Lower-case hexadecimal. */
  readonly name: string
}

/**
 * Status 3: no server there. A key is made beside and linked to its name, so that two at once have the same one.
 * Words: the client's key file, its line.
 */
const PREPARE = `umask 077
sshd=$(command -v sshd || ls /usr/sbin/sshd /usr/local/sbin/sshd 2>/dev/null | head -n 1)
[ -n "$sshd" ] && command -v ssh-keygen >/dev/null || { echo none; exit 0; }
d=/run/vmpkg-ssh
mkdir -p "$d" /run/sshd && chmod 755 /run/sshd && chmod 711 "$d" || exit 1
if [ ! -s "$d/host_key" ]; then
  n=$(mktemp -d "$d/new.XXXXXX") || exit 1
  ssh-keygen -q -t ed25519 -N '' -C '' -f "$n/key" </dev/null && ln "$n/key" "$d/host_key" 2>/dev/null
  rm -rf "$n"
fi
printf '%s\\n' "$2" >"$d/$1.$$" && chmod 644 "$d/$1.$$" && mv "$d/$1.$$" "$d/$1" || exit 1
ssh-keygen -y -f "$d/host_key"`

/**
 * Words: the port, a word for its first line, the client's key file. A server that an earlier session left has the port
 * still open, so it is ended first; that one is nobody's by now, for the channel is ours.
 */
const SERVE = `p=
i=0
while [ -z "$p" ]; do
  for f in /sys/class/virtio-ports/*; do
    [ "$(cat "$f/name" 2>/dev/null)" = "$1" ] && p=/dev/\${f##*/}
  done
  i=$((i + 1))
  [ -n "$p" ] || { [ $i -le 100 ] && sleep 0.1; } || exit 3
done
d=/run/vmpkg-ssh
o=$(cat "$d/$1.pid" 2>/dev/null) && grep -q sshd "/proc/$o/cmdline" 2>/dev/null && kill -KILL "-$o"
echo $$ >"$d/$1.pid"
i=0
until (exec 3<>"$p") 2>/dev/null; do
  i=$((i + 1))
  [ $i -le 100 ] && sleep 0.1 || exit 4
done
exec 3<>"$p"
printf '%s\\n' "$2" >&3
sshd=$(command -v sshd || ls /usr/sbin/sshd /usr/local/sbin/sshd 2>/dev/null | head -n 1)
umask 022
cd /
exec "$sshd" -i -f /dev/null -o HostKey="$d/host_key" -o AuthorizedKeysFile="$d/$3" -o PermitRootLogin=prohibit-password \\
  -o PasswordAuthentication=no -o KbdInteractiveAuthentication=no -o UsePAM=yes -o PrintMotd=no -o PermitTunnel=no \\
  -o 'AcceptEnv=LANG LC_*' -o 'Subsystem=sftp internal-sftp' <&3 >&3 2>/dev/null 3>&-`

/**
 * Lets that key in until the guest restarts. @returns the server's host key, as `known_hosts` has it: type and base64
 * @throws {VmpkgError} `AGENT_UNAVAILABLE` where the guest has no OpenSSH server, `AGENT_REFUSED`
 */
export async function prepareGuestSsh(domain: SshDomain, key: ClientKey, signal: AbortSignal): Promise<string> {
  const said = (await runScript(domain, PREPARE, [key.name, key.line], signal)).toString().trim()
  if (said === 'none') {
    throw new VmpkgError('AGENT_UNAVAILABLE', `${domain.name} has no OpenSSH server inside`, {
      hint: `Install openssh-server in it, or do without: vmpkg exec ${domain.name} -- COMMAND`,
    })
  }
  const found = /^(ssh-ed25519 [A-Za-z0-9+/]{68})(?: |$)/.exec(said)?.[1]
  if (found !== undefined) return found
  throw new VmpkgError('AGENT_REFUSED', `${domain.name} made no host key for an SSH server`, {
    hint: 'It is the guest’s own word; look inside with vmpkg console.',
  })
}

/**
 * A server at the other end of the stream, which ends with it, and when it does.
 * @throws {VmpkgError} `AGENT_UNAVAILABLE` where no channel can be had or no server starts; `AGENT_REFUSED` `ABORTED`
 */
export async function openGuestSsh(
  domain: SshDomain,
  key: ClientKey,
  { randomness, signal }: { readonly randomness: Randomness; readonly signal: AbortSignal },
): Promise<Duplex> {
  const { name, channel } = await takeChannel(domain)
  channel.on('error', () => {}) // what ends it is told by 'close'
  try {
    const word = Buffer.from(randomness.bytes(16)).toString('hex')
    // A session of its own, so that all of it can be ended.
    const args = ['/bin/sh', '-c', SERVE, 'sh', name, word, key.name]
    const pid = await startProcess(domain, { path: 'setsid', args, capture: false })
    await awaitWord(domain, channel, word, pid, signal)
    void watch(domain, channel, pid)
    return channel
  } catch (error) {
    channel.destroy()
    throw error
  }
}

export function channelName(index: number): string {
  return `org.vmpkg.ssh.${index}`
}

/** The first that nobody has. */
async function takeChannel(domain: SshDomain): Promise<{ readonly name: string; readonly channel: Duplex }> {
  let refusal: LibvirtError | undefined
  for (let index = 0; index < CHANNELS; index++) {
    const name = channelName(index)
    if (!(await hasChannel(domain, name))) {
      const xml = `<channel type='unix'><target type='virtio' name='${name}'/></channel>`
      await domain.attachDevice({ xml, flags: ['live'] }).catch((error: unknown) => {
        if (!(error instanceof LibvirtError)) throw error
        refusal = error // another vmpkg may have been faster
      })
      if (refusal !== undefined && !(await hasChannel(domain, name))) break
    }
    const channel = await domain.openChannel({ name, timeoutMs: OPEN_MS }).catch((error: unknown) => {
      if (error instanceof LibvirtError && error.is('operationFailed')) return undefined
      throw error
    })
    if (channel !== undefined) return { name, channel }
  }
  throw new VmpkgError('AGENT_UNAVAILABLE', `${domain.name} has no channel left for an SSH session`, {
    hint:
      refusal === undefined
        ? `${CHANNELS} sessions at a time; vmpkg exec ${domain.name} -- COMMAND needs none.`
        : `libvirt says: ${refusal.message.slice(0, 200)}. vmpkg exec ${domain.name} -- COMMAND needs none.`,
    cause: refusal,
  })
}

async function hasChannel(domain: SshDomain, name: string): Promise<boolean> {
  const ends = findElements(parseXml(await domain.getXMLDesc()).root, 'devices/channel/target')
  return ends.some((target) => getAttribute(target, 'name') === name)
}

/** What an earlier session left comes first, and is dropped. */
async function awaitWord(
  domain: SshDomain,
  channel: Duplex,
  word: string,
  pid: number,
  signal: AbortSignal,
): Promise<void> {
  const line = Buffer.from(`${word}\n`)
  const heard = Promise.withResolvers<boolean>()
  let held = Buffer.alloc(0)
  const onData = (chunk: Buffer): void => {
    held = Buffer.concat([held, chunk])
    const at = held.indexOf(line)
    if (at === -1) held = held.subarray(-line.length)
    else {
      channel.pause().off('data', onData)
      const rest = held.subarray(at + line.length)
      if (rest.length > 0) channel.unshift(rest)
      heard.resolve(true)
    }
  }
  const fail = (): void => heard.resolve(false)
  channel.on('data', onData).once('close', fail).once('end', fail)
  const timer = setTimeout(fail, START_MS)
  const over = new AbortController()
  signal.addEventListener('abort', fail, { once: true })
  void awaitExit(domain, pid, over.signal, POLL_MS).then(fail, fail)
  const isThere = await heard.promise
  over.abort()
  clearTimeout(timer)
  signal.removeEventListener('abort', fail)
  channel.off('data', onData).off('close', fail).off('end', fail)
  if (isThere) return
  if (signal.aborted) throw new VmpkgError('ABORTED', 'Interrupted', { cause: signal.reason })
  throw new VmpkgError('AGENT_UNAVAILABLE', `The SSH server in ${domain.name} does not start`, {
    hint: `Ask it why: vmpkg exec ${domain.name} -- sshd -t. Without it: vmpkg exec ${domain.name} -- COMMAND`,
  })
}

/** A server that is gone ends the stream: over a channel nobody else would tell. */
async function watch(domain: SshDomain, channel: Duplex, pid: number): Promise<void> {
  const over = new AbortController()
  channel.once('close', () => over.abort())
  const isOver = await awaitExit(domain, pid, over.signal, LIFE_MS)
  if (isOver) channel.destroy()
  // The agent keeps the status of what ended until somebody asks.
  else await pollProcess(domain, pid).catch(() => {})
}

/** False when it was given up. A guest that does not answer now, being paused, is not one that is over. */
async function awaitExit(domain: SshDomain, pid: number, signal: AbortSignal, everyMs: number): Promise<boolean> {
  while (!signal.aborted) {
    const found = await pollProcess(domain, pid).catch((error: unknown) => {
      if (error instanceof VmpkgError) return error.code === 'AGENT_UNAVAILABLE' ? undefined : { exited: true }
      throw error
    })
    if (found?.exited === true) return true
    await sleep(everyMs, undefined, { signal }).catch(() => {})
  }
  return false
}
