/**
 * A naive detector of what a domain reaches of its host, by patterns over the text and a stack of element names: no
 * parser, no table, nothing of the gate. It finds too little rather than too much; what it finds the gate must refuse.
 */
export interface Reach {
  /** Names of the elements down to it. */
  readonly path: string
  readonly value: string
}

const TOKEN =
  /<!--[^]*?-->|<\?[^]*?\?>|<!\[CDATA\[[^]*?\]\]>|<(\/?)([\w:.-]+)((?:\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(\/?)>|([^<]+)/g
const ATTRIBUTE = /([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g

/** Absolute paths that are no files of the host's, and those that vmpkg itself gives. */
const HARMLESS_PATHS =
  /^domain\/(?:devices\/(?:emulator|filesystem\/target\/@dir|rng\/backend)|os\/(?:loader|nvram(?:\/@template)?)|name|title|description|metadata.*|clock\/@timezone|os\/(?:init|initarg|initdir|cmdline))$/
/** Elements that are of the host whatever they say. */
const ELEMENTS =
  /^domain\/(?:devices\/(?:hostdev|redirdev|smartcard|shmem|vsock|lease|filesystem)|(?:qemu|lxc|xen|bhyve|vmware):[\w-]+|seclabel|cputune\/vcpupin|numatune|memoryBacking\/(?:hugepages|locked)|resource|idmap)$/
/** `type` of an element that is of the host. */
const TYPES: readonly (readonly [RegExp, RegExp])[] = [
  [/^domain\/devices\/interface$/, /^(?:user|ethernet|direct|server|client|mcast|udp|vhostuser|vdpa|hostdev)$/],
  [/^domain\/devices\/(?:serial|parallel|console|channel)$/, /^(?:dev|file|pipe|tcp|udp|dbus)$/],
  [/^domain\/devices\/disk$/, /^(?:block|dir|network|volume|nvme|vhostuser|vhostvdpa)$/],
  [/^domain\/devices\/tpm\/backend$/, /^(?:passthrough|external)$/],
  [/^domain\/devices\/input$/, /^(?:evdev|passthrough)$/],
  [/^domain\/devices\/audio$/, /^(?:alsa|pulseaudio|jack|oss|sdl|file|pipewire|coreaudio)$/],
  [/^domain\/devices\/graphics$/, /^(?:sdl|desktop|rdp|egl-headless|dbus)$/],
]
const VALUES: readonly (readonly [RegExp, RegExp])[] = [
  [/\/graphics(?:\/listen)?\/@(?:listen|address)$/, /^(?!127\.0\.0\.1$|::1$|localhost$|$)/],
  [/\/acceleration\/@accel3d$/, /^yes$/],
  [/\/gl\/@(?:enable|rendernode)$/, /^(?:yes|\/.*)$/],
  [/\/memoryBacking\/access\/@mode$/, /^shared$/],
  [/\/numa\/cell\/@memAccess$/, /^shared$/],
  [/\/vcpu\/@cpuset$/, /./],
]

/** @returns undefined where the document's own names of namespaces make its paths unreadable to this detector */
export function findReaches(xml: string): readonly Reach[] {
  const reaches: Reach[] = []
  const stack: string[] = []
  const look = (path: string, value: string): void => {
    if (/^\/./.test(value) && !HARMLESS_PATHS.test(path)) reaches.push({ path, value })
    for (const [where, what] of VALUES) if (where.test(path) && what.test(value)) reaches.push({ path, value })
  }
  for (const [, closing, name, attributes, empty, text] of xml.matchAll(TOKEN)) {
    if (text !== undefined) look(stack.join('/'), text.trim())
    if (name === undefined) continue
    if (closing === '/') {
      stack.pop()
      continue
    }
    stack.push(name)
    const path = stack.join('/')
    if (ELEMENTS.test(path)) reaches.push({ path, value: '' })
    for (const [, attribute = '', double, single] of (attributes ?? '').matchAll(ATTRIBUTE)) {
      const value = double ?? single ?? ''
      look(`${path}/@${attribute}`, value)
      if (attribute === 'type' && TYPES.some(([where, what]) => where.test(path) && what.test(value))) {
        reaches.push({ path, value: '' })
      }
    }
    if (empty === '/') stack.pop()
  }
  return reaches
}
