import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { formatOverlay } from '../../src/image/qcow2-overlay.ts'
import { Connect } from '../../src/libvirt/connect.ts'
import { clean } from '../../src/operations/clean.ts'
import { listDiskUsers, pathsIn } from '../../src/operations/disk-users.ts'
import { collectGarbage } from '../../src/operations/gc.ts'
import { imageCompact } from '../../src/operations/image-compact.ts'
import { imageInfo } from '../../src/operations/image-info.ts'
import { machineFiles } from '../../src/operations/machine-files.ts'
import { cloneHolder } from '../../src/operations/stop.ts'
import { openLocalWorkspace, storeObjects, tinyLine } from '../support/local-workspace.ts'
import { type PrivateLibvirt, startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'

const DISK_BYTES = 65_536

const domainXml = (name: string, uuid: string, devices: string, boot = ''): string =>
  `<domain type='qemu'><name>${name}</name><uuid>${uuid}</uuid><memory unit='MiB'>16</memory><vcpu>1</vcpu>` +
  `<os><type arch='x86_64' machine='pc'>hvm</type>${boot}</os><devices>${devices}</devices></domain>`
const disk = (file: string, type: string): string =>
  `<disk type='file' device='disk'><driver name='qemu' type='${type}'/><source file='${file}'/><target dev='vda'/></disk>`

describe('with a libvirt of its own', { skip: withoutLibvirt }, () => {
  let daemon: PrivateLibvirt
  let connect: Connect
  before(async () => {
    daemon = await startPrivateLibvirt()
    connect = await Connect.open(daemon.uri())
  })
  after(async () => {
    await connect.close()
    await daemon.stop()
  })

  /** How a machine came to its image; `nobody` has one that nothing needs. */
  const way = fc.constantFrom(
    'clone',
    'copied clone',
    'renamed clone',
    'direct',
    'kernel',
    'snapshot',
    'deep',
    'nobody',
  )

  test('gc and clean keep what any domain names or stands on, whoever defined it, and nothing else (L04)', async () => {
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(way, { minLength: 1, maxLength: 6 }), fc.boolean(), async (ways, isClean) => {
        const cleanups: (() => unknown)[] = []
        const scope = { after: (done: unknown) => cleanups.push(done as () => unknown) } as unknown as TestContext
        const domains: string[] = []
        try {
          const root = await daemon.makeFolder(`root ${run++}`)
          const workspace = await openLocalWorkspace(scope, { root, connect: daemon.uri() })
          const kept: string[] = []
          const gone: string[] = []
          for (const [number, how] of ways.entries()) {
            const line = tinyLine(`p${number}`, `${run}.0`)
            const [, image = ''] = await storeObjects(workspace, line)
            const uuid = randomUUID()
            const overlay = async (path: string, backing = image): Promise<string> => {
              await mkdir(join(path, '..'), { recursive: true })
              await writeFile(path, formatOverlay(backing, DISK_BYTES))
              return path
            }
            const define = async (id: string, devices: string, boot?: string): Promise<void> => {
              domains.push(id)
              await connect.domainDefineXML({ xml: domainXml(`d-${run}-${number}`, id, devices, boot) })
            }
            const hold = (): void => workspace.imageReferences.hold(cloneHolder(uuid), line.images)
            const own = machineFiles(workspace.connectionPaths, uuid).overlay
            if (how === 'clone') {
              hold()
              await define(uuid, disk(await overlay(own), 'qcow2'))
              kept.push(own)
            } else if (how === 'renamed clone') {
              hold()
              await define(randomUUID(), disk(await overlay(own), 'qcow2'))
              kept.push(own)
            } else if (how === 'copied clone') {
              await define(randomUUID(), disk(await overlay(join(root, `copy-${number}`)), 'qcow2'))
            } else if (how === 'direct') await define(uuid, disk(image, 'raw'))
            else if (how === 'kernel') await define(uuid, '', `<kernel>${image}</kernel>`)
            else if (how === 'deep') {
              const middle = await overlay(join(root, `middle-${number}`))
              const top = join(root, `top-${number}`)
              execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', middle, '-F', 'qcow2', top, '64K'])
              await define(uuid, disk(top, 'qcow2'))
            } else if (how === 'snapshot') {
              // What only the snapshot knows: the domain itself has another disk by now.
              await define(uuid, disk(await overlay(join(root, `before-${number}`)), 'qcow2'))
              const domain = await connect.domainLookupByUuid({ uuid })
              const xml = (await domain.getXMLDesc()).replace(/<\?xml.*?\?>/, '')
              const snapshot = `<domainsnapshot><name>one</name><state>disk-snapshot</state><creationTime>1</creationTime><disks><disk name='vda' snapshot='external' type='file'><driver type='qcow2'/><source file='${join(root, `after-${number}`)}'/></disk></disks>${xml}</domainsnapshot>`
              await domain.snapshotCreateXML({ xml: snapshot, flags: ['redefine', 'diskOnly'] })
              await connect.domainDefineXML({ xml: xml.replace(/<disk [^]*<\/disk>/, '') })
            }
            ;(how === 'nobody' ? gone : kept).push(image)
          }
          if (isClean) await clean(workspace, { dryRun: false, all: false })
          else await collectGarbage(workspace, { dryRun: false })
          assert.deepEqual(
            kept.filter((path) => !existsSync(path)),
            [],
          )
          assert.deepEqual(
            gone.filter((path) => existsSync(path)),
            [],
          )
        } finally {
          for (const uuid of domains)
            await (await connect.domainLookupByUuid({ uuid })).undefine({ flags: ['snapshotsMetadata'] })
          for (const done of cleanups.toReversed()) await done()
        }
      }),
      {
        numRuns: 12,
        seed: Number(process.env['VMPKG_SEED'] ?? 5),
        examples: [
          [['clone', 'copied clone', 'renamed clone', 'direct', 'kernel', 'snapshot', 'deep', 'nobody'], true],
        ],
      },
    )
  })

  test('what a machine runs on is not touched, and the machine is named', async (t) => {
    const root = await daemon.makeFolder('running')
    const workspace = await openLocalWorkspace(t, { root, connect: daemon.uri() })
    const file = await daemon.makeFile(join(root, 'disk.raw'), Buffer.alloc(2 ** 20))
    const uuid = randomUUID()
    const domain = await connect.domainDefineXML({ xml: domainXml('busy', uuid, disk(file, 'raw')) })
    await domain.create({ flags: ['paused'] })
    try {
      const request = { image: file, compress: false, dryRun: false }
      await assert.rejects(imageCompact(workspace, request), { code: 'IMAGE_IN_USE', message: /in use by busy/ })
      const { users } = await imageInfo(workspace, { image: file, backing: false })
      assert.deepEqual(users, [{ name: 'busy', isRunning: true }])
      await domain.destroy()
      await chmod(file, 0o600)
      await imageCompact(workspace, request)
      assert.deepEqual(
        (await listDiskUsers(connect)).map(({ name, isRunning, files }) => [
          name,
          isRunning,
          [...files].map((one) => basename(one)).includes('disk.raw'),
        ]),
        [['busy', false, true]],
      )
    } finally {
      if (await domain.isActive()) await domain.destroy()
      await domain.undefine()
    }
  })
})

test('pathsIn finds paths wherever they stand, with their references read', () => {
  const xml = `<domain><os><kernel>
    /boot/a&amp;b</kernel></os><devices><disk><source file='/srv/x &quot;y&quot;.raw'><backingStore><source file="/b"/></backingStore></source></disk><a b='relative'/></devices></domain>`
  assert.deepEqual(pathsIn(xml), ['/boot/a&b', '/srv/x "y".raw', '/b'])
  assert.deepEqual(pathsIn(''), [])
})
