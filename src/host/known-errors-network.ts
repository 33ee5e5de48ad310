/** Known errors of networks, bridges, ports and firewalls. Sources: the messages of libvirt's network driver, dnsmasq, qemu-bridge-helper, iptables and firewalld. */
import { type KnownError, known } from './known-error.ts'

export const NETWORK_ERRORS: readonly KnownError[] = [
  known(
    8,
    'the bridge helper has no right to make the card',
    [
      /failed to communicate with bridge helper/i,
      /qemu-bridge-helper\b.{0,80}(?:permission denied|operation not permitted|no such file)/i,
      /bridge helper failed/i,
      /access denied by acl file/i,
      /failed to parse default acl file/i,
    ],
    'qemu-bridge-helper is not setuid root, or /etc/qemu/bridge.conf does not allow the bridge.',
    'Write "allow BRIDGE" into /etc/qemu/bridge.conf; sudo chown root:libvirt and chmod 4750 /usr/lib/qemu/qemu-bridge-helper.',
  ),
  known(
    17,
    'virsh has no net-add',
    [/\bvirsh\b.{0,20}\bnet-add\b/i, /unknown command:? ?['"]?net-add/i, /command 'net-define' requires/i],
    'A network is defined from an XML file.',
    'Run: virsh net-define FILE.xml, then virsh net-start NAME; vmpkg install of a router does both.',
  ),
  known(
    45,
    'the network is not active',
    [/network '[^']{1,80}' is not active/i],
    'The guest’s card is on a libvirt network that was not started.',
    'Run: virsh net-start NAME; vmpkg start does it for the machines it made.',
  ),
  known(
    46,
    'there is no such network',
    [/no network with matching (?:name|uuid)/i],
    'The definition names a network that libvirt does not have.',
    'Install the router package that brings it, or name another network with virsh edit.',
  ),
  known(
    47,
    'the bridge’s name is taken',
    [/bridge name '[^']{1,40}' already in use/i, /unable to create bridge [\w.-]{1,20}: file exists/i],
    'Another network, or an interface that was left behind, has this name.',
    'Choose another name in <bridge name=…>, or remove what is left: sudo ip link delete NAME.',
  ),
  known(
    48,
    'the subnet is in use on this host',
    [/network is already in use by interface/i],
    'An interface or a route of the host has addresses of the same subnet, often inside another virtual machine.',
    'Give the network another subnet (virsh net-edit NAME), one that ip route does not show.',
  ),
  known(
    49,
    'dnsmasq cannot have its port',
    [
      /dnsmasq: failed to (?:create listening socket|bind).{0,100}address already in use/i,
      /failed to create listening socket for .{0,60}address already in use/i,
      /failed to bind DHCP server socket/i,
    ],
    'Another DNS or DHCP server listens on all addresses, the bridge’s among them.',
    'Find it (sudo ss -lunp), and let it bind to interfaces only: bind-interfaces in /etc/dnsmasq.conf, or stop it.',
  ),
  known(
    50,
    'a port of the guest’s screen or of a forward is taken',
    [
      /(?:VNC|spice|reds)\b.{0,160}(?:address already in use|binding socket to .{1,60} failed)/i,
      /failed to initiali[sz]e spice server/i,
      /could not set up host forwarding rule/i,
      /unable to find an unused port in range/i,
      /(?:failed to (?:bind|listen)|-vnc|-chardev|-netdev).{0,160}address already in use/i,
    ],
    'Another guest or program listens on this port.',
    'Find it (ss -ltnp), choose another port, or let libvirt choose: autoport=’yes’.',
  ),
  known(
    51,
    'the firewall refuses libvirt’s rules',
    [
      /failed to (?:apply|add) firewall (?:rules?|command)/i,
      /iptables(?:-legacy|-nft)?\b.{0,160}no chain\/target\/match by that name/i,
      /INVALID_ZONE:? ?'?libvirt/i,
    ],
    'Another program emptied or replaced the tables after libvirt had made its chains, or a kernel module is missing.',
    'Restart libvirt’s network daemon after the firewall: sudo systemctl restart libvirtd (or virtnetworkd).',
  ),
  known(
    52,
    'the host drops what guests forward',
    [/-P FORWARD DROP\b/, /Chain FORWARD \(policy DROP\b/, /chain FORWARD \{ .{0,80}policy drop/i],
    'Docker, or a firewall, set the policy of FORWARD to drop, so guests reach their bridge and nothing behind it.',
    'Let the bridge through: sudo iptables -I DOCKER-USER -i BRIDGE -j ACCEPT, and the same with -o; or use a routed network of vmpkg.',
  ),
  known(
    53,
    'the bridge is not there',
    [
      /cannot get interface (?:MTU|flags|index) on '[^']{1,20}': no such device/i,
      /failed to add (?:tap )?interface .{0,60}to bridge .{0,60}no such device/i,
    ],
    'The definition names a bridge that the host does not have.',
    'Make it (sudo ip link add NAME type bridge, or in /etc/network/interfaces), or use a libvirt network.',
  ),
]
