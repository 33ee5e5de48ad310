/**
 * The three shell texts that make a private host. They are constants: every value reaches them in an environment
 * variable, and every use of one is quoted, so nothing is ever pasted into shell text.
 *
 * LAUNCH takes the locks and detaches. KEEP stays outside and waits for the end. FIRST is process 1 of the
 * namespaces: it builds the view that libvirtd needs, then becomes tini.
 *
 * Variables: VMPKG_RUN and VMPKG_KEEP (this host's runtime and durable folder), VMPKG_RECORD, VMPKG_LIBVIRTD_CONF,
 * VMPKG_QEMU_CONF, VMPKG_UPLINK (none or slirp4netns), VMPKG_KVM (0 or 1), VMPKG_ROOTLESS (0 or 1); VMPKG_NODE, VMPKG_BIN and
 * VMPKG_SUPERVISED (interpreter, program and connection of the supervisor; VMPKG_BIN is empty for none).
 */

/** Exit status of LAUNCH when another host, living, starting or just ending, holds the locks of these folders. */
export const LOCKED = 75

/**
 * The locks are open files that the namespaces' first process inherits: they are held exactly as long as the host
 * lives, whoever dies first.
 */
export const LAUNCH = `
set -eu
exec 7>"$VMPKG_RUN/lock" 8>"$VMPKG_KEEP/lock"
flock --nonblock 7 || exit 75
flock --nonblock 8 || exit 75
rm -f "$VMPKG_RUN/record" "$VMPKG_RUN/ended" "$VMPKG_RUN/libvirt-sock" "$VMPKG_RUN/libvirt-sock-ro"
exec setsid --fork sh -c "$VMPKG_SCRIPT_KEEP" vmpkg-private-host-keeper </dev/null >"$VMPKG_KEEP/host.log" 2>&1
`

/**
 * The supervisor runs outside too, for it works with the state of its user. It ends by itself once the host is gone, also
 * where nobody is left to end it; one that fails is started again, less and less often.
 *
 * The uplink reads the end of a pipe whose other end only the namespaces' first process holds: when that dies the
 * uplink ends too. It runs outside, since it needs the outer network.
 */
export const KEEP = `
enter() {
  if [ "$VMPKG_ROOTLESS" = 1 ]; then set -- --user --map-root-user --map-auto; else set --; fi
  unshare "$@" --net --mount --pid --fork --kill-child --uts --ipc sh -c "$VMPKG_SCRIPT_FIRST" vmpkg-private-host
}
uplink() {
  tries=0
  until [ -s "$VMPKG_RUN/record" ]; do
    tries=$((tries + 1))
    [ "$tries" -le 100 ] || return 1
    sleep 0.05
  done
  read -r pid rest <"$VMPKG_RUN/record"
  exec slirp4netns --configure --mtu=65520 --disable-host-loopback --exit-fd=0 --ready-fd=3 "$pid" tap0 \
    3>"$VMPKG_RUN/uplink" 7>&- 8>&-
}
supervisor() {
  child=
  trap '[ -z "$child" ] || { kill "$child"; wait "$child"; }; exit 0' TERM
  pause=1
  tries=0
  until [ -S "$VMPKG_RUN/libvirt-sock" ]; do
    tries=$((tries + 1))
    [ "$tries" -le 300 ] || return
    sleep 0.2
  done
  while read -r pid rest <"$VMPKG_RUN/record" && [ -d "/proc/$pid" ]; do
    "$VMPKG_NODE" "$VMPKG_BIN" supervise --connect "$VMPKG_SUPERVISED" &
    child=$!
    wait "$child" && return
    child=
    sleep "$pause" &
    wait $!
    [ "$pause" -ge 60 ] || pause=$((pause * 2))
  done
}
rm -f "$VMPKG_RUN/uplink"
keeping=
if [ -n "$VMPKG_BIN" ]; then
  supervisor 7>&- 8>&- >"$VMPKG_KEEP/supervisor.log" 2>&1 </dev/null &
  keeping=$!
fi
if [ "$VMPKG_UPLINK" = slirp4netns ]; then
  { enter 9>&1 >&2; echo "$?" >"$VMPKG_RUN/status"; } | uplink
  read -r status <"$VMPKG_RUN/status"
else
  enter
  status=$?
fi
rm -f "$VMPKG_RUN/record" "$VMPKG_RUN/libvirt-sock" "$VMPKG_RUN/libvirt-sock-ro"
if [ -n "$keeping" ]; then
  kill "$keeping" 2>/dev/null
  wait "$keeping"
fi
echo "$status" >"$VMPKG_RUN/ended"
`

/**
 * Starts a daemon again, whatever ended it: its machines run on, and it finds them. One that ends at once twenty times in a row,
 * or never made its socket, is broken, and the host ends.
 */
export const SUPERVISE = `supervise() {
  starts=0
  while [ "$starts" -lt 20 ]; do
    begun=$(date +%s)
    "$1"
    [ -S "$2" ] || return 1
    starts=$((starts + 1))
    [ $(($(date +%s) - begun)) -lt 5 ] || starts=0
    sleep 1
  done
}
`

/**
 * The outer /proc is still there when FIRST begins, so its own line there carries its process number outside.
 * `mount -n`: a user may not write the outer /run/mount.
 */
export const FIRST = `
set -eu
umask 022
read -r stat </proc/self/stat
printf '%s\\n%s\\n' "$stat" "$VMPKG_RECORD" >"$VMPKG_RUN/record.new"
mv "$VMPKG_RUN/record.new" "$VMPKG_RUN/record"

mount -n -t proc proc /proc
mount -n -t sysfs sysfs /sys

# devices: only those named here exist inside
stage=$VMPKG_RUN/stage
mkdir -p "$stage"
mount -n -t tmpfs -o mode=755 tmpfs "$stage"
mkdir "$stage/net" "$stage/pts" "$stage/shm"
bind_device() {
  : >"$stage/$1"
  mount -n --bind "/dev/$1" "$stage/$1"
}
for node in null zero full random urandom tty net/tun; do bind_device "$node"; done
# opening for both makes a plain file where there is none, hence the look before; QEMU has no supplementary groups
opens() { [ -c "/dev/$1" ] && setpriv --clear-groups sh -c ': <>"/dev/$1"' sh "$1" 2>/dev/null; }
if opens vhost-net; then bind_device vhost-net; fi
if [ "$VMPKG_KVM" = 1 ] && opens kvm; then bind_device kvm; fi
mount -n -t devpts -o newinstance,ptmxmode=0666,mode=0600 devpts "$stage/pts"
mount -n -t tmpfs -o mode=1777 tmpfs "$stage/shm"
ln -s pts/ptmx "$stage/ptmx"
ln -s /proc/self/fd "$stage/fd"
ln -s /proc/self/fd/0 "$stage/stdin"
ln -s /proc/self/fd/1 "$stage/stdout"
ln -s /proc/self/fd/2 "$stage/stderr"
mount -n --move "$stage" /dev

# a /run of its own hides the outer machine's sockets (system bus, firewalld, machined, systemd)
mount -n -t tmpfs -o mode=755 tmpfs "$stage"
mkdir "$stage/libvirt" "$stage/lock"
for folder in "$VMPKG_RUN" "$VMPKG_KEEP"; do
  case $folder in
  /run/*)
    mkdir -p "$stage/\${folder#/run/}"
    mount -n --bind "$folder" "$stage/\${folder#/run/}"
    ;;
  esac
done
mount -n --move "$stage" /run

# the durable folder holds what libvirt keeps; a parent that lacks the place gets it through a tmpfs of links
place() {
  if [ ! -d "$2" ]; then
    mount -n -t tmpfs -o mode=755 tmpfs "$VMPKG_RUN/stage"
    mkdir "$VMPKG_RUN/stage/.outer"
    mount -n --rbind "\${2%/*}" "$VMPKG_RUN/stage/.outer"
    (
      cd "$VMPKG_RUN/stage"
      for entry in .outer/* .outer/.[!.]*; do
        if [ -e "$entry" ] || [ -L "$entry" ]; then ln -s "$entry" .; fi
      done
      mkdir "\${2##*/}"
    )
    mount -n --move "$VMPKG_RUN/stage" "\${2%/*}"
  fi
  mount -n --bind "$VMPKG_KEEP/$1" "$2"
}
mkdir -p "$VMPKG_KEEP/etc" "$VMPKG_KEEP/lib" "$VMPKG_KEEP/cache" "$VMPKG_KEEP/log"
printf %s "$VMPKG_LIBVIRTD_CONF" >"$VMPKG_KEEP/etc/libvirtd.conf"
printf %s "$VMPKG_QEMU_CONF" >"$VMPKG_KEEP/etc/qemu.conf"
place etc /etc/libvirt
place lib /var/lib/libvirt
place cache /var/cache/libvirt
place log /var/log/libvirt
ln -s "$VMPKG_RUN/libvirt-sock" /run/libvirt/libvirt-sock
ln -s "$VMPKG_RUN/libvirt-sock-ro" /run/libvirt/libvirt-sock-ro

# libvirtd looks its packaged user up before it reads qemu.conf, and fails where nobody created that user
account() {
  if ! grep -q '^libvirt-qemu:' "/etc/$1"; then
    { cat "/etc/$1"; echo "$2"; } >"/run/libvirt/$1"
    mount -n --bind "/run/libvirt/$1" "/etc/$1"
  fi
}
account passwd 'libvirt-qemu:x:64055:64055:Libvirt Qemu:/var/lib/libvirt:/usr/sbin/nologin'
account group 'libvirt-qemu:x:64055:'

# names resolve through the uplink or not at all; the outer resolver cannot be reached from here
if [ -e /etc/resolv.conf ] || [ -L /etc/resolv.conf ]; then
  resolv=$(readlink -m /etc/resolv.conf)
  mkdir -p "\${resolv%/*}"
  [ -e "$resolv" ] || : >"$resolv"
  if [ "$VMPKG_UPLINK" = slirp4netns ]; then echo 'nameserver 10.0.2.3'; fi >/run/libvirt/resolv.conf
  mount -n --bind /run/libvirt/resolv.conf "$resolv"
fi

cat >/run/libvirt/daemons <<'END'
exec 7>&- 8>&- 9>&-
${SUPERVISE}supervise virtlogd /run/libvirt/virtlogd-sock &
supervise libvirtd "$1/libvirt-sock"
END

ip link set lo up
cd /
exec tini -- env -i PATH="$PATH" HOME=/var/lib/libvirt LANG=C sh /run/libvirt/daemons "$VMPKG_RUN"
`
