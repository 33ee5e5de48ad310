# The console's own part: its settings.
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

# The card that the medium names; it is not switched on by that.
find_nic() { name_nic "$S_NIC_MAC" nic0 || { PROBLEM='no card has the MAC of the medium'; return 1; }; }

enter_network() { ip link set dev nic0 up || { PROBLEM='cannot bring the card up'; return 1; }; }

check_config() {
  S_HOSTNAME='' S_MACHINE_ID='' S_SEED='' S_NIC_MAC=''
  read_settings "$1/vmpkg.env" || return 1
  local value
  for value in "$S_HOSTNAME" "$S_MACHINE_ID" "$S_SEED" "$S_NIC_MAC"; do
    [ -n "$value" ] || { PROBLEM='vmpkg.env lacks a setting'; return 1; }
  done
}
