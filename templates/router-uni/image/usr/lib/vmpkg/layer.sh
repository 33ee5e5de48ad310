# The first layer: its WAN is the outside, addressed by DHCP (run-uplink, wan-lease), and it has no verb of its own. People
# outside may come in by the device `home`, a server of WireGuard, and by `home-ovpn`, one of OpenVPN that run-home keeps,
# where the medium has the keys for it.
LAYER=uni
. /usr/lib/vmpkg/openvpn.sh

accept_layer_setting() {
  case $1 in
    HOME_ADDRESS) is_ipv4 "$2" && S_HOME_ADDRESS=$2 ;;
    HOME_PREFIX) is_prefix "$2" && S_HOME_PREFIX=$2 ;;
    OPENVPN_ADDRESS) is_ipv4 "$2" && S_OPENVPN_ADDRESS=$2 ;;
    OPENVPN_PREFIX) is_prefix "$2" && S_OPENVPN_PREFIX=$2 ;;
    OPENVPN_PORT) is_number "$2" && S_OPENVPN_PORT=$2 ;;
    *) return 1 ;;
  esac
}

clear_layer_settings() {
  S_HOME_ADDRESS='' S_HOME_PREFIX=''
  S_OPENVPN_ADDRESS='' S_OPENVPN_PREFIX='' S_OPENVPN_PORT=''
}

check_layer() {
  if [ -n "$S_HOME_ADDRESS$S_HOME_PREFIX" ]; then
    check_home "$S_HOME_ADDRESS" "$S_HOME_PREFIX" "$1/home.conf" || return 1
    chmod 400 "$1/home.conf" || return 1
  fi
  [ -n "$S_OPENVPN_ADDRESS$S_OPENVPN_PREFIX$S_OPENVPN_PORT" ] || return 0
  [ -n "$S_OPENVPN_PORT" ] || { PROBLEM='vmpkg.env lacks a setting of the VPN server'; return 1; }
  check_home "$S_OPENVPN_ADDRESS" "$S_OPENVPN_PREFIX" "$1/openvpn.conf" || return 1
  [ -f "$1/openvpn.clients" ] || { PROBLEM='the medium has no openvpn.clients'; return 1; }
  # It holds keys: for root, and for the user of OpenVPN.
  chmod 400 "$1/openvpn.conf" && chown vpn:vpn "$1/openvpn.conf"
}

check_home() {
  [ -n "$1" ] && [ -n "$2" ] || { PROBLEM='vmpkg.env lacks a setting of the VPN server'; return 1; }
  overlaps_lan "$1" "$2" && { PROBLEM='the VPN server takes addresses of the LAN'; return 1; }
  [ -s "$3" ] || { PROBLEM="the medium has no ${3##*/}"; return 1; }
}

# Once it is up no module can be loaded: those for forwarded ports and for VPN servers have to be there before.
start_layer() {
  modprobe -a nft_nat nft_fib_inet nft_fib_ipv4 wireguard tun || :
  [ ! -e /dev/net/tun ] || { chown root:vpn /dev/net/tun && chmod 660 /dev/net/tun; }
}

# Also on `reset`.
start_uplink() { start_wireguard && start_openvpn; }

# For an agent after one that was killed: who was to be let in no more is let in no more.
resume_layer() {
  start_wireguard
  settle_openvpn
}

# Tunnels that stay keep their sessions.
start_wireguard() {
  if [ -z "$S_HOME_ADDRESS" ]; then
    [ ! -d /sys/class/net/home ] || ip link delete home
    return
  fi
  [ -d /sys/class/net/home ] || ip link add home type wireguard || return 1
  wg syncconf home "$CONFIG/home.conf" || return 1
  set_home_address home "$S_HOME_ADDRESS/$S_HOME_PREFIX" && ip link set dev home mtu 1420 up
}

# Where it has that address it keeps it: without one nothing finds its way into the tunnel.
set_home_address() {
  ip addr show dev "$1" | grep -qF "inet $2 " && return
  ip addr flush dev "$1"
  ip addr add "$2" dev "$1"
}

layer_facts() {
  local state=down
  [ -n "$S_OPENVPN_ADDRESS" ] || return 0
  [ ! -e "$STATE/openvpn.up" ] || state=up
  printf ',"openvpn":{"state":"%s"}' $state
}

answer_layer() { refuse "$2" "$1" unsupported; }
