/** Known errors of reaching libvirt, KVM and the kernel's doors. Sources: the messages of libvirt 9.0 to 11.3, QEMU 7.2 to 10.0 and Linux. */
import { type KnownError, known } from './known-error.ts'

export const ACCESS_ERRORS: readonly KnownError[] = [
  known(
    1,
    'libvirt asks polkit, and nobody can answer',
    [
      /no (?:polkit )?agent (?:is )?available/i,
      /authentication unavailable:? no polkit/i,
      /polkit.{0,60}(?:authentication failed|not authorized)/i,
    ],
    'This user is not in the group that may use the system’s libvirt without a password.',
    'Run: sudo usermod -aG libvirt,kvm "$USER", then log in again; or use --connect private.',
  ),
  known(
    19,
    'libvirt’s socket is closed to this user',
    [/failed to connect socket to '[^']{0,107}libvirt[^']{0,60}': permission denied/i],
    'The socket belongs to the group libvirt, and this user is not in it.',
    'Run: sudo usermod -aG libvirt "$USER", then log in again; or use --connect private.',
  ),
  known(
    20,
    'libvirt’s daemon does not run',
    [/failed to connect socket to '[^']{0,107}libvirt[^']{0,60}': (?:no such file or directory|connection refused)/i],
    'Nobody listens on the socket.',
    'Run: sudo systemctl start libvirtd (or virtqemud.socket); or use --connect private.',
  ),
  known(
    21,
    'KVM is there but does not run guests',
    [
      /a probe guest (?:hung for|was reset before)/i,
      /failed to set MSR 0x[0-9a-f]{1,16} to 0x/i,
      /kvm_buf_set_msrs: Assertion/i,
      /KVM internal error\. Suberror/i,
      /KVM: entry failed, hardware error/i,
    ],
    'The device opens, but this processor or the hypervisor around this machine does not run ordinary guests.',
    'Let guests run without KVM (vmpkg does so where its probe fails), or enable nested virtualisation on the outer host.',
  ),
  known(
    22,
    '/dev/kvm is closed to QEMU’s user',
    [
      /could not access KVM kernel module: permission denied/i,
      /failed to initiali[sz]e kvm: permission denied/i,
      /\/dev\/kvm\b.{0,80}(?:permission denied|is closed to)/i,
    ],
    'The device exists, and the user that QEMU runs as may not open it; libvirt then probes QEMU anew at every create.',
    'Run: sudo chgrp kvm /dev/kvm && sudo chmod 660 /dev/kvm, and sudo usermod -aG kvm libvirt-qemu.',
  ),
  known(
    23,
    'this host offers no KVM',
    [
      /could not access KVM kernel module: no such (?:file|device)/i,
      /failed to initiali[sz]e kvm: no such (?:file|device)/i,
      /could not find capabilities for .{0,40}domaintype=kvm/i,
      /host does not support domain type kvm/i,
      /\bkvm(?:_intel|_amd)?: .{0,40}disabled by bios/i,
      /(?:VMX|SVM) .{0,20}disabled .{0,10}by BIOS/i,
      /\/dev\/kvm does not exist/i,
    ],
    'Virtualisation is switched off in the firmware, its module is not loaded, or this machine is a guest without nesting.',
    'Switch on VT-x or AMD-V in the BIOS, then run: sudo modprobe kvm_intel (or kvm_amd).',
  ),
  known(
    24,
    'another hypervisor holds the processor',
    [/ioctl\(KVM_CREATE_VM\) failed: 16|KVM_CREATE_VM.{0,40}device or resource busy/i],
    'VirtualBox or VMware has virtualisation switched on for itself.',
    'Stop the guests of the other hypervisor and unload its modules (sudo modprobe -r vboxdrv), then try again.',
  ),
  known(
    25,
    '/dev/net/tun is closed or missing',
    [
      /\/dev\/net\/tun\b.{0,80}(?:permission denied|operation not permitted|no such (?:file|device)|is closed to|does not exist|is tun module loaded)/i,
    ],
    'Network cards of guests are made through this device.',
    'Run: sudo modprobe tun && sudo chmod 666 /dev/net/tun (udev’s usual mode).',
  ),
  known(
    26,
    'this user may make no namespaces',
    [
      /unshare: unshare failed: (?:operation not permitted|no space left on device|permission denied)/i,
      /unshare: .{0,40}\/proc\/(?:self|\d+)\/[ug]id_map.{0,40}(?:operation not permitted|permission denied)/i,
      /new[ug]idmap: .{0,80}(?:operation not permitted|permission denied|not allowed)/i,
      /this machine lets you make no namespaces/i,
      /bwrap: (?:no permissions to create|creating) new namespace/i,
    ],
    'The kernel’s settings or AppArmor forbid unprivileged user namespaces, or /etc/subuid grants no ids.',
    'Run: sudo sysctl kernel.unprivileged_userns_clone=1 (Debian) or kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu).',
  ),
  known(
    27,
    'AppArmor refuses a file to a guest',
    [
      /apparmor="DENIED".{0,200}profile="(?:libvirt-[0-9a-f-]{36}|[^"]{0,60}virt-aa-helper|libvirtd|virtqemud|swtpm)[^"]{0,40}"/i,
      /(?:cannot load|failed to load|cannot set) AppArmor profile/i,
      /virt-aa-helper: error/i,
    ],
    'The profile that libvirt wrote for this guest does not name the file, often a backing file or one outside the usual folders.',
    'Add the folder to /etc/apparmor.d/local/abstractions/libvirt-qemu and run: sudo systemctl reload apparmor.',
  ),
  known(
    12,
    'a server speaks only old TLS',
    [
      /SSL routines:[^:]{0,60}:(?:[^:]{0,60}:)?unsupported protocol/i,
      /ssl_choose_client_version:unsupported protocol/i,
    ],
    'The server offers TLS versions that this host’s OpenSSL no longer accepts.',
    'Update the server; as a last resort lower MinProtocol and SECLEVEL in /etc/ssl/openssl.cnf for that program alone.',
  ),
]
