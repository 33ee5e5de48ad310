#!/bin/sh
# A system libvirt as Debian sets it up, in the namespaces that the caller made (mount, network, process): its own QEMU
# user, ownership of disks handed over at start. Runs the command line that is given once the daemon answers.
#
#     unshare --mount --net --pid --fork --kill-child --mount-proc tini -- sh test/support/system-host.sh COMMAND…
set -eu
for folder in /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt; do
  [ -d "$folder" ] || { echo "system-host: there is no $folder here" >&2; exit 77; }
done
mount -t tmpfs tmpfs /run
mkdir -p /run/lock
for folder in /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt; do mount -t tmpfs tmpfs "$folder"; done
mkdir -p /var/lib/libvirt/qemu
ip link set lo up
if ! id libvirt-qemu >/dev/null 2>&1; then
  for file in passwd group; do cp "/etc/$file" "/run/$file"; done
  echo 'libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin' >> /run/passwd
  echo 'libvirt-qemu:x:64055:' >> /run/group
  for file in passwd group; do mount --bind "/run/$file" "/etc/$file"; done
fi
printf '%s\n' 'user = "libvirt-qemu"' 'group = "libvirt-qemu"' 'security_driver = "none"' 'cgroup_controllers = []' > /etc/libvirt/qemu.conf
printf '%s\n' 'auth_unix_rw = "none"' > /etc/libvirt/libvirtd.conf
virtlogd -d
libvirtd -d
for _ in $(seq 100); do
  if virsh -c qemu:///system version >/dev/null 2>&1; then break; fi
  sleep 0.1
done
exec "$@"
