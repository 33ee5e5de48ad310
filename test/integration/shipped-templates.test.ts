/** The packages that come with vmpkg: what each renders where a user chose everything, and where nothing. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { ParameterValue } from '../../src/model/manifest.ts'
import { parseManifest } from '../../src/model/manifest-schema.ts'
import type { DomainTemplateContext, PciContext } from '../../src/model/template-context.ts'
import { chooseForDomain } from '../../src/render/chosen.ts'
import { renderDomain } from '../../src/render/domain.ts'
import { mergeParameters } from '../../src/render/parameters.ts'
import { findElement, findElements, getAttribute } from '../../src/xml/find.ts'
import { parseXml } from '../../src/xml/parse.ts'
import { osContext, readPartials, readTemplate } from '../support/render-contexts.ts'
import { findSchemaFault } from '../support/schema.ts'

interface Case {
  readonly name: string
  readonly template: string
  readonly set: Readonly<Record<string, unknown>>
  readonly pci?: Readonly<Record<string, readonly PciContext[]>>
  readonly context?: Partial<DomainTemplateContext>
}

const at = (bus: string, fn = '0'): PciContext => ({ domain: '0000', bus, slot: '00', function: fn })
const placement: DomainTemplateContext['placement'] = {
  vcpuPins: [2, 10, 3, 11, 4, 12, 5, 13].map((cpu, vcpu) => ({ vcpu, cpus: [cpu] })),
  emulatorCpus: [0, 8],
  iothreadPins: [{ iothread: 1, cpus: [1, 9] }],
  memoryNodes: [0],
  topology: { sockets: 1, dies: 1, cores: 4, threads: 2 },
  cells: [{ id: 0, vcpus: [0, 1, 2, 3, 4, 5, 6, 7], memoryKib: 16_777_216, hostNode: 0, pageKib: 2048 }],
  reasons: [],
}
/** Huge pages alone. */
const unpinned: DomainTemplateContext['placement'] = {
  vcpuPins: [],
  emulatorCpus: [],
  iothreadPins: [],
  memoryNodes: [],
  topology: { sockets: 1, dies: 1, cores: 2, threads: 1 },
  cells: [{ id: 0, vcpus: [0, 1], memoryKib: 2_097_152, pageKib: 1_048_576 }],
  reasons: [],
}
const windows = {
  disk: '/srv/vm/windows.qcow2',
  installer: '/srv/iso/windows.iso',
  drivers: '/srv/iso/virtio-win.iso',
}
const CASES: readonly Case[] = [
  { name: 'desktop-windows', template: 'desktop-windows', set: windows },
  {
    name: 'desktop-windows-gpu',
    template: 'desktop-windows',
    set: {
      drive: '/dev/disk/by-id/nvme-example',
      gpu: '0000:0a:00.0',
      controllers: '0000:0c:00.3',
      devices: '046d:c52b',
      input: '/dev/input/by-id/usb-example-event-kbd',
      memory: '16GiB',
      vcpus: 8,
      pin: true,
      hugepages: true,
    },
    pci: { gpu: [at('0a'), at('0a', '1')], controllers: [at('0c', '3')] },
    context: { placement },
  },
  {
    name: 'desktop-gaming',
    template: 'desktop-gaming',
    set: {
      disk: '/srv/vm/linux.qcow2',
      installer: '/srv/iso/linux.iso',
      gpu: '0000:0a:00.0',
      library: '/srv/games',
    },
    pci: { gpu: [at('0a'), at('0a', '1')] },
    context: { placement },
  },
  {
    name: 'android-blissos',
    template: 'android-blissos',
    set: { disk: '/srv/vm/bliss.qcow2', installer: '/srv/b.iso' },
  },
  { name: 'android-blissos-gl', template: 'android-blissos', set: { disk: '/srv/vm/bliss.qcow2', gl: true } },
  {
    name: 'server-plain',
    template: 'server-plain',
    set: { disk: ['/srv/vm/root.qcow2', '/srv/vm/data.qcow2'], installer: '/srv/iso/debian.iso' },
  },
  {
    name: 'server-plain-bios',
    template: 'server-plain',
    set: { drive: '/dev/vg0/server', remote: 'nbd://192.0.2.9/data', firmware: 'bios', hugepages: true },
    context: { placement: unpinned },
  },
  { name: 'server-plain-secure', template: 'server-plain', set: { disk: '/srv/vm/root.qcow2', firmware: 'secure' } },
  {
    name: 'controller-debian',
    template: 'controller-debian',
    set: { images: '/srv/os-images', configuration: '/srv/controller' },
  },
  { name: 'app-base', template: 'app-base', set: {} },
  {
    name: 'app-firefox',
    template: 'app-firefox',
    set: { url: 'https://www.debian.org/', graphics: 'spice', listen: 'loopback' },
  },
]

function render({ name, template, set, pci = {}, context = {} }: Case): string {
  const manifest = parseManifest(readTemplate(`${template}/vmpkg.yaml`))
  const merged = mergeParameters(manifest.parameters, [{ origin: 'command line', values: set }])
  const values: Record<string, ParameterValue> = {}
  for (const [key, { value }] of Object.entries(merged)) values[key] = value
  const { overlay, images, medium, ...bare } = osContext
  const own = { images, ...(overlay && { overlay }), ...(medium && { medium }) }
  const { uuid } = osContext.domain
  return renderDomain({
    template: readTemplate(`${template}/${manifest.templates.domain}`),
    partials: readPartials(),
    parameterNames: Object.keys(manifest.parameters),
    context: {
      ...bare,
      ...(manifest.images === undefined ? { images: {} } : own),
      host: {
        ...osContext.host,
        secureFirmware: { code: '/usr/share/OVMF/OVMF_CODE_4M.ms.fd', vars: '/usr/share/OVMF/OVMF_VARS_4M.ms.fd' },
      },
      domain: { name, uuid, memoryKib: Number(values['memory']) / 1024, vcpus: Number(values['vcpus']) },
      params: values,
      ...chooseForDomain({ definitions: manifest.parameters, values, uuid, pci }),
      ...context,
    },
  })
}

const readGolden = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../golden/render/${name}.xml`, import.meta.url)), 'utf8')

/** What in a domain's XML has libvirt tell the guest of the machine that it runs on (I1 and I5 of docs/leaks.md). */
function tellsOfHost(xml: string): readonly string[] {
  const { root } = parseXml(xml)
  const offset = findElement(root, 'clock')
  const told = [...findElements(root, 'os/smbios'), ...findElements(root, 'sysinfo')]
  const bare = findElements(root, 'devices/interface').filter((card) => findElement(card, 'mac') === undefined)
  const isZoned = offset === undefined || getAttribute(offset, 'offset') !== 'utc'
  return [...told, ...bare].map(({ name }) => name).concat(isZoned ? ['clock'] : [])
}

describe('shipped packages', () => {
  for (const one of CASES) {
    test(`${one.name} renders to its golden file, valid by libvirt's domain schema`, (t) => {
      const xml = render(one)
      assert.equal(findSchemaFault(xml, 'domain'), undefined, xml)
      const golden = fileURLToPath(new URL(`../golden/render/${one.name}.xml`, import.meta.url))
      t.assert.fileSnapshot(xml, golden, { serializers: [String] })
    })
  }

  test('none tells its guest of this host: no serial numbers, no clock of a zone, no MAC of QEMU or libvirt', () => {
    // Windows takes the hardware's clock for local time: that much it has to be told.
    for (const one of CASES) {
      const expected = one.template === 'desktop-windows' ? ['clock'] : []
      assert.deepEqual(tellsOfHost(render(one)), expected, one.name)
    }
    const routers = ['router-uni', 'router-uni-passthrough', 'router-gal', 'app-console', 'os-debian']
    for (const name of routers) assert.deepEqual(tellsOfHost(readGolden(name)), [], name)
    for (const [from, to] of Object.entries({
      '</os>': "<smbios mode='host'/></os>",
      '<features>': "<sysinfo type='smbios'/><features>",
      "<clock offset='utc'/>": "<clock offset='timezone' timezone='Europe/Oslo'/>",
      "<mac address='52:54:00:0a:00:01'/>": '',
    })) {
      const golden = readGolden('router-uni')
      assert.ok(golden.includes(from), from)
      assert.equal(tellsOfHost(golden.replace(from, to)).length, 1, to)
    }
  })

  test('all have a golden file', () => {
    const folder = fileURLToPath(new URL('../../templates/', import.meta.url))
    const shipped = readdirSync(folder).filter((name) => !['partials', 'shared'].includes(name))
    const golden = readdirSync(fileURLToPath(new URL('../golden/render/', import.meta.url)))
    for (const name of shipped) assert.ok(golden.includes(`${name}.xml`), name)
  })
})
