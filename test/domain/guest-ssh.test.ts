/** SSH in a guest: its keys with an agent that runs programs on this machine, its channels with a libvirt that is told. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { type Duplex, duplexPair } from 'node:stream'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { channelName, openGuestSsh, prepareGuestSsh, type SshDomain } from '../../src/domain/guest-ssh.ts'
import { LibvirtError } from '../../src/libvirt/error.ts'
import { type Lie, localAgent } from '../support/local-agent.ts'

const FOLDER = '/run/vmpkg-ssh'
const KEY = { line: `ssh-ed25519 ${'A'.repeat(68)}`, name: 'ab'.repeat(16) }
const OTHER = { line: `ssh-ed25519 ${'B'.repeat(68)}`, name: 'cd'.repeat(16) }
const skip = process.getuid?.() !== 0 && 'needs to write into /run'
const signal = new AbortController().signal

function refusal(code: number, message: string): LibvirtError {
  return new LibvirtError({ code, domain: 10, message, level: 2 } as never)
}

interface Told {
  /** Channels that somebody has open. */
  readonly busy?: readonly string[]
  /** libvirt attaches none. */
  readonly full?: boolean
  readonly lie?: Lie
  /** Of the guest, when its server is started: with the word that it was given. */
  readonly onStart?: (guest: Duplex, word: string) => void
}

/** A domain whose channels are attached and opened as libvirt does it. */
function domain({ busy = [], full = false, lie, onStart }: Told = {}): SshDomain & {
  readonly attached: string[]
  readonly host: Duplex
} {
  const attached: string[] = [...busy]
  const [host, guest] = duplexPair()
  const agent = localAgent((execute, args) => {
    const lied = lie?.(execute, args)
    if (lied !== undefined) return lied
    if (execute === 'guest-exec' && args['path'] === 'setsid') {
      const words = args['arg'] as readonly string[]
      onStart?.(guest, words[5] ?? '')
      return { pid: 7 }
    }
    return execute === 'guest-exec-status' && args['pid'] === 7 ? { exited: false } : undefined
  })
  return {
    ...agent,
    attached,
    host,
    getXMLDesc: async () =>
      `<domain><devices>${attached.map((name) => `<channel type='unix'><target type='virtio' name='${name}'/></channel>`).join('')}</devices></domain>`,
    attachDevice: async ({ xml }: { readonly xml: string }) => {
      if (full) throw refusal(1, 'no more ports')
      attached.push(/name='([^']+)'/.exec(xml)?.[1] ?? '')
    },
    openChannel: async ({ name }: { readonly name?: string }) => {
      if (busy.includes(name ?? '')) throw refusal(9, 'Active channel stream exists for this domain')
      return host
    },
  } as unknown as ReturnType<typeof domain>
}

const open = async (one: SshDomain): Promise<Duplex> =>
  openGuestSsh(one, KEY, { randomness: { bytes: (count) => randomBytes(count) }, signal })

describe('keys of SSH in a guest', { skip, timeout: 60_000 }, () => {
  after(async () => rm(FOLDER, { recursive: true, force: true }))

  test('of the server is made once, also where two ask at the same time, and is in no folder of the system', async () => {
    const agent = domain()
    const [one, two] = await Promise.all([prepareGuestSsh(agent, KEY, signal), prepareGuestSsh(agent, OTHER, signal)])
    assert.match(one, /^ssh-ed25519 [A-Za-z0-9+/]{68}$/)
    assert.equal(two, one)
    assert.equal(await prepareGuestSsh(agent, KEY, signal), one)
    assert.deepEqual((await readdir(FOLDER)).toSorted(), [KEY.name, OTHER.name, 'host_key'].toSorted())
    assert.equal(await readFile(`${FOLDER}/${OTHER.name}`, 'utf8'), `${OTHER.line}\n`)
    // sshd reads what it lets in as the user who comes, and its own key as root.
    const modes = await Promise.all(['', `/${KEY.name}`, '/host_key'].map(async (name) => stat(FOLDER + name)))
    assert.deepEqual(
      modes.map(({ mode }) => mode & 0o777),
      [0o711, 0o644, 0o600],
    )
  })

  for (const [what, said, code] of [
    ['a guest without a server', 'none\n', 'AGENT_UNAVAILABLE'],
    ['a guest that makes a key up', 'ssh-ed25519 AAAA\n@cert-authority *\n', 'AGENT_REFUSED'],
    ['a guest that names another kind', `ssh-rsa ${'A'.repeat(68)}\n`, 'AGENT_REFUSED'],
  ] as const) {
    test(`are refused of ${what}`, async () => {
      const lie: Lie = (execute) => {
        if (execute === 'guest-exec') return { pid: 5 }
        return { exited: true, exitcode: 0, 'out-data': Buffer.from(said).toString('base64') }
      }
      await assert.rejects(prepareGuestSsh(domain({ lie }), KEY, signal), { code })
    })
  }
})

describe('a channel for SSH', { timeout: 60_000 }, () => {
  test('is attached where there is none, and what an earlier session left in it is dropped', async () => {
    const one = domain({
      onStart: (guest, word) => void guest.write(`old bytes${word.slice(1)}\n${word}\nSSH-2.0-first`),
    })
    const channel = await open(one)
    assert.deepEqual(one.attached, [channelName(0)])
    const [first] = (await once(channel.resume(), 'data')) as Buffer[]
    assert.equal(String(first), 'SSH-2.0-first')
    channel.destroy()
  })

  test('is the first that nobody has open', async () => {
    const one = domain({
      busy: [channelName(0), channelName(1)],
      onStart: (guest, word) => void guest.write(`${word}\n`),
    })
    const channel = await open(one)
    assert.deepEqual(one.attached, [0, 1, 2].map(channelName))
    channel.destroy()
  })

  test('that cannot be attached is refused with libvirt’s reason and another way', async () => {
    await assert.rejects(open(domain({ full: true })), ({ code, hint }: { code: string; hint: string }) => {
      return code === 'AGENT_UNAVAILABLE' && /no more ports/.test(hint) && /vmpkg exec guest/.test(hint)
    })
    await assert.rejects(open(domain({ busy: Array.from({ length: 16 }, (_, i) => channelName(i)) })), {
      code: 'AGENT_UNAVAILABLE',
    })
  })

  test('whose server ends before it says a word is refused, and closed', async () => {
    const lie: Lie = (execute, args) =>
      execute === 'guest-exec-status' && args['pid'] === 7 ? { exited: true, exitcode: 3 } : undefined
    const one = domain({ lie })
    await assert.rejects(open(one), { code: 'AGENT_UNAVAILABLE' })
    assert.ok(one.host.destroyed)
  })

  test('ends with its server', async () => {
    let exited = false
    const lie: Lie = (execute, args) =>
      execute === 'guest-exec-status' && args['pid'] === 7 ? { exited, exitcode: 0 } : undefined
    const channel = await open(domain({ lie, onStart: (guest, word) => void guest.write(`${word}\n`) }))
    await sleep(50)
    assert.equal(channel.destroyed, false)
    exited = true
    await once(channel, 'close')
  })
})
