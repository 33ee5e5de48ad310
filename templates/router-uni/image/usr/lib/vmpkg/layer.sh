# The first layer: its WAN is the outside, addressed by DHCP (run-uplink, wan-lease), and it has no verb of its own. People
# outside may come in by the device `home`, a server of WireGuard, where the medium has the keys for it.
LAYER=uni

accept_layer_setting() {
  case $1 in
    HOME_ADDRESS) is_ipv4 "$2" && S_HOME_ADDRESS=$2 ;;
    HOME_PREFIX) is_prefix "$2" && S_HOME_PREFIX=$2 ;;
    *) return 1 ;;
  esac
}

clear_layer_settings() { S_HOME_ADDRESS='' S_HOME_PREFIX=''; }

check_layer() {
  [ -n "$S_HOME_ADDRESS$S_HOME_PREFIX" ] || return 0
  [ -n "$S_HOME_ADDRESS" ] && [ -n "$S_HOME_PREFIX" ] || { PROBLEM='vmpkg.env lacks a setting of the VPN server'; return 1; }
  overlaps_lan "$S_HOME_ADDRESS" "$S_HOME_PREFIX" && { PROBLEM='the VPN server takes addresses of the LAN'; return 1; }
  [ -s "$1/home.conf" ] || { PROBLEM='the medium has no home.conf'; return 1; }
  chmod 400 "$1/home.conf"
}

# Once it is up no module can be loaded: those for forwarded ports and for a VPN server have to be there before.
start_layer() { modprobe -a nft_nat nft_fib_inet nft_fib_ipv4 wireguard || :; }

# Also on `reset`: tunnels that stay keep their sessions.
start_uplink() {
  if [ -z "$S_HOME_ADDRESS" ]; then
    [ ! -d /sys/class/net/home ] || ip link delete home
    return
  fi
  [ -d /sys/class/net/home ] || ip link add home type wireguard || return 1
  wg syncconf home "$CONFIG/home.conf" || return 1
  ip addr flush dev home
  ip addr add "$S_HOME_ADDRESS/$S_HOME_PREFIX" dev home && ip link set dev home mtu 1420 up
}

layer_facts() { :; }
answer_layer() { refuse "$2" "$1" unsupported; }
