/** Group G of docs/leaks.md, as far as it is about the router: what the agent's channel may be told, and what comes of it. */
import { findReply } from '../../../src/router/agent.ts'
import type { Bench, LeakCase } from '../../support/leak-lab/leak-case.ts'
import { Random } from '../../support/random.ts'

/** Messages with the tests, and in the long run. */
export const FEW_MESSAGES = 2000
export const MANY_MESSAGES = 100_000
/** Messages that go out before the answers are judged. */
const BATCH = 500
/** What `read -n` of the agent takes for a line at most. */
const LINE = 256

const VERBS = ['status', 'reset', 'vpn.list', 'vpn.use', 'tor.newnym']
/** Functions, programs and words of the shell that runs the agent. */
const NAMES = (
  'facts load_rules reset_router set_lan_address start_uplink restart_tunnel answer serve_channel ' +
  'say busybox ip nft reboot poweroff rm kill exit exec eval trap . cd set'
).split(' ')
const BITS = [
  '$(reboot)',
  '`id`',
  ';exit',
  '|cat',
  '>/run/x',
  '&',
  '../..',
  '*',
  '?',
  '~',
  "'",
  '"',
  '\\',
  '${S_SEED}',
  '%s%n',
  '-n',
  '--',
]

const hex = (random: Random, digits: number): string =>
  random
    .bytes(Math.ceil(digits / 2))
    .toString('hex')
    .slice(0, digits)

/** One message with its line end, or a piece without one. */
function message(random: Random): Buffer {
  const nonce = hex(random, 32)
  const line = (text: string): Buffer => Buffer.from(`${text}\n`, 'latin1')
  switch (random.below(12)) {
    case 0:
      return random.bytes(random.below(400))
    case 1:
      return Buffer.concat([random.bytes(random.below(300)), line('')])
    case 2:
      return line(`${random.pick(NAMES)} ${nonce}`)
    case 3:
      return line(`${random.pick(NAMES)} ${nonce} ${random.pick(NAMES)}`)
    case 4:
      return line(`${random.pick(VERBS)} ${random.pick(BITS)}${nonce}`)
    case 5:
      return line(`vpn.use ${nonce} ${random.pick(BITS)}`)
    case 6:
      return line(`${random.pick(VERBS)} ${hex(random, random.below(64))}`)
    case 7:
      return line(`${random.pick(VERBS).toUpperCase()} ${nonce}`)
    case 8:
      return line(`${random.pick(BITS)} ${nonce}`)
    case 9:
      return line(`vpn.use ${nonce} ${hex(random, random.below(300))} ${random.pick(NAMES)}`)
    case 10:
      return line(JSON.stringify({ vmpkg: 1, verb: random.pick(VERBS), nonce, rules: random.pick(BITS) }))
    // Verbs as they should be, now and then: each takes the agent some time.
    default:
      return line(random.chance(0.03) ? `status ${nonce}` : `vpn.list ${nonce} ${random.pick(NAMES)}`)
  }
}

const isText = /^[\w.:/@+ -]*$/
/** `verb nonce [argument]` in the characters that the agent takes. */
const isRequest = /^ *(\S+) +([0-9a-f]{32})(?: +\S+)? *$/

/** Nonces of all lines that are due an answer, as the agent cuts them, with their verbs. NUL bytes do not reach a shell. */
function listDue(bytes: Buffer): ReadonlyMap<string, string> {
  const due = new Map<string, string>()
  for (const whole of bytes.toString('latin1').split('\n')) {
    for (let at = 0; at < Math.max(whole.length, 1); at += LINE) {
      const line = whole.slice(at, at + LINE).replaceAll('\0', '')
      const [, verb = '', nonce] = (isText.test(line) ? isRequest.exec(line) : null) ?? []
      if (nonce !== undefined) due.set(nonce, verb)
    }
  }
  return due
}

/** What must not change by anything that is said to the agent. */
const WITNESS = `
cd /run/vmpkg
for file in $(busybox find /run /etc /usr/lib/vmpkg -type f | sort); do
  case $file in */rules.live* | */rules.file*) ;; *) echo "$file $(sha256sum <"$file")" ;; esac
done
ip -o addr show; ip route show; pidof agent; hostname
busybox ps -o comm | sort -u | grep -v -e busybox -e sh -e ps -e sort -e grep -e sleep
`

async function fuzz({ router }: Bench, count: number): Promise<readonly string[]> {
  const random = new Random(count)
  const wrong: string[] = []
  const before = await router.shell(WITNESS)
  for (let sent = 0; sent < count && wrong.length === 0; sent += BATCH) {
    const bytes = Buffer.concat([...Array.from({ length: BATCH }, () => message(random)), Buffer.from('\n')])
    const due = new Map(listDue(bytes))
    for (const line of await router.talk(bytes, due.size)) {
      const reply = findReply(line)
      const verb = reply === undefined ? undefined : due.get(reply.nonce)
      if (reply === undefined) wrong.push(`no reply: ${JSON.stringify(line.slice(0, 100))}`)
      else if (verb === undefined) wrong.push(`a reply to nothing that was asked: ${JSON.stringify(reply)}`)
      else if (!VERBS.includes(verb) && reply.ok) wrong.push(`${JSON.stringify(verb)} was done`)
      else if (reply.verb !== (VERBS.includes(verb) ? verb : 'unknown'))
        wrong.push(`${verb} was answered as ${reply.verb}`)
      if (reply !== undefined) due.delete(reply.nonce)
    }
    if (due.size > 0) wrong.push(`no answer to ${due.size} questions, ${JSON.stringify([...due.values()].slice(0, 3))}`)
  }
  try {
    const after = await router.shell(WITNESS)
    if (after !== before) wrong.push(`the router is not what it was:\n${before}---\n${after}`)
    await router.attest()
  } catch (error) {
    wrong.push(`the router is gone: ${error instanceof Error ? error.message : String(error)}`)
  }
  return wrong
}

/** @param count a multiple of 500 */
export function agentCase(count: number): LeakCase {
  return {
    id: 'G6',
    title: 'the agent knows five verbs, and nothing that it is told does more or harms it',
    states: ['U'],
    act: (bench) => fuzz(bench, count),
    negative: {
      changes: [
        {
          file: 'usr/lib/vmpkg/channel.sh',
          find: '*) refuse "$2" unknown unsupported ;;',
          replace: '*) "$1" "$2" ;;',
        },
      ],
    },
  }
}

export const AGENT: readonly LeakCase[] = [agentCase(FEW_MESSAGES)]
