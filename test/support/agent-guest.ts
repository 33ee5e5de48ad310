/**
 * Makes, inside a Debian tree, a Linux that boots in seconds under TCG and runs Debian's own qemu-guest-agent:
 * /opt/agent-guest/kernel and initrd. It mounts its first virtio disk, an ext4, at /mnt, so that there is something to
 * freeze. The programs that the agent runs are busybox's, but for a chpasswd of its own.
 */
export const AGENT_GUEST = `
set -eu
mkdir -p /opt/agent-guest && cd /opt/agent-guest
apt-get download "$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: //p' | head -1)"
dpkg-deb -x linux-image*.deb image && rm linux-image*.deb
version=$(ls image/usr/lib/modules)
depmod -b image/usr "$version"
for folder in bin sbin dev proc sys run tmp etc var root mnt lib/modules usr/bin usr/sbin; do mkdir -p "root/$folder"; done
modprobe -S "$version" -d image/usr --show-depends -a virtio_pci virtio_console virtio_blk virtio_balloon virtio_net i6300esb ext4 |
  sed -n 's/^insmod //p' | while read -r module; do
    name=$(basename "$module" .xz)
    case $module in
    *.xz) xz -dc "$module" >"root/lib/modules/$name" ;;
    *) cp "$module" "root/lib/modules/$name" ;;
    esac
    grep -qx "$name" root/order 2>/dev/null || echo "$name" >>root/order
  done
cp /bin/busybox root/bin/busybox
cp /usr/sbin/qemu-ga root/bin/
ldd /usr/sbin/qemu-ga | grep -o '/[^ ]*' | sort -u | while read -r library; do
  mkdir -p "root$(dirname "$library")"
  cp -L "$library" "root$library"
done
echo 'root:x:0:0:root:/root:/bin/sh' >root/etc/passwd
echo 'root:*:19000:0:99999:7:::' >root/etc/shadow
printf 'NAME="Agent guest"\\nID=agentguest\\nVERSION_ID=1\\n' >root/etc/os-release
cat >root/bin/chpasswd <<'END'
#!/bin/busybox sh
# of chpasswd(8) what the agent uses for a password that is hashed already: chpasswd -e
while IFS=: read -r user hash; do sed -i "s|^$user:[^:]*:|$user:$hash:|" /etc/shadow; done
END
cat >root/init <<'END'
#!/bin/busybox sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
/bin/busybox --install
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do
  case $module in i6300esb.ko) set -- heartbeat=2 ;; *) set -- ;; esac
  insmod "/lib/modules/$module" "$@"
done </order
hostname agent-guest
ln -s /run /var/run
mount -t ext4 /dev/vda /mnt
exec 9>/dev/watchdog # and never a word to it: what the watchdog does is what the domain says
mkdir -p /dev/virtio-ports
for port in /sys/class/virtio-ports/*; do
  ln -s "../\${port##*/}" "/dev/virtio-ports/$(cat "$port/name")"
done
qemu-ga --statedir /run -p /dev/virtio-ports/org.qemu.guest_agent.0
poweroff -f
END
chmod 755 root/init root/bin/chpasswd
(cd root && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >initrd
cp image/boot/vmlinuz* kernel
rm -rf image root
`
