/**
 * Booted clones of os-debian, a few at a time: what each one is, as it is seen inside and in libvirt, is nobody else's. The
 * SSH host keys are those that its server makes for itself; the random bytes are the first that a program asked for there.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type Cli, makeCli } from '../support/cli.ts'
import { publishTemplates } from '../support/publish-templates.ts'

const HOST = 'clones'
const AT_A_TIME = 2
const READY_SECONDS = '600'

/** Lines of NAME VALUE. The random bytes come first, before anything else here asks for some. */
const SCRIPT = `echo random $(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \\n')
echo boot $(cat /proc/sys/kernel/random/boot_id)
echo hostname $(hostname)
echo machine $(cat /etc/machine-id)
echo product $(cat /sys/class/dmi/id/product_uuid)
for card in /sys/class/net/e*; do echo mac $(cat $card/address); done
echo address $(ip -4 -o address show scope global | tr -s ' ' | cut -d ' ' -f 4)
ssh-keygen -q -A
for key in rsa ecdsa ed25519; do echo key-$key $(cut -d ' ' -f 2 </etc/ssh/ssh_host_\${key}_key.pub); done`

interface ClonesRequest {
  readonly from: number
  readonly cases: number
  readonly until?: number
}

/** Values by what they are; a value that comes twice is an error. */
export class Unique {
  readonly #seen = new Map<string, Map<string, string>>()

  note(what: string, value: string, who: string): void {
    assert.notEqual(value, '', `${who} has no ${what}`)
    const values = this.#seen.get(what) ?? new Map<string, string>()
    assert.ok(!values.has(value), `${who} and ${values.get(value) ?? ''} have the same ${what}: ${value}`)
    this.#seen.set(what, values.set(value, who))
  }

  get counts(): readonly (readonly [string, number])[] {
    return [...this.#seen].map(([what, values]) => [what, values.size])
  }
}

/** Throws at the first thing that two have in common. @returns the figures in Markdown */
export async function soakClones({ from, cases, until = Number.POSITIVE_INFINITY }: ClonesRequest): Promise<string> {
  const cli = await makeCli(`private:${HOST}`)
  try {
    await publishTemplates(cli, ['router-uni', 'os-debian'])
    await cli.ok(['install', '-y', '--grant', 'network', 'router-uni', 'os-debian'])
    const unique = new Unique()
    const began = performance.now()
    let next = from
    while (next < from + cases && Date.now() < until) {
      const count = Math.min(AT_A_TIME, from + cases - next)
      await bootSome(cli, `c${next}`, count, unique)
      next += count
      console.error(`${next - from} of ${cases} clones`)
    }
    // The control: of a machine that is there twice everything is noticed.
    for (const [what] of unique.counts) {
      unique.note(what, 'control', 'one')
      assert.throws(() => unique.note(what, 'control', 'other'), /the same/)
    }
    const seconds = Math.round((performance.now() - began) / 1000)
    const rows = unique.counts.map(([what, count]) => `| ${what} | ${count - 1} |`)
    return [
      `${next - from} clones of os-debian, ${AT_A_TIME} at a time, in ${seconds} s. What two had in common: nothing.`,
      '',
      '| what | different values |',
      '| --- | ---: |',
      ...rows,
    ].join('\n')
  } finally {
    await cli.close()
  }
}

async function bootSome(cli: Cli, name: string, count: number, unique: Unique): Promise<void> {
  const memory = ['--set', 'memory=256MiB']
  const words = ['clone', 'os-debian', '--name', name, '--count', String(count), '--ephemeral', ...memory]
  const { machines } = await cli.json(words)
  const made = machines as readonly { readonly name: string; readonly uuid: string; readonly xml: string }[]
  await cli.ok(['wait', ...made.map((one) => one.name), '--timeout', READY_SECONDS])
  for (const { name: who, uuid, xml } of made) {
    unique.note('uuid', uuid, who)
    unique.note('generation', /<genid>(.*)<\/genid>/.exec(xml)?.[1] ?? uuid, who)
    const said = await cli.ok(['exec', who, '--no-stdin', '--', 'sh', '-c', SCRIPT])
    for (const line of said.trim().split('\n')) {
      const [what = '', value = ''] = line.split(' ')
      unique.note(what, what.startsWith('key-') ? createHash('sha256').update(value).digest('hex') : value, who)
    }
  }
  await cli.ok(['stop', ...made.map((one) => one.name)])
}
