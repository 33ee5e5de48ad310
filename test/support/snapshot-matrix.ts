/**
 * Every operation on snapshots, as rows that run on a libvirt of any release: with BIOS and UEFI, running and off, with and
 * without memory, made by vmpkg and by virsh. Content is written by qemu-io, of a machine that runs through its own QEMU.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cli } from './cli.ts'
import { makeSnapshotMachine, type SnapshotMachine } from './snapshot-machine.ts'

export interface Bench {
  readonly cli: Cli
  readonly uri: string
  readonly overlays: string
  readonly folder: string
  readonly firmware: { readonly code: string; readonly variables: string }
  /** `9.0`, `11.3` */
  readonly release: string
}

export interface Row {
  readonly name: string
  /** Firmware it makes sense with; both where it is not said. */
  readonly only?: 'bios' | 'uefi'
  run(stage: Stage): Promise<void>
}

const MIB = 1024 ** 2
const PLACE = '1M'

/** One machine, made for one row. */
export class Stage {
  readonly bench: Bench
  readonly machine: SnapshotMachine
  readonly isUefi: boolean
  #baseDigest = ''

  constructor(bench: Bench, name: string, isUefi: boolean) {
    this.bench = bench
    this.isUefi = isUefi
    const { overlays, folder, firmware } = bench
    this.machine = makeSnapshotMachine({ name, overlays, folder, ...(isUefi ? { firmware } : {}) })
    const file = join(folder, `${name}.xml`)
    writeFileSync(file, this.machine.xml)
    this.virsh('define', file)
    this.#baseDigest = digest(this.machine.base)
  }

  virsh(...args: readonly string[]): string {
    return execFileSync('virsh', ['-q', '-c', this.bench.uri, ...args], {
      encoding: 'utf8',
      stdio: 'pipe',
      timeout: 60_000,
    })
  }

  refused(...args: readonly string[]): string {
    try {
      this.virsh(...args)
    } catch (error) {
      return String((error as { readonly stderr?: unknown }).stderr)
    }
    assert.fail(`virsh ${args.join(' ')} was not refused`)
  }

  get name(): string {
    return this.machine.name
  }

  snapshot(verb: string, ...words: readonly string[]): Promise<Record<string, unknown>> {
    return this.bench.cli.json(['snapshot', verb, this.name, ...words, '-y'])
  }

  async names(): Promise<readonly string[]> {
    const { snapshots } = (await this.bench.cli.json(['snapshot', 'list', this.name])) as {
      snapshots: readonly { readonly name: string; readonly current: boolean }[]
    }
    return snapshots.map(({ name, current }) => (current ? `${name}*` : name))
  }

  /** The file that it goes on with. */
  disk(): string {
    return /^ *vda +(\S+)$/m.exec(this.virsh('domblklist', this.name))?.[1] ?? ''
  }

  state(): string {
    return this.virsh('domstate', this.name).trim()
  }

  start(): void {
    this.virsh('start', this.name)
  }

  stop(): void {
    this.virsh('destroy', this.name)
  }

  monitor(command: string): string {
    return this.virsh('qemu-monitor-command', this.name, '--hmp', command)
  }

  /** What the guest would write. */
  write(pattern: number, place = PLACE): void {
    if (this.state() === 'shut off') {
      execFileSync('qemu-io', ['-f', 'qcow2', '-c', `write -P ${pattern} ${place} 64k`, this.disk()], { stdio: 'pipe' })
      return
    }
    // What it says goes to QEMU's log: the file tells whether it was done.
    for (const command of [`write -P ${pattern} ${place} 64k`, 'flush']) {
      this.monitor(`qemu-io -d /machine/peripheral/virtio-disk0/virtio-backend "${command}"`)
    }
    this.holds(pattern, place)
  }

  /** What the guest would read. */
  holds(pattern: number, place = PLACE): void {
    const args = [
      '-r',
      '-U',
      '-f',
      'qcow2',
      '-c',
      `read -P ${pattern} ${place} 64k`,
      '-c',
      `read -v ${place} 16`,
      this.disk(),
    ]
    const { stdout, stderr } = spawnSync('qemu-io', args, { encoding: 'utf8' })
    assert.doesNotMatch(stdout + stderr, /verification failed/, `${this.name} does not hold ${pattern}: ${stdout}`)
    assert.match(stdout, /read 65536/, stderr)
  }

  /** What is there, as the byte that fills it. */
  read(place = PLACE): number {
    const said = spawnSync('qemu-io', ['-r', '-U', '-f', 'qcow2', '-c', `read -v ${place} 16`, this.disk()], {
      encoding: 'utf8',
    })
    return Number.parseInt(/^[0-9a-f]{8}: +([0-9a-f]{2}) /m.exec(said.stdout)?.[1] ?? '', 16)
  }

  writeVariables(text: string): void {
    const file = this.nvram()
    const bytes = readFileSync(file)
    bytes.write(text, bytes.length - 64, 'latin1')
    writeFileSync(file, bytes)
  }

  variables(): string {
    return readFileSync(this.nvram())
      .toString('latin1', readFileSync(this.nvram()).length - 64)
      .replaceAll('\xff', '')
      .trim()
  }

  nvram(): string {
    return /<nvram[^>]*>([^<]+)</.exec(this.virsh('dumpxml', '--inactive', this.name))?.[1] ?? ''
  }

  /** Of what a paused guest has in its memory. */
  memory(): string {
    const file = join(this.bench.folder, `${this.name}.ram`)
    const command = { execute: 'pmemsave', arguments: { val: 0, size: 16 * MIB, filename: file } }
    const said = this.virsh('qemu-monitor-command', this.name, JSON.stringify(command))
    assert.match(said, /"return"/, said)
    const found = digest(file)
    rmSync(file)
    return found
  }

  files(): readonly string[] {
    const { uuid } = this.machine
    return readdirSync(this.bench.overlays)
      .filter((name) => name.startsWith(uuid))
      .map((name) => name.slice(uuid.length))
      .toSorted()
  }

  layers(): number {
    const info = execFileSync('qemu-img', ['info', '-U', '--backing-chain', '--output=json', this.disk()], {
      encoding: 'utf8',
    })
    return (JSON.parse(info) as readonly unknown[]).length
  }

  /** Whatever happened: every file is sound, the base is as it was, libvirt and the headers tell the same. */
  check(): void {
    const { overlays } = this.bench
    assert.equal(digest(this.machine.base), this.#baseDigest, 'the base has changed')
    for (const name of this.files()) {
      if (
        !readFileSync(join(overlays, this.machine.uuid + name))
          .subarray(0, 3)
          .equals(Buffer.from('QFI'))
      )
        continue
      execFileSync('qemu-img', ['check', '-U', '-q', join(overlays, this.machine.uuid + name)], { stdio: 'pipe' })
    }
    const xml = this.virsh('dumpxml', '--inactive', this.name)
    const disk = xml.slice(xml.indexOf("device='disk'"), xml.indexOf("<target dev='vda'"))
    const said = [...disk.matchAll(/source file='([^']+)'/g)].map((match) => realpathSync(match[1] ?? ''))
    const info = execFileSync('qemu-img', ['info', '-U', '--backing-chain', '--output=json', this.disk()], {
      encoding: 'utf8',
    })
    const real = (JSON.parse(info) as readonly { readonly filename: string }[]).map(({ filename }) =>
      realpathSync(filename),
    )
    assert.deepEqual(said, real, 'the definition names another chain than the headers')
    assert.match(xml, new RegExp(` overlay="${said[0]}"`))
  }

  /** Also where it failed. */
  async remove(): Promise<void> {
    await this.bench.cli.run(['rm', '--force', '-y', this.name])
  }
}

function digest(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}

export const ROWS: readonly Row[] = [
  {
    name: 'create and revert, off',
    async run(stage) {
      stage.write(1)
      await stage.snapshot('create', 'one')
      stage.write(2)
      await stage.snapshot('create', 'two', '--description', 'the second & last')
      stage.write(3)
      assert.deepEqual(await stage.names(), ['one', 'two*'])
      assert.match(stage.virsh('snapshot-list', stage.name, '--tree'), /one[^]*\+- two/)
      assert.match(stage.virsh('snapshot-dumpxml', stage.name, 'two'), /<description>the second &amp; last</)
      await stage.snapshot('revert', 'one')
      assert.deepEqual(await stage.names(), ['one*', 'two'])
      assert.equal(stage.virsh('snapshot-current', stage.name, '--name').trim(), 'one')
      stage.holds(1)
      stage.check()
      await stage.snapshot('revert', 'two')
      stage.holds(2)
      await stage.snapshot('revert', 'one', '--start')
      assert.equal(stage.state(), 'running')
      stage.holds(1)
      stage.write(9)
      stage.stop()
      await stage.snapshot('revert', 'two')
      stage.holds(2)
    },
  },
  {
    name: 'create of a running machine, disks only, and revert of it while it runs',
    async run(stage) {
      stage.start()
      stage.write(1)
      await stage.snapshot('create', 'one')
      assert.equal(stage.state(), 'running')
      stage.write(2)
      const refused = await stage.bench.cli.run(['snapshot', 'revert', stage.name, 'one', '-y'])
      assert.match(refused.stderr, /is running, and what it does now would be lost[^]*DOMAIN_STATE/)
      stage.holds(2)
      await stage.snapshot('revert', 'one', '--force')
      assert.equal(stage.state(), 'shut off')
      stage.holds(1)
      await stage.snapshot('revert', 'one', '--paused')
      assert.equal(stage.state(), 'paused')
      stage.holds(1)
    },
  },
  {
    name: 'create with memory, and revert to it',
    async run(stage) {
      stage.start()
      stage.write(1)
      await stage.snapshot('create', 'running', '--memory')
      assert.equal(stage.state(), 'running')
      stage.virsh('suspend', stage.name)
      const then = stage.memory()
      await stage.snapshot('create', 'paused', '--memory')
      assert.equal(stage.state(), 'paused')
      stage.virsh('resume', stage.name)
      stage.write(2)
      await stage.snapshot('revert', 'paused', '--force')
      assert.equal(stage.state(), 'paused')
      assert.equal(stage.memory(), then)
      stage.holds(1)
      stage.virsh('resume', stage.name)
      stage.stop()
      await stage.snapshot('revert', 'running')
      assert.equal(stage.state(), 'running')
      await stage.snapshot('revert', 'paused', '--force', '--off')
      assert.equal(stage.state(), 'shut off')
      await stage.snapshot('delete', 'running', 'paused')
      assert.deepEqual(
        stage.files().filter((name) => name.endsWith('.memory')),
        [],
      )
    },
  },
  {
    name: 'variables of UEFI go with the snapshot',
    only: 'uefi',
    async run(stage) {
      stage.writeVariables('first')
      await stage.snapshot('create', 'one')
      stage.writeVariables('second')
      stage.start()
      await stage.snapshot('create', 'two', '--memory')
      assert.equal(stage.state(), 'running')
      stage.stop()
      stage.writeVariables('third')
      await stage.snapshot('revert', 'one')
      assert.equal(stage.variables(), 'first')
      stage.writeVariables('fourth')
      await stage.snapshot('revert', 'two')
      assert.equal(stage.state(), 'running')
      assert.equal(stage.variables(), 'second')
      stage.stop()
      await stage.snapshot('delete', 'one', 'two')
      assert.deepEqual(
        stage.files().filter((name) => /\.[0-9a-f]{12}\.nvram$/.test(name)),
        [],
      )
    },
  },
  {
    name: 'delete of the first, one between and the last, off',
    async run(stage) {
      for (const pattern of [1, 2, 3]) {
        stage.write(pattern)
        stage.write(10 + pattern, `${pattern + 1}M`)
        await stage.snapshot('create', `s${pattern}`)
      }
      stage.write(4)
      await stage.snapshot('delete', 's2')
      assert.deepEqual(await stage.names(), ['s1', 's3*'])
      assert.equal(stage.layers(), 4)
      stage.check()
      await stage.snapshot('delete', 's1')
      stage.holds(4)
      await stage.snapshot('revert', 's3')
      stage.holds(3)
      stage.holds(11, '2M')
      await stage.snapshot('delete', 's3')
      stage.holds(3)
      assert.equal(stage.layers(), 2)
      assert.equal(stage.files().filter((name) => name.endsWith('.qcow2')).length, 1)
    },
  },
  {
    name: 'delete while it runs, merged when it is off',
    async run(stage) {
      stage.start()
      for (const pattern of [1, 2, 3]) {
        stage.write(pattern)
        stage.write(10 + pattern, `${pattern + 1}M`)
        await stage.snapshot('create', `s${pattern}`)
      }
      stage.write(4)
      const { waiting } = await stage.snapshot('delete', 's3')
      assert.equal((waiting as readonly unknown[]).length, 1)
      stage.holds(4)
      stage.holds(13, '4M')
      const later = await stage.snapshot('delete', 's1')
      assert.equal((later['waiting'] as readonly unknown[]).length, 2)
      stage.holds(4)
      stage.stop()
      await stage.bench.cli.ok(['gc'])
      assert.equal(stage.layers(), 3)
      stage.holds(4)
      stage.holds(11, '2M')
      await stage.snapshot('revert', 's2')
      stage.holds(2)
    },
  },
  {
    name: 'branches, and delete with what follows',
    async run(stage) {
      stage.write(1)
      await stage.snapshot('create', 'root')
      stage.write(2)
      await stage.snapshot('create', 'left')
      stage.write(3)
      await stage.snapshot('revert', 'root')
      stage.write(4)
      await stage.snapshot('create', 'right')
      stage.write(5)
      assert.deepEqual(await stage.names(), ['root', 'left', 'right*'])
      // What two branches stand on stays, though nobody lists it any more.
      await stage.snapshot('delete', 'root')
      stage.check()
      await stage.snapshot('revert', 'left')
      stage.holds(2)
      await stage.snapshot('revert', 'right')
      stage.holds(4)
      stage.write(6)
      await stage.snapshot('create', 'below')
      await stage.snapshot('delete', 'right', '--children')
      assert.deepEqual(await stage.names(), ['left'])
      stage.holds(6)
      await stage.snapshot('revert', 'left')
      stage.holds(2)
    },
  },
  {
    name: 'snapshots of virsh, external: seen, reverted, deleted',
    async run(stage) {
      stage.write(1)
      stage.virsh('snapshot-create-as', stage.name, 'theirs', '--disk-only', '--atomic')
      stage.write(2)
      await stage.snapshot('create', 'ours')
      stage.write(3)
      assert.deepEqual(await stage.names(), ['theirs', 'ours*'])
      await stage.snapshot('revert', 'theirs')
      stage.holds(1)
      await stage.snapshot('revert', 'ours')
      await stage.snapshot('delete', 'theirs')
      stage.holds(2)
      assert.deepEqual(await stage.names(), ['ours*'])
      assert.equal(stage.layers(), 3)
    },
  },
  {
    name: 'snapshots of virsh, internal: seen, reverted, deleted',
    only: 'bios',
    async run(stage) {
      stage.write(1)
      stage.virsh('snapshot-create-as', stage.name, 'inside')
      stage.write(2)
      assert.deepEqual(await stage.names(), ['inside*'])
      await stage.snapshot('revert', 'inside')
      stage.holds(1)
      stage.start()
      stage.write(3)
      stage.virsh('snapshot-create-as', stage.name, 'moving')
      stage.write(4)
      await stage.snapshot('revert', 'moving', '--force')
      assert.equal(stage.state(), 'running')
      stage.holds(3)
      stage.stop()
      await stage.snapshot('delete', 'inside', 'moving')
      assert.deepEqual(await stage.names(), [])
    },
  },
  {
    name: 'snapshots of vmpkg, in the hands of virsh',
    async run(stage) {
      stage.write(1)
      await stage.snapshot('create', 'one')
      stage.write(2)
      await stage.snapshot('create', 'two')
      stage.write(3)
      if (stage.bench.release === '9.0')
        assert.match(stage.refused('snapshot-revert', stage.name, 'one'), /not supported/)
      else {
        stage.virsh('snapshot-revert', stage.name, 'two')
        stage.holds(2)
        await stage.bench.cli.ok(['gc'])
      }
      await stage.snapshot('revert', 'two')
      stage.holds(2)
      stage.virsh('snapshot-delete', stage.name, 'two')
      stage.holds(2)
      assert.deepEqual((await stage.names()).length, 1)
      await stage.snapshot('revert', 'one')
      stage.holds(1)
    },
  },
  {
    name: 'a deep chain begins anew, and listed snapshots keep their files',
    async run(stage) {
      stage.write(1)
      await stage.snapshot('create', 'early')
      stage.write(2)
      let top = stage.disk()
      for (let depth = 0; depth < 60; depth++) {
        const next = join(stage.bench.overlays, `${stage.machine.uuid}.s${depth.toString(16).padStart(8, '0')}.qcow2`)
        execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', top, '-F', 'qcow2', next])
        top = next
      }
      const xml = stage.virsh('dumpxml', '--inactive', stage.name)
      const [from, to] = [xml.indexOf('<source file='), xml.indexOf("<target dev='vda'")]
      const file = join(stage.bench.folder, `${stage.name}-deep.xml`)
      writeFileSync(file, `${xml.slice(0, from)}<source file='${top}'/>${xml.slice(to)}`)
      stage.virsh('define', file)
      stage.write(3, '2M')
      const { flattened } = await stage.snapshot('create', 'late')
      assert.deepEqual(flattened, ['vda'])
      assert.equal(stage.layers(), 3)
      stage.holds(2)
      stage.holds(3, '2M')
      await stage.snapshot('revert', 'early')
      stage.holds(1)
      await stage.snapshot('revert', 'late')
      stage.holds(3, '2M')
    },
  },
  {
    name: 'killed at any moment: the old state or the new one',
    async run(stage) {
      const { bench, name } = stage
      stage.write(1)
      await stage.snapshot('create', 'base')
      stage.write(2)
      const began = performance.now()
      await stage.snapshot('create', 'timed')
      const longest = performance.now() - began
      await stage.snapshot('delete', 'timed')
      for (const share of [0.5, 0.6, 0.7, 0.8, 0.9]) {
        await strike(stage, ['create', name, 'new'], longest * share)
        const names = await stage.names()
        assert.ok(['base*', 'base,new*'].includes(names.join()), names.join())
        stage.holds(2)
        stage.check()
        if (names.length === 1) await stage.snapshot('create', 'new')
        await strike(stage, ['delete', name, 'new', '-y'], longest * share)
        assert.ok(['base*', 'base,new*'].includes((await stage.names()).join()))
        stage.holds(2)
        stage.check()
        if ((await stage.names()).length === 2) await stage.snapshot('delete', 'new')
      }
      for (const share of [0.6, 0.75, 0.9]) {
        await strike(stage, ['revert', name, 'base', '-y'], longest * share)
        assert.deepEqual(await stage.names(), ['base*'])
        const now = stage.read()
        assert.ok(now === 1 || now === 2, `it holds ${now}`)
        stage.check()
        stage.write(2)
      }
      await bench.cli.ok(['snapshot', 'revert', name, 'base', '-y'])
      stage.holds(1)
    },
  },
]

/** Kills the command, and lets the next one bring order. */
async function strike({ bench, machine }: Stage, words: readonly string[], afterMs: number): Promise<void> {
  const running = bench.cli.start(['snapshot', ...words], '')
  const timer = setTimeout(() => running.kill('SIGKILL'), afterMs)
  await running.done
  clearTimeout(timer)
  await bench.cli.ok(['gc'])
  const left = readdirSync(bench.overlays).filter((one) => one.startsWith(machine.uuid) && one.endsWith('.tmp'))
  assert.deepEqual(left, [])
}

/** One row on a machine of its own, which is checked and removed. */
export async function runRow(bench: Bench, row: Row, isUefi: boolean): Promise<void> {
  const stage = new Stage(bench, `snap-${isUefi ? 'uefi' : 'bios'}-${ROWS.indexOf(row)}`, isUefi)
  try {
    await row.run(stage)
    stage.check()
  } finally {
    await stage.remove()
  }
  assert.deepEqual(stage.files(), [], 'files are left')
}
