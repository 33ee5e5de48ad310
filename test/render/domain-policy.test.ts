import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import type { Capability, CapabilityName } from '../../src/model/capability.ts'
import type { DomainTemplateContext } from '../../src/model/template-context.ts'
import { renderDomain } from '../../src/render/domain.ts'
import { verifyDomainPolicy } from '../../src/render/domain-policy.ts'
import {
  consoleContext,
  osContext,
  passthroughContext,
  readPartials,
  readTemplate,
  routerContext,
} from '../support/render-contexts.ts'

const partials = readPartials()
const routerCapabilities: readonly Capability[] = [{ name: 'network', lan: 'uni', wan: 'uplink' }]
const clientCapabilities: readonly Capability[] = [{ name: 'network', wan: 'uni' }]

function render(template: string, context: DomainTemplateContext): string {
  return renderDomain({ template: readTemplate(`${template}/domain.xml.hbs`), partials, context })
}

const router = render('router-uni', routerContext)
const client = render('app-console', consoleContext)

function refusal(
  xml: string,
  context: DomainTemplateContext,
  capabilities: readonly Capability[],
  granted: readonly CapabilityName[] = ['network'],
): string | undefined {
  try {
    verifyDomainPolicy({ xml, context, capabilities, granted })
    return undefined
  } catch (error) {
    assert.ok(isVmpkgError(error, 'POLICY_REFUSED', 'XML_INVALID'), String(error))
    return `${error.code} ${JSON.stringify(error.details['findings'])}`
  }
}

test('what our own templates render passes', () => {
  assert.equal(refusal(router, routerContext, routerCapabilities), undefined)
  assert.equal(refusal(client, consoleContext, clientCapabilities, []), undefined)
  assert.equal(refusal(render('os-debian', osContext), osContext, clientCapabilities, []), undefined)
  const pci: readonly Capability[] = [...routerCapabilities, { name: 'pci', class: 'network' }]
  const passthrough = render('router-uni', passthroughContext)
  assert.equal(refusal(passthrough, passthroughContext, pci, ['network', 'pci']), undefined)
})

test('firmware variables of another machine, of libvirt’s choosing or made from another file are refused', () => {
  const own = render('os-debian', osContext)
  const path = osContext.nvram ?? ''
  for (const [from, to] of [
    [path, '/var/lib/libvirt/qemu/nvram/other_VARS.fd'],
    [path, ''],
    [osContext.host.firmware?.vars ?? '', '/etc/shadow'],
    [osContext.host.firmware?.code ?? '', '/etc/shadow'],
  ] as const) {
    assert.ok(own.includes(from))
    assert.match(refusal(own.replace(from, to), osContext, clientCapabilities, []) ?? '', /os\/(?:nvram|loader)/)
  }
})

test('a router that reboots or crashes ends, so that its LAN never opens without a new attestation', () => {
  for (const name of ['on_reboot', 'on_crash']) {
    const restarts = router.replace(`<${name}>destroy`, `<${name}>restart`)
    const silent = router.replace(`<${name}>destroy</${name}>`, '')
    assert.match(refusal(restarts, routerContext, routerCapabilities) ?? '', new RegExp(`domain/${name}`))
    assert.match(refusal(silent, routerContext, routerCapabilities) ?? '', new RegExp(`domain/${name}.*is missing`))
  }
  assert.equal(refusal(client, consoleContext, clientCapabilities, []), undefined)
})

test('the kernel is told the root hash that was signed, once, and none where none was', () => {
  const { verity = '', ...unverified } = routerContext
  const word = `verity=${verity} `
  const other = `verity=${'00'.repeat(32)}:2518 `
  for (const words of ['', other, other + word, word + other, word + word, word.replace(':2518', ':2517')]) {
    assert.match(refusal(router.replace(word, words), routerContext, routerCapabilities) ?? '', /os\/cmdline/, words)
  }
  assert.match(refusal(router, unverified, routerCapabilities) ?? '', /os\/cmdline.*the package signs none/)
  assert.equal(refusal(router.replace(word, ''), unverified, routerCapabilities), undefined)
})

test('only the verified XML carries the text on', () => {
  const verified = verifyDomainPolicy({
    xml: client,
    context: consoleContext,
    capabilities: clientCapabilities,
    granted: [],
  })
  assert.equal(verified.xml, client)
})

/** `where` is replaced by `what` in XML that otherwise passes. */
const tricks: Record<string, [where: string | RegExp, what: string, reason: RegExp]> = {
  'a QEMU command line': [
    '</devices>',
    '</devices><qemu:commandline xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0"><qemu:arg value="-S"/></qemu:commandline>',
    /qemu:commandline/,
  ],
  'a namespace on the root': ["<domain type='qemu'", "<domain type='qemu' xmlns:q='urn:q'", /@xmlns:q/],
  'a default namespace': ["<domain type='qemu'", "<domain type='qemu' xmlns='urn:q'", /@xmlns/],
  'a foreign element': ['<devices>', '<x:y xmlns:x="urn:x"/><devices>', /x:y/],
  'a file system of the host': [
    '<rng',
    "<filesystem type='mount'><source dir='/'/><target dir='host'/></filesystem><rng",
    /filesystem/,
  ],
  'a device of the host': [
    '<rng',
    "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='1' slot='0' function='0'/></source></hostdev><rng",
    /hostdev.*not planned/,
  ],
  'a card whose MAC libvirt chooses': [
    '<rng',
    "<interface type='user'><model type='virtio'/></interface><rng",
    /has no MAC/,
  ],
  'this host’s serial numbers': ['</os>', "<smbios mode='host'/></os>", /os\/smbios\/@mode.*serial numbers/],
  'a USB device of the host': [
    '<rng',
    "<hostdev mode='subsystem' type='usb' managed='yes'><source/></hostdev><rng",
    /hostdev.*needs the capability usb.*not planned/,
  ],
  'a disk of the host': [
    '<rng',
    "<disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='/dev/sda'/><target dev='vdb' bus='virtio'/></disk><rng",
    /disk/,
  ],
  "another domain's file": [consoleContext.overlay?.path ?? '', '/etc/shadow', /disk\/source\/@file/],
  'a path with a way out': [
    consoleContext.medium ?? '',
    `${consoleContext.medium}/../../../etc/shadow`,
    /source\/@file/,
  ],
  'an overlay used twice': [
    '<rng',
    `<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${consoleContext.overlay?.path}'/><backingStore type='file'><format type='raw'/><source file='${consoleContext.overlay?.base}'/><backingStore/></backingStore><target dev='vdb' bus='virtio'/></disk><rng`,
    /two disks/,
  ],
  'the base opened for writing': [consoleContext.overlay?.path ?? '', consoleContext.overlay?.base ?? '', /read-only/],
  'another base': [
    `<source file='${consoleContext.overlay?.base}'>`,
    "<source file='/etc/shadow'>",
    /base of the overlay/,
  ],
  'a base of probed format': ["<format type='raw'/>", '', /format raw/],
  'a base of another format': ["<format type='raw'/>", "<format type='qcow2'/>", /base has format raw/],
  'an overlay without its base': [/<backingStore type[^]*<\/backingStore>\n/, '', /names its base/],
  'a chain that goes on': ['<backingStore/>', '', /chain ends/],
  'a chain below the base': [
    '<backingStore/>',
    "<backingStore><source file='/etc/shadow'/></backingStore>",
    /nothing lies below|not allowed/,
  ],
  'a disk without a format': [
    "<driver name='qemu' type='qcow2' discard='unmap'/>",
    '',
    /names its file and its format/,
  ],
  'a writable medium': ['<readonly/>', '', /read-only/],
  'another emulator': ['/usr/bin/qemu-system-x86_64', '/bin/sh', /emulator/],
  'another kernel': [consoleContext.images.kernel ?? '', '/boot/vmlinuz', /kernel/],
  'another initrd': [consoleContext.images.initrd ?? '', '/etc/shadow', /initrd/],
  'firmware of its own': ['<cmdline>', "<loader readonly='yes' type='pflash'>/tmp/x</loader><cmdline>", /loader/],
  'writable firmware': ['<cmdline>', '<loader type="pflash">/tmp/x</loader><cmdline>', /loader.*read-only/],
  'another name': ['<name>app-console-1<', '<name>router-uni<', /domain\/name/],
  'two names': ['<uuid>', '<name>app-console-1</name><uuid>', /only one is allowed/],
  'no name': [/<name>.*<\/name>/, '', /is missing/],
  'another UUID': [consoleContext.domain.uuid, '00000000-0000-0000-0000-000000000000', /domain\/uuid/],
  'more memory': ['>131072</memory>', '>1131072</memory>', /domain\/memory/],
  'memory in another unit': ["<memory unit='KiB'>", "<memory unit='GiB'>", /memory\/@unit/],
  'more processors': ['>1</vcpu>', '>64</vcpu>', /vcpu/],
  'pinned processors': ['<os>', "<cputune><vcpupin vcpu='0' cpuset='0'/></cputune><os>", /cputune/],
  'huge pages without the capability': ['<os>', '<memoryBacking><hugepages/></memoryBacking><os>', /memoryBacking/],
  'another virtualisation': ["<domain type='qemu'", "<domain type='kvm'", /@type/],
  'another card': ['52:54:00:0b:00:01', '52:54:00:0b:00:02', /no card with this MAC/],
  'one card more': [
    '<rng',
    "<interface type='network'><mac address='52:54:00:0b:00:09'/><source network='vmpkg-uni0'/><model type='virtio'/></interface><rng",
    /no card with this MAC/,
  ],
  'one card twice': [
    '<rng',
    "<interface type='network'><mac address='52:54:00:0b:00:01'/><source network='vmpkg-uni0'/><model type='virtio'/><port isolated='yes'/></interface><rng",
    /stands 2 times/,
  ],
  'no card at all': [/<interface[^]*<\/interface>/, '', /stands 0 times/],
  'another network': ["network='vmpkg-uni0'", "network='default'", /source\/@network/],
  'a bridge of the host': ["<interface type='network'>", "<interface type='bridge'>", /belongs to a network/],
  'a card in user mode': ["<interface type='network'>", "<interface type='user'>", /needs the capability user-network/],
  'a port that is not isolated': ["<port isolated='yes'/>", '', /must be isolated/],
  'a host filter': ["<port isolated='yes'/>", "<port isolated='yes'/><filterref filter='of-this-host'/>", /filterref/],
  'a host script for the card': ["<port isolated='yes'/>", "<port isolated='yes'/><script path='/bin/sh'/>", /script/],
  'a serial line into a file': [
    "<serial type='pty'>",
    "<serial type='file'><source path='/etc/cron.d/x'/>",
    /serial\/@type|serial\/source/,
  ],
  'a serial line over TCP': ["<serial type='pty'>", "<serial type='tcp'>", /serial.*needs the capability host-chardev/],
  'a serial log where none was planned': [
    "<serial type='pty'>",
    "<serial type='pty'><log file='/tmp/x'/>",
    /serial\/log/,
  ],
  'a channel to a socket of its choice': [
    "<channel type='unix'>",
    "<channel type='unix'><source mode='bind' path='/run/x'/>",
    /source\/@path/,
  ],
  'randomness from a socket': [
    "<backend model='random'>/dev/urandom</backend>",
    "<backend model='egd' type='tcp'/>",
    /rng\/backend/,
  ],
  'randomness from another file': ['/dev/urandom', '/dev/sda', /rng\/backend/],
  'a display on every address': ['<rng', "<graphics type='vnc' port='-1' listen='0.0.0.0'/><rng", /graphics\/@listen/],
  'a display where the host says': ['<rng', "<graphics type='vnc' port='-1'/><rng", /listen on loopback/],
  'a display on a network': [
    '<rng',
    "<graphics type='vnc'><listen type='network' network='default'/></graphics><rng",
    /listen\/@type/,
  ],
  'no labels for the whole domain': ['</devices>', "</devices><seclabel type='none'/>", /seclabel/],
  'a label that relabels': ["relabel='no'", "relabel='yes'", /seclabel\/@relabel/],
  'a core dump': ['<on_crash>destroy', '<on_crash>coredump-destroy', /on_crash/],
  'its own metadata': ['<os>', '<metadata/><os>', /metadata/],
  'its own title': ['<os>', '<title>x</title><os>', /title/],
  'a processing instruction': ['<os>', '<?x y?><os>', /processing instruction/],
  'text between elements': ['<os>', 'x<os>', /no text/],
  'CDATA for a name': ['<name>app-console-1</name>', '<name><![CDATA[app-console-1]]></name>', /CDATA/],
  'a shared memory device': ['<rng', "<shmem name='x'/><rng", /shmem/],
  'a TPM of the host': ['<rng', "<tpm model='tpm-tis'><backend type='passthrough'/></tpm><rng", /tpm/],
  'a document type': ['<domain', '<!DOCTYPE domain SYSTEM "file:///etc/passwd"><domain', /XML_INVALID/],
}

for (const [title, [where, what, reason]] of Object.entries(tricks)) {
  test(`${title} is refused`, () => {
    const xml = client.replace(where, () => what)
    assert.notEqual(xml, client, 'the trick changes the XML')
    assert.match(refusal(xml, consoleContext, clientCapabilities) ?? 'passed', reason)
  })
}

test("a router's LAN link that is up before attestation is refused", () => {
  const xml = router.replace("<link state='down'/>", "<link state='up'/>")
  assert.match(refusal(xml, routerContext, routerCapabilities) ?? 'passed', /link must be down/)
  const absent = router.replace("<link state='down'/>", '')
  assert.match(refusal(absent, routerContext, routerCapabilities) ?? 'passed', /link must be down/)
})

test('all findings are reported at once', () => {
  const xml = client.replace('<os>', '<title>x</title><os>').replace('/dev/urandom', '/dev/sda')
  assert.match(refusal(xml, consoleContext, clientCapabilities) ?? '', /title.*rng/)
})

test('a capability that is absent or not granted keeps the card out', () => {
  assert.match(refusal(client, consoleContext, []) ?? 'passed', /needs the capability/)
  assert.match(refusal(router, routerContext, routerCapabilities, []) ?? 'passed', /needs the capability/)
  assert.match(refusal(router, routerContext, clientCapabilities) ?? 'passed', /lan.* needs the capability/)
})

test('a passed-through device needs its capability, granted, and must be the planned one', () => {
  const pci: readonly Capability[] = [...routerCapabilities, { name: 'pci', class: 'network' }]
  const xml = render('router-uni', passthroughContext)
  assert.match(refusal(xml, passthroughContext, pci, ['network']) ?? 'passed', /needs the capability/)
  assert.match(refusal(xml, passthroughContext, routerCapabilities, ['network', 'pci']) ?? 'passed', /needs the capab/)
  const display: readonly Capability[] = [...routerCapabilities, { name: 'pci', class: 'display' }]
  assert.match(refusal(xml, passthroughContext, display, ['network', 'pci']) ?? 'passed', /needs the capability/)
  const other = xml.replace("bus='0x03'", "bus='0x04'")
  assert.match(refusal(other, passthroughContext, pci, ['network', 'pci']) ?? 'passed', /not planned/)
})

test('a bridge of the host needs its capability, granted', () => {
  const nic = { ...(routerContext.nics[0] ?? assert.fail()), bridge: 'br0' }
  const { network: _, ...wan } = nic
  const context = { ...routerContext, nics: [wan, ...routerContext.nics.slice(1)], wan }
  const xml = render('router-uni', context)
  assert.match(refusal(xml, context, routerCapabilities) ?? 'passed', /needs the capability/)
  const capable: readonly Capability[] = [...routerCapabilities, { name: 'host-bridge' }]
  assert.match(refusal(xml, context, capable) ?? 'passed', /needs the capability/)
  assert.equal(refusal(xml, context, capable, ['network', 'host-bridge']), undefined)
})

test('huge pages pass with the capability, granted', () => {
  const xml = client.replace('<os>', '<memoryBacking><hugepages/><nosharepages/></memoryBacking><os>')
  const capable: readonly Capability[] = [...clientCapabilities, { name: 'hugepages' }]
  assert.match(refusal(xml, consoleContext, capable, []) ?? 'passed', /memoryBacking/)
  assert.equal(refusal(xml, consoleContext, capable, ['hugepages']), undefined)
})
