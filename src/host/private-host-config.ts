/**
 * What the private host's daemons read: pure texts, written afresh at every start.
 *
 * Source: the comments of libvirt 9.0's own qemu.conf and libvirtd.conf. `user = "root"` is root of the namespace,
 * which is the caller outside. Control groups stay off: those that libvirt makes would outlive the host.
 */
import { VmpkgError } from '../errors.ts'

export const QEMU_CONF = [
  'user = "root"',
  'group = "root"',
  'dynamic_ownership = 0',
  'remember_owner = 0',
  'security_driver = "none"',
  'namespaces = []',
  'cgroup_controllers = []',
  '',
].join('\n')

const MAX_SOCKET_PATH = 107 // bytes; sun_path holds 108 with its final NUL, unix(7)
const LONGEST_SOCKET_NAME = 'libvirt-admin-sock'

/** `runtimeFolder` holds the sockets. @throws {VmpkgError} `PRIVATE_HOST_FAILED` where no socket fits into it */
export function formatLibvirtdConf(runtimeFolder: string): string {
  checkSocketFolder(runtimeFolder)
  return [
    `unix_sock_dir = "${runtimeFolder}"`,
    'unix_sock_group = "root"',
    'unix_sock_ro_perms = "0700"',
    'unix_sock_rw_perms = "0700"',
    'unix_sock_admin_perms = "0700"',
    'auth_unix_ro = "none"',
    'auth_unix_rw = "none"',
    // Each machine’s name with the warning that QEMU runs as root, which is the caller here (leak case J3).
    'log_filters = "4:qemu.qemu_domain"',
    '',
  ].join('\n')
}

/** The URI that any libvirt client outside opens, virsh and virt-manager among them. */
export function formatPrivateHostUri(runtimeFolder: string): string {
  return `qemu+unix:///system?socket=${runtimeFolder}/libvirt-sock`
}

const NAME = /^[a-z0-9][a-z0-9-]{0,31}$/

/** @throws {VmpkgError} `NAME_INVALID` */
export function checkPrivateHostName(name: string): void {
  if (NAME.test(name)) return
  throw new VmpkgError('NAME_INVALID', `Not a name of a private host: ${JSON.stringify(name.slice(0, 64))}`, {
    hint: 'Use 1 to 32 small letters, digits and hyphens, beginning with a letter or digit.',
  })
}

function checkSocketFolder(folder: string): void {
  const shown = JSON.stringify(folder.slice(0, 200))
  if (!/^\/[A-Za-z0-9/._+@-]*$/.test(folder)) {
    throw new VmpkgError('PRIVATE_HOST_FAILED', `The folder ${shown} cannot stand in a libvirt URI`, {
      hint: 'Point XDG_RUNTIME_DIR at an absolute path of letters, digits and the characters / . _ + @ - only.',
    })
  }
  if (Buffer.byteLength(`${folder}/${LONGEST_SOCKET_NAME}`) > MAX_SOCKET_PATH) {
    throw new VmpkgError('PRIVATE_HOST_FAILED', `The folder ${shown} is too long for a socket path (107 bytes)`, {
      hint: 'Point XDG_RUNTIME_DIR at a shorter path, such as /run/user/1000.',
    })
  }
}
