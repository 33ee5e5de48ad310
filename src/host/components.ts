/**
 * The component table of the requirements (section 14): 25 things that a host may have, by the programs that bring them.
 * Only looks, runs nothing.
 */
import { type DoctorHost, exists, findProgram } from './doctor-check.ts'

export interface Component {
  readonly name: string
  /** Any of these programs, or of the paths (with a slash). */
  readonly signs: readonly string[]
  readonly packages: string
}

const row = (name: string, signs: readonly string[], packages: string): Component => ({ name, signs, packages })

export const COMPONENTS: readonly Component[] = [
  row('python', ['python3', 'python'], 'python3'),
  row('STUN client', ['stun', 'stunclient', 'turnutils_stunclient'], 'stun-client'),
  row('OpenVPN client', ['openvpn'], 'openvpn'),
  row('OpenVPN server', ['openvpn'], 'openvpn easy-rsa'),
  row('network bridge', ['ip', 'brctl'], 'iproute2'),
  row('TAP interface', ['/dev/net/tun'], 'a kernel with tun'),
  row('firewall', ['nft', 'iptables', 'shorewall'], 'nftables'),
  row('qemu', ['qemu-system-x86_64', 'qemu-system-aarch64'], 'qemu-system-x86'),
  row('USB passthrough', ['/dev/bus/usb'], 'a USB bus'),
  row('PCI passthrough', ['/dev/vfio/vfio', '/sys/bus/pci/drivers/vfio-pci'], 'vfio-pci and an IOMMU'),
  row('virtio network', ['qemu-system-x86_64'], 'qemu-system-x86'),
  row('virtio SCSI disk', ['qemu-system-x86_64'], 'qemu-system-x86'),
  row('virtio IDE CDROM', ['qemu-system-x86_64'], 'qemu-system-x86'),
  row('virtiofs', ['virtiofsd', '/usr/lib/qemu/virtiofsd', '/usr/libexec/virtiofsd'], 'virtiofsd'),
  row('SAMBA/NFS', ['smbd', 'rpc.nfsd', 'exportfs'], 'samba or nfs-kernel-server'),
  row('display/VGA', ['virt-viewer', 'remote-viewer', 'virt-manager', 'gvncviewer'], 'virt-viewer'),
  row('Telegram bot', ['telegram-send', 'telegram-cli'], 'a Telegram client'),
  row('telnet client', ['telnet', 'nc', 'socat'], 'telnet or netcat-openbsd'),
  row('universal software downloader', ['curl', 'wget', 'aria2c'], 'curl'),
  row('RDP client', ['xfreerdp', 'xfreerdp3', 'remmina', 'rdesktop'], 'freerdp2-x11'),
  row('RDP server', ['xrdp', 'gnome-remote-desktop-daemon'], 'xrdp'),
  row('VNC client', ['vncviewer', 'xtightvncviewer', 'gvncviewer', 'remmina'], 'tigervnc-viewer'),
  row('VNC server', ['Xvnc', 'Xtigervnc', 'x11vnc', 'tigervncserver', 'wayvnc'], 'tigervnc-standalone-server'),
  row('SSH client', ['ssh', 'dbclient'], 'openssh-client'),
  row('SSH server', ['sshd', 'dropbear'], 'openssh-server'),
]

export interface ComponentState {
  readonly name: string
  readonly state: 'present' | 'absent' | 'not-applicable'
  /** Where it was found, or what brings it. */
  readonly detail: string
}

/** What needs a bus that the machine does not have is not applicable, rather than absent. */
export async function readComponents(host: DoctorHost): Promise<readonly ComponentState[]> {
  const buses: Readonly<Record<string, string>> = {
    'USB passthrough': '/sys/bus/usb/devices',
    'PCI passthrough': '/sys/bus/pci/devices',
  }
  return Promise.all(
    COMPONENTS.map(async ({ name, signs, packages }): Promise<ComponentState> => {
      for (const sign of signs) {
        const found = sign.startsWith('/')
          ? (await exists(host, sign))
            ? sign
            : undefined
          : await findProgram(host, sign)
        if (found !== undefined) return { name, state: 'present', detail: found }
      }
      const bus = buses[name]
      if (bus !== undefined && !(await exists(host, bus)))
        return { name, state: 'not-applicable', detail: 'this machine has no such bus' }
      return { name, state: 'absent', detail: packages }
    }),
  )
}
