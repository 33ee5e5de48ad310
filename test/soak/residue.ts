/**
 * Leak cases J2 and J9: the memory of an ephemeral machine stays out of swap, of cores and of huge pages that somebody else
 * gets, and the blocks that one took of a thin disk go back to it. Each has a control in which the same look finds it.
 * For root: it makes a swap of its own, sets huge pages aside, and mounts, and takes all of that back.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeCli } from '../support/cli.ts'
import { findInMemory, type Mapping } from '../support/process-memory.ts'
import { publishTemplates } from '../support/publish-templates.ts'
import { FILLED_BYTES, memoryScribe, newMark, scribe, WRITTEN_BYTES } from '../support/scribe.ts'
import { makeSite, type Site } from '../support/site.ts'
import { makeSwap, pageOut, type Swap, swappedBytes } from '../support/swap.ts'
import { makeVolume } from '../support/volume.ts'

const HOST = 'residue'
const MIB = 2 ** 20

const PARTS = [tryMemory, tryHugepages, tryThinDisk, tryGuestTrim]

interface ResidueRequest {
  /** The first of the four parts: memory, huge pages, thin disks, a guest that trims. */
  readonly from: number
  readonly cases: number
}

/** @returns what was seen, in Markdown; throws at the first thing that was left behind or that a control did not find */
export async function soakResidue({ from, cases }: ResidueRequest): Promise<string> {
  const began = performance.now()
  const seen: string[] = []
  for (const part of PARTS.slice(from, from + cases)) {
    seen.push(...(await part()))
    console.error(seen.at(-1))
  }
  return `${seen.map((line) => `- ${line}`).join('\n')}\n\nIn ${Math.round((performance.now() - began) / 1000)} s.`
}

async function tryMemory(): Promise<readonly string[]> {
  const marks = { plain: newMark(), ram: newMark(), encrypted: newMark() }
  const packages = Object.entries(marks).map(([name, mark]) => memoryScribe(`app-${name}`, mark))
  const volume = await makeVolume()
  let site: Site | undefined
  try {
    site = await makeSite(HOST, packages, volume.root)
    await site.cli.ok(['install', '-y', ...packages.map(({ name }) => name)])
    await using swap = await makeSwap(96)
    const lines = [await tryPlain(site, swap, marks.plain)]
    lines.push(await tryLockedQemu(site, swap))
    await site.cli.ok(['rm', '-y', '--force', 'plain'])
    for (const mode of ['ram', 'encrypted'] as const) lines.push(await tryEphemeral(site, swap, mode, marks[mode]))
    return lines
  } finally {
    await site?.close()
    await volume.close()
  }
}

/** The control: a machine that is kept, whose memory goes to swap and to a core where its definition asks for that. */
async function tryPlain(site: Site, swap: Swap, mark: Buffer): Promise<string> {
  await site.cli.ok(['clone', 'app-plain', '--name', 'plain', '--no-start'])
  const file = join(site.cli.folder, 'plain.xml')
  const xml = await site.virsh('dumpxml', 'plain', '--inactive')
  assert.doesNotMatch(xml, /<locked\/>|dumpCore/)
  await writeFile(file, xml.replace("<memory unit='KiB'>", "<memory unit='KiB' dumpCore='on'>"))
  await site.virsh('define', file)
  await site.cli.ok(['start', 'plain'])
  const { pid, memory } = await findFilled(site, 'plain', mark)
  assert.ok(!memory.flags.includes('dd') && !memory.flags.includes('lo'), memory.flags.join(' '))
  assert.ok(await dumpHolds(pid, mark), 'no core of the control has the text')
  await site.virsh('suspend', 'plain')
  const said = pageOut(pid, memory)
  const swapped = await swappedBytes(pid)
  assert.ok(swapped >= FILLED_BYTES, `${swapped} bytes were swapped: ${said}`)
  assert.ok(await swap.holds(mark), 'the swap of the control does not hold the text')
  return `A kept machine, the control: ${mebibytes(swapped)} of it went to swap, and its text is read there; a core of its QEMU has it too, where the definition asks for cores with memory.`
}

async function tryEphemeral(site: Site, swap: Swap, mode: 'ram' | 'encrypted', mark: Buffer): Promise<string> {
  const name = `gone-${mode}`
  const words = ['clone', `app-${mode}`, '--name', name, '--ephemeral', '--mode', mode]
  const { status, stderr } = await site.cli.run(words)
  assert.equal(status, 0, stderr)
  const xml = await site.virsh('dumpxml', name)
  const isLocked = xml.includes('<locked/>')
  // Either it cannot be swapped, or the user was told that it can.
  assert.equal(/memory may be written to swap.*may not lock that much/.test(stderr), !isLocked, stderr)
  if (mode === 'ram') assert.match(stderr, /its disk lies in memory.*noswap/)
  else assert.equal(/the key of its disk/.test(stderr), isLocked)
  const { pid, memory } = await findFilled(site, name, mark)
  assert.equal(memory.flags.includes('lo'), isLocked)
  assert.ok(memory.flags.includes('dd'), memory.flags.join(' '))
  assert.equal(await dumpHolds(pid, mark), false, 'a core has the text')
  const what = isLocked
    ? await requireUnswapped(pid, memory, swap, mark)
    : 'its libvirt may lock nothing here, and vmpkg said so'
  await site.cli.ok(['stop', name])
  assert.equal(await swap.holds(mark), false)
  return `An ephemeral one, mode ${mode}: not in a core; ${what}.`
}

/** The kernel is asked to page it out, and refuses. */
async function requireUnswapped(pid: number, memory: Mapping, swap: Swap, mark: Buffer): Promise<string> {
  assert.match(pageOut(pid, memory), /Invalid argument\n0$/)
  const facts = await readFile(`/proc/${pid}/status`, 'utf8')
  const locked = Number(/^VmLck:\s+(\d+)/m.exec(facts)?.[1]) * 1024
  assert.equal(await swappedBytes(pid), 0)
  assert.equal(await swap.holds(mark), false)
  return `${mebibytes(locked)} locked, nothing of it in swap, though the kernel was asked to page it out`
}

/** What `<locked/>` asks QEMU for, where root may lock memory and libvirt may not raise limits, as in some containers. */
async function tryLockedQemu(site: Site, swap: Swap): Promise<string> {
  const mark = newMark()
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-locked-'))
  try {
    const file = join(folder, 'locked.xml')
    const xml = await site.virsh('dumpxml', 'plain', '--inactive')
    await writeFile(file, xml.replace('<os>', '<memoryBacking><locked/></memoryBacking><os>'))
    const words = await site.virsh('domxml-to-native', 'qemu-argv', '--xml', file)
    assert.match(words, /-overcommit mem-lock=on/)
    assert.match(words, /-accel tcg,tb-size=32/)
    const disk = join(folder, 'disk.raw')
    await writeFile(disk, memoryScribe('app', mark).images?.['disk'] ?? '')
    const machine = ['-machine', 'q35', '-accel', 'tcg,tb-size=32', '-m', '32', '-nodefaults', '-display', 'none']
    const more = ['-overcommit', 'mem-lock=on', '-drive', `file=${disk},format=raw,if=virtio`]
    const qemu = spawn('qemu-system-x86_64', [...machine, ...more], { stdio: 'ignore' })
    const ended = once(qemu, 'exit')
    try {
      const pid = qemu.pid ?? 0
      let found: Mapping | undefined
      for (let tries = 0; tries < 100 && found === undefined; tries++) {
        await sleep(200)
        found = (await findInMemory(pid, mark)).find(({ start, end }) => end - start >= FILLED_BYTES)
      }
      assert.ok(found !== undefined && found.flags.includes('lo'), 'its memory is not locked')
      return `The QEMU that \`<locked/>\` makes (\`-overcommit mem-lock=on\`), started without libvirt: ${await requireUnswapped(pid, found, swap, mark)}.`
    } finally {
      qemu.kill('SIGKILL')
      await ended
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Waits until the guest has filled its memory, and finds the one mapping that has the text. */
async function findFilled(
  site: Site,
  name: string,
  mark: Buffer,
): Promise<{ readonly pid: number; readonly memory: Mapping }> {
  for (let tries = 0; tries < 600; tries++) {
    const told = await site.virsh('domblkstat', name, 'vda')
    if (Number(/wr_bytes (\d+)/.exec(told)?.[1]) >= 512) break
    await sleep(100)
  }
  const pid = await qemuOf(name, site.cli.env['VMPKG_ROOT'] ?? '')
  const found = await findInMemory(pid, mark)
  const memory = found.find(({ start, end }) => end - start >= FILLED_BYTES)
  assert.ok(memory !== undefined, `the text of ${name} is not in its memory`)
  return { pid, memory }
}

async function qemuOf(name: string, folder: string): Promise<number> {
  for (const entry of await readdir('/proc')) {
    const line = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '')
    if (line.includes(`guest=${name},`) && line.includes(folder)) return Number(entry)
  }
  throw new Error(`no QEMU runs ${name}`)
}

/** gdb writes a core as the kernel would: without what is marked not to be dumped. */
async function dumpHolds(pid: number, mark: Buffer): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-core-'))
  try {
    execFileSync('gcore', ['-o', join(folder, 'core'), String(pid)], { stdio: 'ignore' })
    const core = join(folder, `core.${pid}`)
    assert.ok((await stat(core)).size > MIB)
    return holds(['grep', '-qaF', '--', mark.toString(), core])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function holds([program, ...words]: readonly [string, ...string[]]): boolean {
  try {
    execFileSync(program, words, { stdio: 'ignore' })
    return true
  } catch (error) {
    assert.equal((error as { status?: number }).status, 1)
    return false
  }
}

const HUGE = '/sys/kernel/mm/hugepages/hugepages-2048kB'
const HUGE_PAGES = 16
/** Maps all huge pages that are free, and looks for the text in them. */
const LOOK = `
import mmap, sys
pages = mmap.mmap(-1, int(sys.argv[1]) * 2**21, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)
print(pages.find(sys.argv[2].encode()), sum(pages[i * 2**21] for i in range(int(sys.argv[1]))))
`

/** What QEMU had in huge pages, read by whoever gets them next. */
async function tryHugepages(): Promise<readonly string[]> {
  const before = (await readFile(`${HUGE}/nr_hugepages`, 'utf8')).trim()
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-pages-'))
  const mark = newMark()
  try {
    await writeFile(`${HUGE}/nr_hugepages`, String(Number(before) + HUGE_PAGES))
    const disk = join(folder, 'disk.raw')
    await writeFile(disk, memoryScribe('app', mark).images?.['disk'] ?? '')
    const size = HUGE_PAGES * 2
    const machine = [
      '-machine',
      'q35,accel=tcg,memory-backend=ram',
      '-m',
      String(size),
      '-nodefaults',
      '-display',
      'none',
    ]
    const pages = ['-object', `memory-backend-memfd,id=ram,size=${size}M,hugetlb=on,hugetlbsize=2M`]
    const drive = ['-drive', `file=${disk},format=raw,if=virtio`]
    const qemu = spawn('qemu-system-x86_64', [...machine, ...pages, ...drive], { stdio: 'ignore' })
    const ended = once(qemu, 'exit')
    try {
      let found: readonly Mapping[] = []
      for (let tries = 0; tries < 100 && found.length === 0; tries++) {
        await sleep(200)
        found = await findInMemory(qemu.pid ?? 0, mark)
      }
      assert.ok(found[0]?.flags.includes('ht'), 'the text is not in huge pages')
      // The end of what it fills.
      await sleep(3000)
    } finally {
      qemu.kill('SIGKILL')
      await ended
    }
    const free = Number(await readFile(`${HUGE}/free_hugepages`, 'utf8'))
    assert.ok(free >= HUGE_PAGES)
    const said = execFileSync('python3', ['-c', LOOK, String(free), mark.toString()], { encoding: 'utf8' }).trim()
    assert.equal(said, '-1 0')
    return [
      `Huge pages: QEMU filled ${HUGE_PAGES} of them with the text and was killed; the next process that got all that are free found zeros.`,
    ]
  } finally {
    await writeFile(`${HUGE}/nr_hugepages`, before)
    await rm(folder, { recursive: true, force: true })
  }
}

/** What a machine took of a thin disk: with `discard` it goes back by itself, else with the next trim. */
async function tryThinDisk(): Promise<readonly string[]> {
  const volume = await makeVolume()
  const app = 'app-scribe'
  const lines: string[] = []
  let site: Site | undefined
  try {
    site = await makeSite(HOST, [scribe(app, newMark())], volume.root)
    await site.cli.ok(['install', '-y', app])
    for (const option of ['discard', 'nodiscard']) {
      volume.remount(option)
      for (const mode of ['encrypted', 'transient', 'kept'] as const) {
        volume.trim()
        const before = await volume.allocatedBytes()
        const kind = mode === 'kept' ? [] : ['--ephemeral', '--mode', mode]
        await site.cli.ok(['clone', app, '--name', mode, ...kind])
        await waitForBytes(site, mode, WRITTEN_BYTES)
        const taken = (await volume.allocatedBytes()) - before
        assert.ok(taken >= WRITTEN_BYTES, `${mode} took ${taken}`)
        await site.cli.ok(mode === 'kept' ? ['rm', '-y', '--force', mode] : ['stop', mode])
        const left = (await volume.allocatedBytes()) - before
        const what = `${option}, ${mode}: ${mebibytes(taken)} taken while it ran, ${mebibytes(left)} after its end`
        // vmpkg's own state grows a little; blocks of the machine are 3 MiB.
        if (option === 'discard') assert.ok(left < WRITTEN_BYTES / 2, what)
        else {
          assert.ok(left >= WRITTEN_BYTES, what)
          volume.trim()
          const trimmed = (await volume.allocatedBytes()) - before
          assert.ok(trimmed < WRITTEN_BYTES / 2, `${what}, ${trimmed} after a trim`)
        }
        lines.push(`Thin disk mounted with ${what}${option === 'discard' ? '' : ', nothing of it after fstrim'}.`)
      }
    }
    return lines
  } finally {
    await site?.close()
    await volume.close()
  }
}

async function waitForBytes(site: Site, name: string, bytes: number): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const told = await site.virsh('domblkstat', name, 'vda')
    if (Number(/wr_bytes (\d+)/.exec(told)?.[1]) >= bytes) return
    await sleep(100)
  }
  throw new Error(`${name} has not written`)
}

const BIG_MIB = 24
const WRITE = `dd if=/dev/urandom of=/big bs=1M count=${BIG_MIB} 2>/dev/null; sync; echo @written\n`
const TRIM = 'rm /big; sync; fstrim / ; echo @trimmed $?\n'

/** What a guest trims leaves the overlay; where its disk is not to discard, the control, it stays. */
async function tryGuestTrim(): Promise<readonly string[]> {
  const cli = await makeCli(`private:${HOST}`)
  try {
    await publishTemplates(cli, ['router-uni', 'app-console'], process.env['VMPKG_BENCH_CACHE'])
    await cli.ok(['install', '-y', '--grant', 'network', 'router-uni', 'app-console'])
    const { uri } = await cli.json(['host', 'private', 'start', HOST])
    const virsh = (...words: readonly string[]): string =>
      execFileSync('virsh', ['-q', '-c', String(uri), ...words], { encoding: 'utf8' })
    await cli.ok(['clone', 'app-console', '--name', 'trims', '--no-start'])
    await cli.ok(['clone', 'app-console', '--name', 'keeps', '--no-start'])
    const file = join(cli.folder, 'keeps.xml')
    const xml = virsh('dumpxml', 'keeps', '--inactive')
    assert.match(xml, / discard='unmap'/)
    await writeFile(file, xml.replace(" discard='unmap'", " discard='ignore'"))
    virsh('define', file)
    const sizes = await Promise.all(
      ['trims', 'keeps'].map(async (name) => {
        await cli.ok(['start', name])
        await cli.ok(['wait', name, '--timeout', '120'])
        const overlay = /<source file='([^']+\.qcow2)'/.exec(virsh('dumpxml', name))?.[1] ?? ''
        const taken = async (): Promise<number> => (await stat(overlay)).blocks * 512
        const say = async (words: string): Promise<string> =>
          (await cli.run(['console', name, '--silence', '8'], words)).stdout
        assert.match(await say(WRITE), /^@written\r?$/m)
        const written = await taken()
        assert.ok(written >= BIG_MIB * MIB, `${name} has ${written}`)
        assert.match(await say(TRIM), /^@trimmed \d\r?$/m)
        return { written, trimmed: await taken() }
      }),
    )
    const [trims, keeps] = sizes
    if (trims === undefined || keeps === undefined) throw new TypeError('two were made')
    const shown = JSON.stringify(sizes)
    assert.ok(trims.trimmed <= trims.written - (BIG_MIB - 2) * MIB, shown)
    assert.ok(keeps.trimmed >= keeps.written - MIB, shown)
    await cli.ok(['rm', '-y', '--force', 'trims', 'keeps'])
    return [
      `A guest that trims: its overlay went from ${mebibytes(trims.written)} to ${mebibytes(trims.trimmed)}; with discard='ignore', the control, it kept ${mebibytes(keeps.trimmed)}.`,
    ]
  } finally {
    await cli.close()
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`
}
