/**
 * Through the ssh program to another machine, where virt-ssh-helper or netcat joins the connection to the daemon's
 * socket. The command line of ssh is libvirt's. Values reach the far shell as arguments of a fixed script, quoted.
 */
import type { Command } from './transport-command.ts'
import type { SshTarget } from './uri.ts'

/** What is run on this machine. */
export function sshCommand(target: SshTarget, env: Command['env']): Command {
  const { command, host, hostKeyChecking, keyfile, knownHosts, port, tty, user } = target
  const args = [
    ...(port === undefined ? [] : ['-p', String(port)]),
    ...(user === undefined ? [] : ['-l', user]),
    ...(keyfile === undefined ? [] : ['-i', keyfile]),
    // No terminal over there, and no escape character: the protocol needs every byte.
    '-T',
    '-e',
    'none',
    ...(tty ? [] : ['-o', 'BatchMode=yes']),
    ...(hostKeyChecking === undefined ? [] : ['-o', `StrictHostKeyChecking=${hostKeyChecking}`]),
    ...(knownHosts === undefined ? [] : ['-o', `UserKnownHostsFile=${sshPath(knownHosts)}`]),
    // A host is no option, whatever it looks like.
    '--',
    host,
    remoteCommand(target),
  ]
  return { program: command, args, env, label: `ssh to ${host}`, hint: (words) => hint(words, host) }
}

/** What the far shell is given: one `sh -c` with a script that never changes, and the values as its arguments. */
export function remoteCommand({ proxy, helperUri, netcat, socket, readonly }: SshTarget): string {
  const helper = `exec virt-ssh-helper ${readonly ? '-r ' : ''}"$1"`
  // Debian's netcat stays when its input ends, unless it is told so by -q; other kinds do not know the option.
  const throughNetcat =
    'case $("$2" -q 2>&1 </dev/null) in *requires*) exec "$2" -q 0 -U "$3";; *) exec "$2" -U "$3";; esac'
  const script = {
    native: helper,
    netcat: throughNetcat,
    auto: `if command -v virt-ssh-helper >/dev/null 2>&1; then ${helper}; else ${throughNetcat}; fi`,
  }[proxy]
  return ['sh', '-c', ...[script, 'sh', helperUri, netcat, socket].map(quoteForShell)].join(' ')
}

/** One word for a POSIX shell, whatever is in it. */
export function quoteForShell(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}

/** A path as a value of ssh's settings, where blanks part values and % begins a variable. */
function sshPath(path: string): string {
  return `"${path.replaceAll('%', '%%').replaceAll(/["\\]/g, '\\$&')}"`
}

const HINTS: readonly (readonly [RegExp, (host: string) => string])[] = [
  [
    /REMOTE HOST IDENTIFICATION HAS CHANGED|host key .* has changed/i,
    (host) =>
      `somebody else may be answering for ${host}; if its key was replaced, forget the old one: ssh-keygen -R ${host}`,
  ],
  [
    /Host key verification failed|No .* host key is known/i,
    (host) => `accept the key once with "ssh ${host}", or add no_verify=1 to accept any that is new`,
  ],
  [
    /Permission denied/i,
    () =>
      'name a private key with keyfile=, or load one into ssh-agent; its public half must be in authorized_keys there',
  ],
  [/Broken pipe|Connection reset|closed by remote host/i, () => 'the connection was lost'],
  [/Could not resolve hostname/i, () => 'check the host of the URI'],
  [/Connection refused|No route to host|timed out/i, () => 'check host and port, and that sshd runs there'],
  [
    /virt-ssh-helper.*not found|not found.*virt-ssh-helper/i,
    () => "install libvirt's daemon package there, or use netcat: proxy=netcat with socket= for a session",
  ],
  [/(?:nc|netcat)\b.*not found/i, () => 'install netcat there, or name it with netcat='],
  [
    /No such file or directory|cannot connect to/i,
    () => 'no daemon listens there; start it, or name its socket with socket=',
  ],
]

function hint(words: string, host: string): string | undefined {
  if (words === '') return 'it gave no reason: the connection was lost, or what ran there has ended'
  return HINTS.find(([pattern]) => pattern.test(words))?.[1](host)
}
