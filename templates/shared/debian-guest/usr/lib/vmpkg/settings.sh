# Debian's own part of the guest scripts: its settings, and the card that they name.
. /usr/lib/vmpkg/base.sh

accept_setting() {
  case $1 in
    VMPKG_CONFIG) [ "$2" = 1 ] ;;
    HOSTNAME) is_hostname "$2" && S_HOSTNAME=$2 ;;
    MACHINE_ID) is_hex "$2" 32 && S_MACHINE_ID=$2 ;;
    SEED) is_hex "$2" 64 && S_SEED=$2 ;;
    NIC_MAC) is_mac "$2" && S_NIC_MAC=$2 ;;
    *) return 1 ;;
  esac
}

check_config() {
  S_HOSTNAME='' S_MACHINE_ID='' S_SEED='' S_NIC_MAC=''
  read_settings "$1/vmpkg.env" || return 1
  local value
  for value in "$S_HOSTNAME" "$S_MACHINE_ID" "$S_SEED" "$S_NIC_MAC"; do
    [ -n "$value" ] || { PROBLEM='vmpkg.env lacks a setting'; return 1; }
  done
}

# Prints the name of the card with the MAC $1; udev chose it.
nic_of() {
  local name
  for name in $(ls /sys/class/net); do
    [ "$name" != lo ] && [ "$(cat "/sys/class/net/$name/address")" = "$1" ] && { echo "$name"; return 0; }
  done
  return 1
}
