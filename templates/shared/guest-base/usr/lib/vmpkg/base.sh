# Common to all small guests: what every boot does, and the strict reader of the configuration medium.
# Sourced by scripts of busybox sh. The medium is written by the host; its values are checked here all the same,
# and nothing from it is ever run by a shell.

PATH=/usr/sbin:/usr/bin
export PATH
STATE=/run/vmpkg
CONFIG=$STATE/config
umask 022
set -f
set -o pipefail

say() { echo "vmpkg: $*" >/dev/console; }

# busybox runs its own programs through /proc/self/exe, so the first call names it in full.
mount_basics() {
  busybox mount -t proc -o nosuid,nodev,noexec proc /proc
  mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
  mount -t tmpfs -o nosuid,nodev,mode=755,size=32m tmpfs /run
  mkdir -p /dev/pts "$STATE" /run/tmp
  chmod 1777 /run/tmp
  chmod 700 "$STATE"
  mount -t devpts -o nosuid,noexec,mode=620 devpts /dev/pts
}

# A folder of settings that may be absent (IPv6 with ipv6.disable=1) is skipped; a setting that fails is said.
setting() {
  [ -e "/proc/sys/$1" ] || return 0
  echo "$2" >"/proc/sys/$1" || say "cannot set $1"
}

is_number() { case $1 in '' | *[!0-9]* | ??????????*) return 1 ;; esac; }
is_hex() { case $1 in '' | *[!0-9a-f]*) return 1 ;; esac; [ ${#1} -eq "$2" ]; }
is_mac() {
  [ ${#1} -eq 17 ] || return 1
  case $1 in
    [0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]) ;;
    *) return 1 ;;
  esac
}
is_ipv4() {
  case $1 in '' | *[!0-9.]* | .* | *. | *..*) return 1 ;; esac
  local rest=$1. part count=0
  while [ -n "$rest" ]; do
    part=${rest%%.*} rest=${rest#*.} count=$((count + 1))
    is_number "$part" && [ "$part" -le 255 ] || return 1
  done
  [ $count -eq 4 ]
}
is_prefix() { is_number "$1" && [ "$1" -le 32 ]; }
is_hostname() {
  case $1 in '' | -* | *- | *[!a-z0-9-]*) return 1 ;; esac
  [ ${#1} -le 63 ]
}

# The device of the medium: an optical drive whose ISO 9660 volume is called VMPKGCFG.
find_medium() {
  local path label
  for path in /sys/block/sr0 /sys/block/sr1 /sys/block/sr2 /sys/block/sr3; do
    [ -d "$path" ] || continue
    label=$(dd "if=/dev/${path##*/}" bs=2048 skip=16 count=1 2>/dev/null | dd bs=1 skip=40 count=32 2>/dev/null | tr -d '\0 ') || continue
    [ "$label" = VMPKGCFG ] && { echo "/dev/${path##*/}"; return 0; }
  done
  return 1
}

# Copies the medium's files into the folder $1 and lets go of the drive. At most 32 plain files of 1 MiB.
read_medium() {
  local device file name count=0 status=0
  device=$(find_medium) || { PROBLEM='no medium with the label VMPKGCFG'; return 1; }
  rm -rf "$1"
  mkdir -p "$1" "$STATE/medium"
  mount -t iso9660 -o ro,nosuid,nodev,noexec "$device" "$STATE/medium" || { PROBLEM='cannot mount the medium'; return 1; }
  set +f
  for file in "$STATE/medium"/*; do
    name=${file##*/} count=$((count + 1))
    case $name in *[!a-z0-9._-]* | .*) continue ;; esac
    if [ -L "$file" ] || [ ! -f "$file" ]; then continue; fi
    if [ $count -gt 32 ] || [ "$(stat -c %s "$file")" -gt 1048576 ] || ! cat "$file" >"$1/$name"; then
      PROBLEM='the medium does not fit' status=1
      break
    fi
  done
  set -f
  umount "$STATE/medium"
  return $status
}

# Reads KEY=VALUE lines of $1 and hands each to the function `accept_setting KEY VALUE` of the caller.
# One line that does not fit refuses the whole file.
read_settings() {
  local line key value number=0
  [ -f "$1" ] || { PROBLEM='the medium has no vmpkg.env'; return 1; }
  while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1))
    case $line in '' | '#'*) continue ;; *=*) ;; *) PROBLEM="vmpkg.env line $number is not KEY=VALUE"; return 1 ;; esac
    key=${line%%=*} value=${line#*=}
    case $value in *[!A-Za-z0-9._:/@+-]*) PROBLEM="vmpkg.env line $number has a character that is not allowed"; return 1 ;; esac
    accept_setting "$key" "$value" || { PROBLEM="vmpkg.env line $number is not valid"; return 1; }
  done <"$1"
}

# Identity comes from the medium, never from the image.
apply_identity() {
  hostname "$S_HOSTNAME"
  echo "$S_MACHINE_ID" >/run/machine-id
  echo "$S_SEED" >/dev/urandom
}

# Of a machine that was started for a pool: takes the identity of the medium that is in the drive now, once. $1 is the
# time of the host in seconds, because a machine that was paused has slept over some. Needs the settings of the first medium.
take_identity() {
  [ -e "$STATE/awaited" ] || { PROBLEM='it has its identity already'; return 1; }
  case $1 in '' | *[!0-9]* | ????????????*) PROBLEM='the time is no number'; return 1 ;; esac
  local mac=$S_NIC_MAC
  read_medium "$STATE/config.new" && check_config "$STATE/config.new" || return 1
  [ ! -e "$STATE/config.new/later" ] || { PROBLEM='the medium has no identity yet'; return 1; }
  [ "$mac" = "$S_NIC_MAC" ] || { PROBLEM='the card changed'; return 1; }
  rm -rf "$CONFIG"
  mv "$STATE/config.new" "$CONFIG"
  date -s "@$1" >/dev/null
  apply_identity
}

# What waits for the identity may go on.
name_given() {
  rm "$STATE/awaited"
  : >"$STATE/up"
}

# Gives the card with the MAC $1 the name $2.
name_nic() {
  local path
  for path in $(ls /sys/class/net); do
    [ "$path" != lo ] && [ "$(cat "/sys/class/net/$path/address")" = "$1" ] || continue
    [ "$path" = "$2" ] || ip link set dev "$path" name "$2"
    return
  done
  return 1
}

address_of() {
  local words
  words=$(ip -4 -o addr show dev "$1" 2>/dev/null | head -n 1) || return 1
  words=${words##*inet }
  words=${words%% *}
  is_ipv4 "${words%%/*}" && echo "${words%%/*}"
}

# Waits for a file: somebody waits for what comes next, so it looks often at first, and each second after half a minute.
await_file() {
  local tries=0
  until [ -e "$1" ]; do
    if [ $tries -lt 150 ]; then usleep 200000; else sleep 1; fi
    tries=$((tries + 1))
  done
}

uptime_seconds() { local up; read -r up _ </proc/uptime; echo "${up%%.*}"; }
