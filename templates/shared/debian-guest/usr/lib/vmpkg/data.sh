# Disks that outlive the machine: data.conf on the medium has a line for each, with its serial number, the label of its
# file system and where it is mounted. An empty disk gets a file system. What is not empty is never made anew, whatever it is.

is_serial() {
  case ${1#vmpkg-} in '' | "$1" | *[!a-z0-9]* | ???????????????*) return 1 ;; esac
}
is_label() {
  case $1 in '' | *[!A-Za-z0-9_.-]* | ?????????????????*) return 1 ;; esac
}
is_place() {
  case $1/ in //* | *//* | */./* | */../* | *[!A-Za-z0-9/_.-]*) return 1 ;; /*) return 0 ;; esac
  return 1
}

# Prints the disk with the serial number $1.
disk_of() {
  local name
  for name in $(ls /sys/block); do
    [ -r "/sys/block/$name/serial" ] && [ "$(cat "/sys/block/$name/serial")" = "$1" ] && { echo "/dev/$name"; return 0; }
  done
  return 1
}

# Nothing that anybody knows is on it, and its first MiB is zeros.
is_empty() {
  local status=0
  /usr/sbin/blkid -p "$1" >/dev/null 2>&1 || status=$?
  [ $status -eq 2 ] && cmp -s -n 1048576 "$1" /dev/zero
}

mount_disk() {
  local device status=0
  device=$(disk_of "$1") || { PROBLEM="the data disk $1 is not there"; return 1; }
  if is_empty "$device"; then
    /usr/sbin/mkfs.ext4 -q -L "$2" "$device" || { PROBLEM="no file system can be made on the data disk $1"; return 1; }
  fi
  if [ "$(/usr/sbin/blkid -p -o value -s TYPE "$device")" = ext4 ]; then
    /usr/sbin/e2fsck -p "$device" >/dev/null 2>&1 || status=$?
    [ $status -le 1 ] || { PROBLEM="the file system of the data disk $1 needs e2fsck"; return 1; }
  fi
  mkdir -p "$3"
  mount -o nosuid,nodev "$device" "$3" || { PROBLEM="the data disk $1 cannot be mounted"; return 1; }
}

# All of them, or PROBLEM says why not: a program that wrote to the place below would lose what it wrote.
mount_data() {
  local serial label place rest
  [ -f "$CONFIG/data.conf" ] || return 0
  while read -r serial label place rest; do
    if ! is_serial "$serial" || ! is_label "$label" || ! is_place "$place" || [ -n "$rest" ]; then
      PROBLEM='data.conf has a line that is refused'
      return 1
    fi
    mount_disk "$serial" "$label" "$place" || return 1
  done <"$CONFIG/data.conf"
}
