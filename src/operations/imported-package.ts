/** The folder of a package around one image that came from outside: manifest, domain template, raw disk. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { parseManifest } from '../model/manifest-schema.ts'

export interface ImportedPackage {
  readonly name: string
  readonly version: string
  readonly kind: 'os-image' | 'app'
  readonly summary: string
  /** Where it came from and who vouches for it. */
  readonly origin: string
  /** As libosinfo names it. */
  readonly os: string | undefined
  readonly firmware: 'bios' | 'uefi'
  /** An installation or live medium: attached as a CD-ROM. */
  readonly isMedium: boolean
  /** Layer whose LAN its clones are attached to; none without. */
  readonly net: string | undefined
}

/** Writes all but the image, which belongs at `images/disk`; fill in with `describeImported` once it is there. */
export async function writeImportedPackage(folder: string, facts: ImportedPackage): Promise<void> {
  await mkdir(join(folder, 'package'), { recursive: true })
  await mkdir(join(folder, 'images'), { recursive: true })
  const manifest = manifestOf(facts)
  parseManifest(manifest)
  await writeFile(join(folder, 'package', 'vmpkg.yaml'), manifest)
  await writeFile(join(folder, 'package', 'domain.xml.hbs'), templateOf(facts))
}

export async function describeImported(folder: string): Promise<string> {
  const { disk = '' } = await describeImages(folder, ['disk'])
  return disk
}

/** Writes down which images lie below `images`. @returns their digests by role */
export async function describeImages(
  folder: string,
  roles: readonly string[],
): Promise<Readonly<Record<string, string>>> {
  const digests: Record<string, string> = {}
  const images: unknown[] = []
  for (const role of roles) {
    const file = join(folder, 'images', role)
    const hash = createHash('sha256')
    for await (const piece of createReadStream(file, { highWaterMark: 1024 * 1024 })) hash.update(piece as Buffer)
    const digest = hash.digest('hex')
    const { size } = await stat(file)
    images.push({ role, format: 'raw', digest, size, file: `images/${role}` })
    digests[role] = digest
  }
  await writeFile(join(folder, 'images.json'), `${JSON.stringify(images, undefined, 2)}\n`)
  return digests
}

function manifestOf({ name, version, kind, summary, origin, os, net, isMedium }: ImportedPackage): string {
  return stringify({
    vmpkg: 1,
    name,
    version,
    arch: 'amd64',
    kind,
    summary,
    description: origin,
    license: 'See the system itself',
    ...(os === undefined ? {} : { os: { id: os, family: familyOf(os) } }),
    ...(net === undefined ? {} : { capabilities: [{ network: { wan: net } }] }),
    parameters: {
      memory: { type: 'size', default: isMedium ? '1GiB' : '512MiB', minimum: '64MiB', maximum: '256GiB' },
      vcpus: { type: 'integer', default: 1, minimum: 1, maximum: 64 },
    },
    templates: { domain: 'domain.xml.hbs' },
    notes: 'It has no agent of vmpkg: use vmpkg clone without --wait, and take its console or its display.',
  })
}

function familyOf(os: string): 'linux' | 'windows' | 'bsd' | 'other' {
  if (os.startsWith('win')) return 'windows'
  if (os.includes('bsd')) return 'bsd'
  return /^(?:alpine|debian|ubuntu|fedora|centos|rhel|opensuse|sles|arch|alma|rocky|gentoo|linux)/.test(os)
    ? 'linux'
    : 'other'
}

const BOOT: Readonly<Record<ImportedPackage['firmware'], string>> = {
  uefi: `    <loader readonly='yes' type='pflash'>{{host.firmware.code}}</loader>
    <nvram template='{{host.firmware.vars}}'>{{nvram}}</nvram>
`,
  bios: '',
}

/** Before the configuration medium: firmware boots from the first CD-ROM. */
const MEDIUM = `<disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/>
      <source file='{{images.disk}}'>
        <seclabel model='dac' relabel='no'/>
      </source>
      <target dev='sdb' bus='sata'/>
      <readonly/>
    </disk>`

function templateOf({ firmware, isMedium }: ImportedPackage): string {
  return `<domain type='{{host.virtType}}'>
  {{> identity}}
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
${BOOT[firmware]}    <boot dev='${isMedium ? 'cdrom' : 'hd'}'/>
  </os>
  <features>
    <acpi/>
  </features>
  {{> cpu}}
  {{> lifecycle}}
  <devices>
    <emulator>{{host.emulator}}</emulator>
    ${isMedium ? MEDIUM : '{{> overlay-disk}}'}
    {{> medium}}
    {{> nics}}
    {{> headless}}
    <graphics type='vnc'>
      <listen type='socket'/>
    </graphics>
    <video>
      <model type='vga'/>
    </video>
  </devices>
</domain>
`
}
