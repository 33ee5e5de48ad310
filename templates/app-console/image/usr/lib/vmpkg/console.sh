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

check_config() {
  S_HOSTNAME='' S_MACHINE_ID='' S_SEED='' S_NIC_MAC=''
  read_settings "$1/vmpkg.env" || return 1
  local value
  for value in "$S_HOSTNAME" "$S_MACHINE_ID" "$S_SEED" "$S_NIC_MAC"; do
    [ -n "$value" ] || { PROBLEM='vmpkg.env lacks a setting'; return 1; }
  done
}
