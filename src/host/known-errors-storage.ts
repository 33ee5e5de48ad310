/** Known errors of disks, images and firmware files. Sources: the messages of QEMU's block layer and libvirt's storage and firmware code. */
import { type KnownError, known } from './known-error.ts'

export const STORAGE_ERRORS: readonly KnownError[] = [
  known(
    18,
    'an overlay of a transient disk was left behind',
    [/overlay file '[^']{1,400}' for transient disk '[^']{1,40}' already exists/i],
    'QEMU or the daemon was killed, and nobody removed the file that holds what the guest wrote.',
    'Make sure that the guest does not run, then remove the .TRANSIENT-NAME file that the message names.',
  ),
  known(
    34,
    'QEMU may not open the image below the disk',
    [/could not open backing file.{0,300}permission denied/i, /cannot access backing file .{0,400}permission denied/i],
    'The overlay opens, but the file it was made from, or a folder above that file, is closed to QEMU’s user.',
    'Give QEMU’s user the search right on each folder above it (chmod o+x) and the read right on the file.',
  ),
  known(
    35,
    'the image below the disk is gone',
    [
      /could not open backing file.{0,300}no such file/i,
      /cannot access backing file .{0,400}no such file/i,
      /could not open backing image/i,
    ],
    'The overlay names a file by a path at which nothing is any more.',
    'Put it back, or correct the path: qemu-img rebase -u -F FORMAT -b NEW-PATH OVERLAY.',
  ),
  known(
    36,
    'two processes want to write the same disk',
    [
      /failed to get (?:shared )?"?write"? lock/i,
      /failed to get "?consistent read"? lock/i,
      /is another process using the image/i,
    ],
    'Another guest, or a tool such as qemu-nbd, has this image open.',
    'Stop the other one (lsof FILE names it), or clone the machine: a clone has a disk of its own.',
  ),
  known(
    37,
    'QEMU may not open a file of the guest',
    [
      /could not open '\/[^']{1,400}': permission denied/i,
      /cannot access storage file '[^']{1,400}'.{0,60}: permission denied/i,
      /failed to open file '\/[^']{1,400}': permission denied/i,
    ],
    'QEMU’s user has no right on the file, or on a folder above it; home folders are closed to it.',
    'Give it the search right on each folder above (chmod o+x), or keep images below /var/lib.',
  ),
  known(
    38,
    'a file of the guest is not there',
    [
      /could not open '\/[^']{1,400}': no such file/i,
      /cannot access storage file '[^']{1,400}'.{0,60}: no such file/i,
      /could not load (?:kernel|initrd) '?[^']{1,400}'?/i,
      /could not open kernel file/i,
    ],
    'The definition names a disk, medium or kernel by a path at which nothing is.',
    'Put the file back or correct the path with virsh edit; vmpkg verify --fix fetches what belongs to a package.',
  ),
  known(
    39,
    'the UEFI variables cannot be made',
    [/unable to find any master var store for loader/i, /failed to (?:open|create|copy).{0,60}_VARS[\w.]{0,30}\.fd/i],
    'The firmware’s template of variables is not where the definition or libvirt’s configuration says.',
    'Install it (sudo apt-get install ovmf) and let the definition name the template of the very firmware it boots.',
  ),
  known(
    40,
    'no firmware fits',
    [
      /unable to find (?:any|'efi'|"efi") firmware/i,
      /\/(?:OVMF|AAVMF|qemu)\/[\w.-]{1,60}\.fd'?:? .{0,40}no such file/i,
      /(?:could not|failed to) (?:open|load).{0,80}\.fd\b.{0,40}no such file/i,
    ],
    'The host has no UEFI firmware of the kind that the definition asks for (secure boot, variables, format).',
    'Run: sudo apt-get install ovmf, and compare /usr/share/qemu/firmware with what the definition asks for.',
  ),
  known(
    41,
    'the disk of the host is full',
    [/(?<!(?:inotify|watch|unshare).{0,300})no space left on device/i],
    'The file system that holds the guest’s disk, or its quota, is full; QEMU pauses a guest that meets this.',
    'Free some space there (vmpkg gc removes what nobody uses), then resume the guest: virsh resume NAME.',
  ),
  known(
    42,
    'the disk image has another format than the definition says',
    [/image is not in (?:qcow2|raw|vmdk|vdi|vhdx|qed) format/i, /image format was not specified for/i],
    'The format in <driver type=…> and the file’s own header disagree, or the backing format is not written down.',
    'Look with qemu-img info FILE, and write the format it names into the definition.',
  ),
  known(
    43,
    'internal snapshots do not go with this firmware',
    [/internal snapshots of a VM with pflash based firmware are not supported/i],
    'This libvirt keeps internal snapshots only where the UEFI variables are a qcow2 file (10.9 and later).',
    'Make an external snapshot (--disk-only), or clone the machine.',
  ),
  known(
    44,
    'the definition keeps UEFI variables',
    [/cannot undefine domain with nvram/i],
    'libvirt does not remove the variables’ file unless it is told what to do with it.',
    'Say so: virsh undefine --nvram NAME removes it, --keep-nvram keeps it; vmpkg rm does it by itself.',
  ),
]
