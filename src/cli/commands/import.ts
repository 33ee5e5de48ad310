import { basename } from 'node:path'
import { VmpkgError } from '../../errors.ts'
import { importImage } from '../../operations/import.ts'
import { importMachines } from '../../operations/import-machines.ts'
import { type CommandSpec, type Io, type OptionValues, optionList, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<image>',
  summary: 'Make a package of this host’s own from a disk image, a vendor’s release or a machines.conf.',
  description:
    'The package is signed by a key that only this host trusts and lies in source local; install and clone it as any other. Formats: qcow2, raw, vmdk, vdi, iso, and .gz .xz .zst .bz2 of them.',
  options: [
    { flags: '--upstream', summary: 'the image is a vendor’s release, as in alpine:3.21.2:virt' },
    { flags: '--name <name>', summary: 'name of the package' },
    { flags: '--pkg-version <version>', summary: 'its version (default: the release’s, or 1.0)' },
    { flags: '--format <format>', summary: 'format of the image, where its name does not say' },
    { flags: '--firmware <firmware>', summary: 'bios (default) or uefi' },
    { flags: '--net <layer>', summary: 'layer its clones attach to (default uni), or none' },
    { flags: '--os <id>', summary: 'operating system as libosinfo names it' },
    { flags: '--kind <kind>', summary: 'os-image (default) or app' },
    { flags: '--digest <digest>...', summary: 'sha256:… or sha512:… that the file must have (repeatable)' },
    { flags: '--signature <file>', summary: 'detached signature over the file' },
    { flags: '--key <file>...', summary: 'certificate that must have signed (repeatable)' },
    { flags: '--cross-check <url>...', summary: 'a second list of checksums that must agree (repeatable)' },
    { flags: '--mirror <url>', summary: 'with --upstream: fetch from here' },
    { flags: '--virtual-size <size>', summary: 'size that the disk must have' },
    { flags: '--max-size <size>', summary: 'largest disk to accept (default 64GiB)' },
    { flags: '--images <folder>', summary: 'machines.conf: where files put there by hand lie' },
    { flags: '--unverified', summary: 'machines.conf: fetch entries without a checksum too' },
    { flags: '--dry-run', summary: 'check and convert, but add nothing' },
  ],
  examples: [
    'vmpkg import disk.qcow2 --name my-disk --firmware uefi',
    'vmpkg import --upstream alpine:3.21.2:virt --name alpine-virt',
    'vmpkg import machines.conf',
  ],
  async run({ args, options, io }) {
    const [image = ''] = args
    if (basename(image).endsWith('.conf')) return importList(io, image, options)
    const name = optionText(options, 'name')
    if (name === undefined)
      throw new VmpkgError('USAGE', 'An imported package needs a name', { hint: 'Add --name NAME.' })
    const result = await importImage(await io.workspace({ write: true }), {
      image,
      name,
      isUpstream: options['upstream'] === true,
      version: optionText(options, 'pkgVersion'),
      format: optionText(options, 'format'),
      firmware: optionText(options, 'firmware'),
      net: optionText(options, 'net'),
      os: optionText(options, 'os'),
      kind: optionText(options, 'kind'),
      digests: optionList(options, 'digest'),
      signature: optionText(options, 'signature'),
      keys: optionList(options, 'key'),
      crossChecks: optionList(options, 'crossCheck'),
      mirror: optionText(options, 'mirror'),
      virtualSize: optionText(options, 'virtualSize'),
      maxSize: optionText(options, 'maxSize'),
      dryRun: io.dryRun,
    })
    if (io.json) io.printJson('import', { ...result, dryRun: io.dryRun })
    else if (io.dryRun)
      io.print(`${result.name} ${result.version} would be added: ${result.format}, sha256:${result.digest}`)
    else io.print(`Added ${result.name} ${result.version} to source ${result.source}; run vmpkg install ${result.name}`)
    return 0
  },
}

async function importList(io: Io, file: string, options: OptionValues): Promise<number> {
  const machines = await importMachines(await io.workspace({ write: true }), {
    file,
    images: optionText(options, 'images'),
    unverified: options['unverified'] === true,
    offline: options['offline'] === true,
    maxSize: optionText(options, 'maxSize'),
    dryRun: io.dryRun,
  })
  if (io.json) io.printJson('import-machines', { machines, dryRun: io.dryRun })
  else {
    io.printTable(
      ['FILE', 'PACKAGE', 'STATE', 'DESCRIPTION'],
      machines.map((one) => [one.file, one.package, one.state, one.reason ?? one.description]),
      'whole',
    )
  }
  return machines.some(({ state }) => state === 'refused') ? 1 : 0
}
