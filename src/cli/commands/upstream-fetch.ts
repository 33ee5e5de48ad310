import { fetchUpstream } from '../../operations/upstream-fetch.ts'
import { type CommandSpec, optionList, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<release>',
  summary:
    'Fetch a vendor’s image and verify it: signature by a pinned key, checksum, and every further source you name.',
  description:
    'A release is VENDOR:VERSION or VENDOR:VERSION:FLAVOUR; the version may be newest. The file stays in the cache and its path is printed. Whatever does not fit is refused and removed.',
  options: [
    { flags: '--arch <arch>', summary: 'amd64 (default) or arm64' },
    { flags: '--mirror <url>', summary: 'fetch from here instead of the vendor’s own servers' },
    { flags: '--cross-check <url>...', summary: 'a second list of checksums that must agree (repeatable)' },
    { flags: '--digest <digest>...', summary: 'sha256:… or sha512:… that it must have (repeatable)' },
    { flags: '--key <file>...', summary: 'certificate for a pinned fingerprint (repeatable)' },
  ],
  examples: [
    'vmpkg upstream fetch alpine:3.21.2:virt',
    'vmpkg upstream fetch debian:13.1.0 --cross-check https://example.org/SHA512SUMS',
  ],
  async run({ args, options, io }) {
    const [reference = ''] = args
    const fetched = await fetchUpstream(await io.workspace({ write: true }), {
      reference,
      arch: optionText(options, 'arch') === 'arm64' ? 'arm64' : 'amd64',
      mirror: optionText(options, 'mirror'),
      crossChecks: optionList(options, 'crossCheck'),
      digests: optionList(options, 'digest'),
      certificates: optionList(options, 'key'),
    })
    if (io.json) io.printJson('upstream-fetch', { ...fetched })
    else io.print(fetched.file)
    return 0
  },
}
