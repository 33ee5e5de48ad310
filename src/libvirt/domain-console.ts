/** What one sees and types at a domain: consoles, channels, its screen, its keys. */
import { choice, flags, list, maybe, preset, string, u32 } from './codecs.ts'
import { call, streamCall } from './methods.ts'
import { none } from './vocabulary.ts'

export const consoleMethods = {
  /**
   * A stream to and from a console, serial or parallel port on a pseudo terminal; `device` is its alias, without it the
   * first console. One at a time. It ends when the domain does.
   * @throws {LibvirtError} `operationFailed` when another one is open, `operationInvalid` when it does not run,
   * `internalError` for an unknown device
   */
  openConsole: streamCall('DOMAIN_OPEN_CONSOLE', 201, '0.8.6', 'both', {
    device: maybe(string),
    flags: flags({
      /** Throws another one out; its stream ends with an error. */
      force: 1,
      /** Refuses where nothing keeps two from being open. */
      safe: 2,
    }),
  }),
  /**
   * A stream to and from a virtio channel on a unix socket; `name` is the channel's target name, without it the first.
   * @throws {LibvirtError} `operationFailed` when another one is open, `operationInvalid` when it does not run,
   * `internalError` for an unknown channel
   */
  openChannel: streamCall('DOMAIN_OPEN_CHANNEL', 296, '1.0.2', 'both', {
    name: maybe(string),
    flags: flags({
      /** Throws another one out; its stream ends with an error. */
      force: 1,
    }),
  }),
  /**
   * A picture of a screen as a stream; `mime` tells its form (`image/png`, `image/x-portable-pixmap`). Screens count
   * from 0 over all graphics cards.
   * @throws {LibvirtError} `operationInvalid` when it does not run or has no such screen
   */
  screenshot: streamCall(
    'DOMAIN_SCREENSHOT',
    211,
    '0.9.2',
    'read',
    { screen: u32, flags: none },
    { mime: maybe(string) },
  ),
  /**
   * Presses up to 16 keys together and lets go after `holdtime` milliseconds. The codes are those of `codeset`: Linux's
   * `KEY_…`, scan codes of PC keyboards (`xt`, `atset…`), and so on.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `invalidArg` for a code that is none
   */
  sendKey: call('DOMAIN_SEND_KEY', 226, '0.9.3', {
    codeset: preset(
      choice('linux', 'xt', 'atset1', 'atset2', 'atset3', 'osx', 'xtKbd', 'usb', 'win32', 'qnum'),
      'linux',
    ),
    holdtime: preset(u32, 0),
    keycodes: list(u32),
    flags: none,
  }),
  /**
   * A non-maskable interrupt: many systems dump and restart on it.
   * @throws {LibvirtError} `operationInvalid` when it does not run
   */
  injectNMI: call('DOMAIN_INJECT_NMI', 210, '0.9.2', { flags: none }),
  /**
   * Makes the graphics read their TLS certificates anew.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `argumentUnsupported`, `internalError` without TLS
   */
  graphicsReload: call('DOMAIN_GRAPHICS_RELOAD', 448, '10.2.0', {
    type: preset(choice('any', 'vnc'), 'any'),
    flags: none,
  }),
}
