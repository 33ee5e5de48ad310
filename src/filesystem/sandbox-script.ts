/**
 * The shell text that makes the sandbox. A constant: every value reaches it as an argument or in the environment, and
 * every use is quoted.
 *
 * It runs as the first process of namespaces of its own. The storage daemon gets the host's files read-only and the
 * tmpfs for what a journal's replay writes; readers get `root/` of that tmpfs, and nothing of the host but its programs.
 *
 * Arguments: STAGE BYTES POINTS, then the storage daemon's. VMPKG_TEMPLATES: folder with `N.qcow2`, an empty overlay, and
 * `N.list`, the numbers of the points whose size it has.
 */
export const SANDBOX = `
set -eu
umask 022
read -r pid rest </proc/self/stat
stage=$1 bytes=$2 points=$3
shift 3
mount -n -t tmpfs -o "mode=755,nosuid,nodev,size=$bytes" tmpfs "$stage"
cd "$stage"
mkdir -p overlays root/usr root/etc root/dev root/proc root/x
mkdir -m 1777 root/tmp
chmod 700 overlays
mount -n --rbind /usr root/usr
mount -n -o remount,bind,ro root/usr 2>/dev/null || true
for name in bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$name" ]; then ln -s "usr/\${name}" "root/$name"
  elif [ -d "/$name" ]; then mkdir "root/$name" && mount -n --rbind "/$name" "root/$name"; fi
done
cp /etc/ld.so.cache root/etc/ 2>/dev/null || true
for node in null zero random urandom; do
  : >"root/dev/$node"
  mount -n --bind "/dev/$node" "root/dev/$node"
done
mount -n -t proc proc root/proc 2>/dev/null || true
for template in "$VMPKG_TEMPLATES"/*.qcow2; do
  # the list has numbers only
  (cd overlays && tee $(cat "\${template%.qcow2}.list") <"$template" >/dev/null)
done
point=0
while [ "$point" -lt "$points" ]; do
  : >"root/x/$point"
  point=$((point + 1))
done
ulimit -n 16384 2>/dev/null || ulimit -n "$(ulimit -H -n)"
ulimit -c 0
while IFS='	' read -r index id options; do
  qemu-nbd --read-only --fork --persistent --shared=2 --socket "$stage/nbd-$index" --image-opts "$options" \\
    --load-snapshot "snapshot.id=$id" >&2
done <"$VMPKG_TEMPLATES/internal"
# what stays of root's powers: to open images of any owner, and to mount the exports
powers=-all,+sys_admin,+dac_override,+dac_read_search,+fowner,+setpcap
setpriv --bounding-set "$powers" --inh-caps -all qemu-storage-daemon "$@" --daemonize --pidfile "$stage/pid" >&2
chmod 666 root/x/*
printf 'ready %s\\n' "$pid"
exec cat >/dev/null
`
