import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { getEmulator, listFirmware, parseEmulatorVersion, parseFirmware } from '../../src/host/emulator.ts'
import { findTool } from '../../src/host/tools.ts'
import { realProcesses } from '../support/real-processes.ts'

const skip = (await findTool('qemu-system-x86_64')) === undefined && 'QEMU missing'

function descriptor(changes: object = {}): string {
  return JSON.stringify({
    'interface-types': ['uefi'],
    mapping: {
      device: 'flash',
      executable: { filename: '/f/CODE.fd', format: 'raw' },
      'nvram-template': { filename: '/f/VARS.fd', format: 'raw' },
    },
    targets: [{ architecture: 'x86_64', machines: ['pc-i440fx-*', 'pc-q35-*'] }],
    features: ['secure-boot', 'verbose-dynamic'],
    ...changes,
  })
}

describe('getEmulator', { skip }, () => {
  test('finds QEMU and the version that it tells', async () => {
    const { path, version } = await getEmulator(realProcesses)
    const told = await realProcesses.run(path, ['--version'])
    assert.ok(told.stdout.startsWith(`QEMU emulator version ${version}`))
  })

  test('refuses one that does not run', async () => {
    const broken = { run: async () => Promise.resolve({ exitCode: 127, stdout: '', stderr: 'libfoo.so: not found' }) }
    await assert.rejects(getEmulator(broken), { code: 'HOST_UNSUPPORTED', message: /libfoo/ })
  })
})

describe('parseEmulatorVersion', () => {
  test('reads the number before the package version', () => {
    assert.equal(parseEmulatorVersion('QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\n'), '7.2.22')
    assert.equal(parseEmulatorVersion('qemu-img version 7.2.22'), undefined)
  })
})

describe('parseFirmware', () => {
  test('reads a descriptor for q35', () => {
    const firmware = { code: '/f/CODE.fd', variables: '/f/VARS.fd', secureBoot: true }
    assert.deepEqual(parseFirmware(descriptor()), firmware)
    assert.deepEqual(parseFirmware(descriptor({ features: [] })), { ...firmware, secureBoot: false })
  })

  for (const [what, changes] of [
    ['another architecture', { targets: [{ architecture: 'aarch64', machines: ['virt-*'] }] }],
    ['another machine', { targets: [{ architecture: 'x86_64', machines: ['microvm'] }] }],
    ['a BIOS', { 'interface-types': ['bios'] }],
    ['a memory mapping', { mapping: { device: 'memory', filename: '/f/OVMF.fd' } }],
  ] as const) {
    test(`passes over ${what}`, () => {
      assert.equal(parseFirmware(descriptor(changes)), undefined)
    })
  }

  test('passes over what is no descriptor', () => {
    assert.equal(parseFirmware('{'), undefined)
    assert.equal(parseFirmware('[]'), undefined)
  })
})

describe('listFirmware', () => {
  test('lists only firmware whose files are there, in the order of the names', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'vmpkg-fw-'))
    try {
      const files = (name: string) => ({
        mapping: {
          device: 'flash',
          executable: { filename: join(dir, `${name}_CODE.fd`), format: 'raw' },
          'nvram-template': { filename: join(dir, `${name}_VARS.fd`), format: 'raw' },
        },
      })
      for (const name of ['b', 'a']) {
        for (const half of ['CODE', 'VARS']) await writeFile(join(dir, `${name}_${half}.fd`), '')
      }
      await writeFile(join(dir, '60-b.json'), descriptor(files('b')))
      await writeFile(join(dir, '40-a.json'), descriptor(files('a')))
      await writeFile(join(dir, '50-missing.json'), descriptor(files('missing')))
      await writeFile(join(dir, 'README'), '')
      const found = await listFirmware(dir)
      assert.deepEqual(
        found.map(({ code }) => code),
        [join(dir, 'a_CODE.fd'), join(dir, 'b_CODE.fd')],
      )
      assert.deepEqual(await listFirmware(join(dir, 'nowhere')), [])
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  })
})
