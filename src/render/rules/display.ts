/** Displays, graphics, sound and input. A display listens on loopback, on a socket that libvirt chooses, or not at all. */
import { getAttribute } from '../../xml/find.ts'
import type { XmlElement } from '../../xml/tree.ts'
import { asking, chosen, either, neverValue, oneOf, type Rule, rule, unless } from '../policy.ts'
import { device, virtioDevice, virtioDriver } from './device.ts'
import { attributes, each, large, line, loopback, no, number, word, yesNo } from './values.ts'

const renderNode = asking('gpu-share', chosen)
const gl: Rule = { attributes: { enable: unless(no, 'gpu-share', yesNo), rendernode: renderNode } }
const port = either(oneOf('-1'), chosen)
const ownSocket = neverValue('libvirt chooses it')

const listening: Rule = {
  attributes: {
    port,
    autoport: yesNo,
    listen: loopback,
    socket: ownSocket,
    keymap: word,
    passwd: line,
    passwdValidTo: line,
    connected: oneOf('keep', 'disconnect', 'fail'),
  },
  children: {
    listen: {
      many: true,
      variants: {
        by: 'type',
        cases: {
          address: { attributes: { address: loopback }, required: ['address'] },
          socket: { attributes: { socket: ownSocket } },
          none: {},
          network: {
            never: 'must listen on loopback, on a socket or not at all',
            attributes: { network: neverValue('would listen where others reach it') },
          },
        },
      },
    },
  },
  judge: judgeListener,
}

const desktop = 'would draw on the desktop of whoever runs libvirt'

export const graphics: Rule = {
  many: true,
  required: ['type'],
  variants: {
    by: 'type',
    cases: {
      vnc: rule(listening, {
        attributes: {
          websocket: port,
          sharePolicy: oneOf('allow-exclusive', 'force-shared', 'ignore'),
          powerControl: yesNo,
        },
        children: { audio: attributes(number, 'id') },
      }),
      spice: rule(listening, {
        attributes: { tlsPort: port, defaultMode: oneOf('any', 'secure', 'insecure') },
        children: {
          channel: { attributes: { name: word, mode: oneOf('any', 'secure', 'insecure') }, many: true },
          ...each(attributes(word, 'compression'), 'image', 'jpeg', 'zlib', 'playback'),
          streaming: attributes(word, 'mode'),
          mouse: attributes(oneOf('server', 'client'), 'mode'),
          // What they default to is judged over the whole domain: `judgeAgent` in domain-policy.ts.
          clipboard: { attributes: { copypaste: unless(no, 'redirection', yesNo) } },
          filetransfer: { attributes: { enable: unless(no, 'redirection', yesNo) } },
          gl,
        },
      }),
      'egl-headless': {
        needs: 'gpu-share',
        children: { gl: { attributes: { rendernode: chosen } } },
      },
      dbus: {
        needs: 'host-chardev',
        attributes: { address: chosen, p2p: yesNo },
        children: { gl, audio: attributes(number, 'id') },
      },
      sdl: {
        never: desktop,
        attributes: each(neverValue(desktop), 'display', 'xauth', 'fullscreen'),
      },
      desktop: { never: desktop },
      rdp: {
        never: 'vmpkg has no display by RDP',
        attributes: each(neverValue('vmpkg has no display by RDP'), 'username', 'replaceUser', 'multiUser'),
      },
    },
  },
}

export const video: Rule = rule(device, {
  children: {
    driver: rule(virtioDriver, {
      attributes: {
        name: unless(oneOf('qemu'), 'gpu-share', oneOf('vhostuser')),
        vgaconf: oneOf('io', 'on', 'off'),
      },
    }),
    model: {
      attributes: {
        type: oneOf('none', 'virtio', 'vga', 'qxl', 'bochs', 'ramfb', 'cirrus', 'vmvga'),
        ...each(number, 'heads', 'vram', 'vram64', 'ram', 'vgamem'),
        primary: yesNo,
        blob: oneOf('on', 'off'),
      },
      required: ['type'],
      children: {
        acceleration: {
          attributes: { accel2d: yesNo, accel3d: unless(no, 'gpu-share', yesNo), rendernode: renderNode },
        },
        resolution: attributes(number, 'x', 'y'),
      },
    },
  },
})

export const input: Rule = rule(device, {
  required: ['type'],
  attributes: {
    bus: oneOf('ps2', 'usb', 'virtio'),
    model: oneOf('virtio', 'virtio-transitional', 'virtio-non-transitional'),
  },
  variants: {
    by: 'type',
    cases: {
      ...each<Rule>({}, 'mouse', 'tablet', 'keyboard'),
      passthrough: { needs: 'evdev', children: { source: { attributes: { evdev: chosen }, required: ['evdev'] } } },
      evdev: {
        needs: 'evdev',
        children: {
          source: {
            attributes: { dev: chosen, grab: oneOf('all'), grabToggle: word, repeat: oneOf('on', 'off') },
            required: ['dev'],
          },
        },
      },
    },
  },
  children: { driver: virtioDriver },
})

export const sound: Rule = rule(virtioDevice, {
  attributes: { model: word, multichannel: yesNo, streams: number },
  required: ['model'],
  children: {
    codec: { attributes: { type: word }, many: true },
    audio: attributes(number, 'id'),
  },
})

const stream: Rule = {
  attributes: {
    ...each(yesNo, 'mixingEngine', 'fixedSettings', 'exactName', 'tryPoll'),
    ...each(large, 'voices', 'bufferLength', 'bufferCount', 'latency'),
    ...each(chosen, 'dev', 'serverName', 'connectPorts'),
    ...each(line, 'name', 'streamName', 'clientName'),
  },
  children: { settings: attributes(word, 'frequency', 'channels', 'format') },
}

/** Where a sound card plays to. Into the display it opens nothing of the host. */
export const audio: Rule = {
  many: true,
  required: ['id'],
  attributes: { id: number, timerPeriod: large },
  children: { input: stream, output: stream },
  variants: {
    by: 'type',
    cases: {
      ...each<Rule>({}, 'none', 'spice', 'dbus'),
      ...each<Rule>({ needs: 'host-audio' }, 'alsa', 'coreaudio', 'jack'),
      sdl: { needs: 'host-audio', attributes: { driver: word } },
      pulseaudio: { needs: 'host-audio', attributes: { serverName: chosen } },
      pipewire: { needs: 'host-audio', attributes: { runtimeDir: chosen } },
      oss: { needs: 'host-audio', attributes: { tryMMap: yesNo, exclusive: yesNo, dspPolicy: number } },
      file: { needs: 'host-audio', attributes: { path: asking('host-file:write', chosen) } },
    },
  },
}

/** Without a listener of its own a display would follow the host's setting, which may be any address. */
function judgeListener(display: XmlElement): string | undefined {
  const listeners = display.children.flatMap((node) =>
    node.type === 'element' && node.name === 'listen' ? [node] : [],
  )
  const isSaid =
    listeners.length === 0
      ? getAttribute(display, 'listen') !== undefined
      : listeners.every((one) => getAttribute(one, 'type') !== 'address' || getAttribute(one, 'address') !== undefined)
  return isSaid ? undefined : 'must listen on loopback, on a socket or not at all'
}
