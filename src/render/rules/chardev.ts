/**
 * Character devices: what stands at the host's end of a serial line, a channel, a USB redirection, a smart card or a
 * source of randomness. A pty and a socket in libvirt's own folder reach nobody; all else is of the host.
 */
import { asking, chosen, either, given, neverValue, oneOf, type Rule, rule, unless } from '../policy.ts'
import { device } from './device.ts'
import { attributes, no, number, onOff, word, yesNo } from './values.ts'

const NEED = 'host-chardev'

/** Labels of files: only that libvirt leaves the owner of a file as it is. */
export const keptLabel: Rule = {
  attributes: {
    model: oneOf('dac'),
    relabel: no,
    labelskip: neverValue('only libvirt says this'),
  },
  required: ['relabel'],
  many: true,
  children: { label: { never: 'another label would run or open things as another user' } },
}

const ownLog = given("this domain's serial log", 'serialLog')
const path = asking(NEED, chosen)
const reconnect: Rule = { attributes: { enabled: yesNo, timeout: number, delay: number } }
const protocol: Rule = { attributes: { type: oneOf('raw', 'telnet', 'telnets', 'tls') } }
const ownPath = neverValue('libvirt chooses it')

function source(rest: Rule): Rule {
  return { children: { source: rest } }
}

const onFile: Rule = {
  needs: NEED,
  ...source({
    attributes: { path, append: onOff },
    required: ['path'],
    children: { seclabel: keptLabel, reconnect },
  }),
}

/** By `type`. Source: libvirt's domain format, "Consoles, serial, parallel & channel devices", "Host interface". */
export const ends: Readonly<Record<string, Rule>> = {
  pty: { attributes: { tty: ownPath }, ...source({ attributes: { path: ownPath } }) },
  null: {},
  vc: {},
  stdio: { never: 'the standard streams of QEMU are not a template’s' },
  nmdm: { never: 'only bhyve has it', ...source(attributes(ownPath, 'master', 'slave')) },
  dev: onFile,
  file: source({
    attributes: { path: either(ownLog, path), append: onOff },
    required: ['path'],
    children: { seclabel: keptLabel },
  }),
  pipe: onFile,
  unix: source({
    attributes: {
      mode: unless(oneOf('bind'), NEED, oneOf('connect')),
      path,
      tls: unless(no, NEED, yesNo),
    },
    children: { seclabel: keptLabel, reconnect },
    judge: (element, gate) =>
      element.attributes.some(({ name, raw }) => name === 'mode' && raw === 'connect') &&
      !element.attributes.some(({ name }) => name === 'path') &&
      gate.missing(NEED) === undefined
        ? 'a socket to connect to is named'
        : undefined,
  }),
  tcp: {
    needs: NEED,
    children: {
      source: {
        attributes: { mode: oneOf('bind', 'connect'), host: path, service: path, tls: yesNo },
        required: ['mode', 'host', 'service'],
        children: { reconnect },
      },
      protocol,
    },
  },
  udp: {
    needs: NEED,
    ...source({
      attributes: { mode: oneOf('bind', 'connect'), host: path, service: path },
      required: ['mode', 'host', 'service'],
      many: true,
    }),
  },
  dbus: { needs: NEED, ...source(attributes(word, 'channel')) },
  // What it carries for whom is judged over the whole domain: `agentNeeds` in domain-policy.ts.
  spicevmc: {},
  spiceport: { needs: 'redirection', ...source(attributes(word, 'channel')) },
  'qemu-vdagent': source({
    children: {
      clipboard: { attributes: { copypaste: unless(no, 'redirection', yesNo) } },
      mouse: { attributes: { mode: oneOf('client', 'server') } },
    },
  }),
}

export const log: Rule = {
  attributes: {
    file: either(ownLog, path),
    append: onOff,
  },
  required: ['file'],
}

/** `absent`: the type where none is written. */
function characterDevice(target: Rule, absent?: string): Rule {
  return rule(device, {
    variants: { by: 'type', ...(absent === undefined ? {} : { absent }), cases: ends },
    children: { log, target },
  })
}

export const characterDevices: Readonly<Record<string, Rule>> = {
  serial: characterDevice({
    attributes: { type: word, port: number },
    children: { model: { attributes: { name: word } } },
  }),
  parallel: characterDevice({
    attributes: { type: word, port: number },
    children: { model: { attributes: { name: word } } },
  }),
  console: characterDevice({
    attributes: { type: word, port: number },
    children: { model: { attributes: { name: word } } },
  }),
  channel: characterDevice({
    attributes: {
      type: oneOf('virtio', 'guestfwd'),
      name: word,
      // Of guestfwd: an address inside the network that QEMU imagines for the guest.
      address: word,
      port: number,
      state: neverValue('only libvirt says this'),
    },
    required: ['type'],
  }),
}
