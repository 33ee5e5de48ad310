/**
 * Parameters by which a user chooses something of the host or of a network: how each is written, and what it says. One
 * line of text each, since that is what command lines, YAML and libvirt's metadata carry; several are joined by commas,
 * which is why none holds one. Texts come from users; they are looked up on the host later.
 */
import type { ChoiceParameter, Parameter } from './manifest.ts'
import type { CardContext, DiskContext, ForwardContext, NetworkDiskContext, UsbContext } from './template-context.ts'

/** What of the host or of a network a parameter may choose. */
export const CHOICE_TYPES = [
  'pci',
  'usb',
  'mdev',
  'evdev',
  'folder',
  'disk',
  'iso',
  'block',
  'network-disk',
  'forward',
  'card',
  'cpuset',
  'mac',
  'address',
  'interface',
  'device',
  'socket',
  'reservation',
  'route',
  'host-name',
] as const
export type ChoiceType = (typeof CHOICE_TYPES)[number]

export const MAX_CHOICES = 32

/** No control character, comma, or `.` and `..` as a part: the path is what it seems to be. */
const PATH = String.raw`(?:/(?!\.{1,2}(?:/|$))[^\u0000-\u001f\u007f-\u009f\u2028\u2029,/]+)+`
const MAC = '[0-9a-f]{2}(?::[0-9a-f]{2}){5}'
const BYTE = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])'
const IPV4 = String.raw`${BYTE}(?:\.${BYTE}){3}`
const IPV6 = '(?=[0-9a-f:]*:[0-9a-f]*:)[0-9a-f:]{2,39}'
const PORT = '(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])'
const INTERFACE = '[A-Za-z0-9][A-Za-z0-9._-]{0,14}'
const HOST_NAME = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'
const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
const NAME = '[A-Za-z0-9][A-Za-z0-9._-]{0,63}'

interface Form {
  /** Of the whole text; the same in the JSON Schema. */
  readonly pattern: string
  /** For hints. */
  readonly words: string
  /** Another text for each number from 0 to 99. */
  readonly example: (number: number) => string
}

const two = (number: number): string => String(number).padStart(2, '0')

const FORMS: Readonly<Record<ChoiceType, Form>> = {
  // What model/pci.ts reads.
  pci: {
    pattern:
      '(?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[01][0-9a-f](?:\\.[0-7])?|[0-9a-f]{4}:[0-9a-f]{4}|class:[a-z0-9]{2,16}|' +
      `mac:${MAC}|(?:slot|serial):[A-Za-z0-9 ._-]{1,64}`,
    words: 'a PCI device: DDDD:BB:DD.F, BB:DD.F, VENDOR:DEVICE, class:gpu, slot:LABEL or mac:ADDRESS',
    example: (n) => `0000:${two(n)}:00.0`,
  },
  usb: {
    pattern: '[0-9a-f]{4}:[0-9a-f]{4}|[1-9][0-9]{0,2}\\.[1-9][0-9]{0,2}',
    words: 'a USB device: VENDOR:PRODUCT or BUS.DEVICE',
    example: (n) => `1d6b:00${two(n)}`,
  },
  mdev: {
    pattern: UUID,
    words: 'the UUID of a mediated device',
    example: (n) => `00000000-0000-4000-8000-0000000000${two(n)}`,
  },
  evdev: {
    pattern: '/dev/input/by-(?:id|path)/[A-Za-z0-9_:.+@-]{1,200}',
    words: 'an input device below /dev/input/by-id or /dev/input/by-path',
    example: (n) => `/dev/input/by-id/example-${n}`,
  },
  folder: { pattern: PATH, words: 'the absolute path of a folder', example: (n) => `/srv/folder-${n}` },
  disk: { pattern: PATH, words: 'the absolute path of a disk image', example: (n) => `/srv/disk-${n}.img` },
  iso: { pattern: PATH, words: 'the absolute path of a CD-ROM image', example: (n) => `/srv/medium-${n}.iso` },
  block: { pattern: `/dev${PATH}`, words: 'a block device below /dev', example: (n) => `/dev/example/${n}` },
  'network-disk': {
    pattern: `(?:nbd|rbd|https?|iscsi)://(?:${IPV4}|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::${PORT})?/[A-Za-z0-9._~:@/+=-]{1,500}`,
    words: 'a network disk: nbd://HOST/EXPORT, rbd://HOST/POOL/IMAGE, iscsi://HOST/TARGET or https://HOST/PATH',
    example: (n) => `nbd://storage.example.org/${n}`,
  },
  forward: {
    pattern: `(?:${IPV4}:)?${PORT}(?:-${PORT})?:${PORT}(?:-${PORT})?(?:/(?:tcp|udp))?`,
    words: 'a port to forward: [ADDRESS:]HOST:GUEST[/udp], such as 8080:80',
    example: (n) => `${8000 + n}:80`,
  },
  card: {
    pattern: [
      `network:${NAME}`,
      `(?:bridge|direct):${INTERFACE}`,
      'user',
      `passt(?::${INTERFACE})?`,
      `(?:mcast|server|client):${IPV4}:${PORT}`,
      `udp:${IPV4}:${PORT}:${IPV4}:${PORT}`,
    ].join('|'),
    words:
      'a card: network:NAME, bridge:NAME, direct:INTERFACE, user, passt, mcast:ADDRESS:PORT, server:…, client:… or udp:ADDRESS:PORT:LOCAL:PORT',
    example: () => 'user',
  },
  cpuset: { pattern: '[0-9]{1,4}(?:-[0-9]{1,4})?', words: 'CPUs such as 2-5', example: () => '2-5' },
  mac: {
    pattern: `(?![0-9a-f][13579bdf])${MAC}`,
    words: 'a MAC address such as 52:54:00:12:34:56',
    example: (n) => `52:54:00:00:00:${two(n)}`,
  },
  address: { pattern: `${IPV4}|${IPV6}`, words: 'an IP address', example: (n) => `192.0.2.${1 + n}` },
  interface: { pattern: INTERFACE, words: 'a network interface of the host', example: () => 'eth0' },
  device: { pattern: `/dev${PATH}`, words: 'a device below /dev', example: (n) => `/dev/example${n}` },
  socket: { pattern: PATH, words: 'the absolute path of a UNIX socket', example: (n) => `/run/example-${n}.sock` },
  reservation: {
    pattern: `${MAC}=${IPV4}(?:=${HOST_NAME})?`,
    words: 'MAC=ADDRESS or MAC=ADDRESS=NAME',
    example: (n) => `52:54:00:00:00:${two(n)}=192.0.2.${10 + n}`,
  },
  route: {
    pattern: `${IPV4}/(?:3[0-2]|[12]?[0-9])=${IPV4}`,
    words: 'a route: NETWORK/PREFIX=GATEWAY',
    example: (n) => `198.51.${n}.0/24=192.0.2.2`,
  },
  'host-name': {
    pattern: `${HOST_NAME}(?:\\.${HOST_NAME})*=(?:${IPV4})`,
    words: 'NAME=ADDRESS',
    example: (n) => `host-${n}=192.0.2.${10 + n}`,
  },
}

const MAX_TEXT = 1024

export function isChoiceParameter(parameter: Parameter): parameter is ChoiceParameter {
  return CHOICE_TYPES.some((one) => one === parameter.type)
}

/** Source of a regular expression that matches a text of that type as a whole. */
export function choicePattern(type: ChoiceType): string {
  return `^(?:${FORMS[type].pattern})$`
}

export function describeChoice(type: ChoiceType): string {
  return FORMS[type].words
}

/** A text of that type that stands for what a user may choose; each number has another where it matters. */
export function imagineChoice(type: ChoiceType, number: number): string {
  return FORMS[type].example(number % 100)
}

/** One text of that type. What two parts say of each other is judged as well (ranges). */
export function isChoice(type: ChoiceType, text: string): boolean {
  if (text.length > MAX_TEXT || !text.isWellFormed() || !new RegExp(choicePattern(type), 'u').test(text)) return false
  if (type === 'forward') return isForward(text)
  if (type !== 'cpuset') return true
  const [first = 0, last = first] = text.split('-').map(Number)
  return first <= last
}

/** `8080:80`, `127.0.0.1:8000-8010:9000-9010/udp`; checked by `isChoice` before. */
export function parseForward(text: string): Omit<ForwardContext, 'parameter'> {
  const [ports = '', protocol = 'tcp'] = text.split('/')
  const parts = ports.split(':')
  const [hosts = '', guests = ''] = parts.slice(-2)
  const [host = 0, hostEnd = host] = hosts.split('-').map(Number)
  const [guest = 0, guestEnd = guest] = guests.split('-').map(Number)
  const address = parts.length === 3 ? parts[0] : undefined
  return {
    protocol: protocol === 'udp' ? 'udp' : 'tcp',
    ...(address === undefined ? {} : { address }),
    host,
    hostEnd,
    guest,
    guestEnd,
  }
}

function isForward(text: string): boolean {
  const { host, hostEnd, guest, guestEnd } = parseForward(text)
  return host <= hostEnd && hostEnd - host === guestEnd - guest
}

export function parseUsb(text: string): UsbContext {
  const [vendor, product] = text.split(':')
  if (product !== undefined && vendor !== undefined) return { vendor, product }
  const [bus = 0, device = 0] = text.split('.').map(Number)
  return { bus, device }
}

const NETWORK_DISK_PORTS = { nbd: 10_809, rbd: 6789, http: 80, https: 443, iscsi: 3260 } as const

export function parseNetworkDisk(text: string): NetworkDiskContext {
  const [, scheme = '', host = '', port, name = ''] = /^([a-z]+):\/\/([^/:]+)(?::(\d+))?\/(.*)$/.exec(text) ?? []
  const protocol = (Object.keys(NETWORK_DISK_PORTS) as NetworkDiskContext['protocol'][]).find((one) => one === scheme)
  if (protocol === undefined) throw new TypeError(`not checked before: ${text}`)
  return { protocol, name, host, port: port === undefined ? NETWORK_DISK_PORTS[protocol] : Number(port) }
}

export function parseCard(text: string): Omit<CardContext, 'parameter' | 'mac'> {
  const [word = '', first, port, localAddress, localPort] = text.split(':')
  switch (word) {
    case 'network':
      return { kind: word, network: first ?? '' }
    case 'bridge':
      return { kind: word, bridge: first ?? '' }
    case 'direct':
      return { kind: word, device: first ?? '' }
    case 'user':
      return { kind: word }
    case 'passt':
      return { kind: word, ...(first === undefined ? {} : { device: first }) }
    case 'mcast':
    case 'server':
    case 'client':
      return { kind: word, address: first ?? '', port: Number(port) }
    case 'udp':
      return {
        kind: word,
        address: first ?? '',
        port: Number(port),
        localAddress: localAddress ?? '',
        localPort: Number(localPort),
      }
    default:
      throw new TypeError(`not checked before: ${text}`)
  }
}

/** Two forwards that want one port of the host. Source: an address of 0.0.0.0 takes the port of every address. */
export function clashes(a: Omit<ForwardContext, 'parameter'>, b: Omit<ForwardContext, 'parameter'>): boolean {
  const [left, right] = [a, b].map(({ address = '127.0.0.1' }) => address)
  const isSameAddress = left === right || left === '0.0.0.0' || right === '0.0.0.0'
  return isSameAddress && a.protocol === b.protocol && a.host <= b.hostEnd && b.host <= a.hostEnd
}

/** Kind of disk by the type of the parameter that chose it. */
export const DISK_KINDS = {
  disk: 'file',
  iso: 'cdrom',
  block: 'block',
  'network-disk': 'network',
} as const satisfies Partial<Record<ChoiceType, DiskContext['kind']>>
