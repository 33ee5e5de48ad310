/**
 * Where the content of a disk lies: files of vmpkg, and what the user chose of this host and of storage servers. One rule
 * for each value of `type`, for disks, backing files and data files alike.
 */
import type { XmlElement } from '../../xml/tree.ts'
import type { Gate } from '../gate.ts'
import { asking, type Check, chosen, either, given, never, neverValue, oneOf, type Rule, rule } from '../policy.ts'
import { keptLabel } from './chardev.ts'
import { pciOf } from './pci.ts'
import { attributes, hexadecimal, large, number, unit, word, yesNo } from './values.ts'

const userFile = asking('host-file:read', chosen)
const reconnect: Rule = { attributes: { enabled: yesNo, timeout: number, delay: number } }
/** Names a secret that this host's libvirt keeps. */
const secret: Rule = { attributes: { type: word, usage: chosen, uuid: chosen } }
export const authentication: Rule = { attributes: { username: chosen }, children: { secret } }
export const initiator: Rule = { children: { iqn: attributes(chosen, 'name') } }

export const encryption: Rule = {
  attributes: { format: oneOf('luks', 'luks2', 'luks-any', 'qcow', 'default'), engine: oneOf('qemu', 'librbd') },
  children: {
    secret: { ...secret, many: true },
    cipher: { attributes: { name: word, size: number, mode: word, hash: word } },
    ivgen: attributes(word, 'name', 'hash'),
  },
}

/** What a source may say whatever its type. */
const anySource: Rule = {
  attributes: {
    startupPolicy: oneOf('mandatory', 'requisite', 'optional'),
    index: number,
    fdgroup: neverValue('open files come only through the API'),
  },
  children: {
    seclabel: keptLabel,
    encryption,
    slices: {
      children: { slice: { attributes: { type: oneOf('storage'), offset: large, size: large }, many: true } },
    },
    privateData: never('only libvirt says this'),
    dataStore: () => dataStore,
  },
}

const reservations: Rule = {
  attributes: { managed: yesNo },
  children: {
    source: {
      attributes: { type: oneOf('unix'), mode: oneOf('client'), path: chosen },
      children: { reconnect },
    },
  },
}

const server: Rule = {
  many: true,
  attributes: {
    name: chosen,
    port: either(chosen, oneOf('0')),
    transport: oneOf('tcp', 'unix', 'rdma'),
    socket: chosen,
  },
}

const network: Rule = {
  needs: 'network-disk',
  children: {
    source: rule(anySource, {
      attributes: {
        protocol: oneOf(
          'rbd',
          'iscsi',
          'nbd',
          'gluster',
          'sheepdog',
          'http',
          'https',
          'ftp',
          'ftps',
          'tftp',
          'ssh',
          'nfs',
        ),
        name: chosen,
        query: chosen,
        tls: yesNo,
        tlsHostname: chosen,
      },
      required: ['protocol'],
      children: {
        host: server,
        snapshot: attributes(word, 'name'),
        config: attributes(chosen, 'file'),
        auth: authentication,
        cookies: { children: { cookie: { attributes: { name: word }, text: chosen, many: true } } },
        ssl: attributes(yesNo, 'verify'),
        readahead: attributes(large, 'size'),
        timeout: attributes(number, 'seconds'),
        reconnect,
        identity: attributes(chosen, 'user', 'group', 'username', 'keyfile', 'agentsock'),
        knownHosts: attributes(chosen, 'path'),
        initiator,
      },
    }),
  },
}

/** By the `type` of a disk, a backing store or a data store. @param file which files of vmpkg may stand */
export function storageTypes(file: Check): Readonly<Record<string, Rule>> {
  return {
    file: {
      children: { source: rule(anySource, { attributes: { file: either(file, userFile) }, required: ['file'] }) },
    },
    block: {
      needs: 'block-device',
      children: { source: rule(anySource, { attributes: { dev: chosen }, children: { reservations } }) },
    },
    dir: {
      needs: 'host-folder:read',
      children: { source: rule(anySource, { attributes: { dir: chosen } }) },
    },
    network,
    volume: {
      needs: 'host-file:read',
      children: {
        source: rule(anySource, {
          attributes: { pool: chosen, volume: chosen, mode: oneOf('direct', 'host') },
          required: ['pool', 'volume'],
        }),
      },
    },
    nvme: {
      needs: 'pci:storage',
      children: {
        source: rule(anySource, {
          attributes: { type: oneOf('pci'), managed: yesNo, namespace: number },
          children: {
            address: {
              attributes:
                attributes(hexadecimal, 'domain', 'bus', 'slot', 'function', 'multifunction').attributes ?? {},
              judge: isChosenPci,
            },
          },
        }),
      },
    },
    vhostuser: {
      needs: 'host-chardev',
      children: {
        source: rule(anySource, {
          attributes: { type: oneOf('unix'), path: chosen, mode: oneOf('client', 'server') },
          required: ['type', 'path'],
          children: { reconnect },
        }),
      },
    },
    vhostvdpa: {
      needs: 'block-device',
      children: { source: rule(anySource, { attributes: { dev: chosen }, required: ['dev'] }) },
    },
  }
}

const format: Rule = {
  attributes: { type: oneOf('raw', 'qcow2', 'luks', 'vmdk', 'vdi', 'vpc', 'vhdx', 'qed', 'dmg', 'bochs', 'cloop') },
  required: ['type'],
  children: { metadata_cache: { children: { max_size: { attributes: { unit }, text: number } } } },
}

/** The data of a qcow2 file in a file of its own. */
const dataStore: Rule = {
  needs: 'host-file:write',
  variants: { by: 'type', cases: storageTypes(neverValue('is not a file that the user gave')) },
  children: { format },
}

/** An empty one ends the chain. */
export const backingStore: Rule = {
  attributes: { index: number },
  variants: {
    by: 'type',
    absent: '',
    cases: {
      '': {},
      ...storageTypes(given('the base of the overlay', 'base')),
    },
  },
  children: { format, backingStore: () => backingStore },
}

export const mirror: Rule = never('only libvirt says this, while it copies')

function isChosenPci(address: XmlElement, gate: Gate): string | undefined {
  const device = pciOf(address)
  return device !== undefined && gate.isChosen(device) ? undefined : 'is not a device that the user gave'
}
