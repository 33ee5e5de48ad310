# The second layer: its WAN is a card on an upper router's LAN, addressed by the medium and never by DHCP, with a route to
# the servers of the profile and no other. Clients leave by the device `tunnel`, which run-uplink makes and keeps.
LAYER=gal

accept_layer_setting() {
  case $1 in
    WAN_ADDRESS) is_ipv4 "$2" && S_WAN_ADDRESS=$2 ;;
    WAN_PREFIX) is_prefix "$2" && S_WAN_PREFIX=$2 ;;
    WAN_BROADCAST) is_ipv4 "$2" && S_WAN_BROADCAST=$2 ;;
    WAN_GATEWAY) is_ipv4 "$2" && S_WAN_GATEWAY=$2 ;;
    VPN_NAME) is_hostname "$2" && S_VPN_NAME=$2 ;;
    VPN_KIND) case $2 in openvpn | wireguard) S_VPN_KIND=$2 ;; *) return 1 ;; esac ;;
    VPN_ENDPOINT) is_ipv4 "$2" && S_VPN_ENDPOINTS="$S_VPN_ENDPOINTS $2" ;;
    VPN_DNS) is_ipv4 "$2" && S_VPN_DNS="$S_VPN_DNS $2" ;;
    VPN_ADDRESS) is_ipv4 "${2%/*}" && is_prefix "${2#*/}" && S_VPN_ADDRESSES="$S_VPN_ADDRESSES $2" ;;
    VPN_MTU) is_number "$2" && S_VPN_MTU=$2 ;;
    *) return 1 ;;
  esac
}

clear_layer_settings() {
  S_WAN_ADDRESS='' S_WAN_PREFIX='' S_WAN_BROADCAST='' S_WAN_GATEWAY=''
  S_VPN_NAME='' S_VPN_KIND='' S_VPN_ENDPOINTS='' S_VPN_DNS='' S_VPN_ADDRESSES='' S_VPN_MTU=''
}

check_layer() {
  local value
  for value in "$S_WAN_ADDRESS" "$S_WAN_PREFIX" "$S_WAN_BROADCAST" "$S_WAN_GATEWAY" "$S_VPN_NAME" "$S_VPN_KIND" "$S_VPN_ENDPOINTS"; do
    [ -n "$value" ] || { PROBLEM='vmpkg.env lacks a setting of the tunnel'; return 1; }
  done
  [ -s "$1/vpn.conf" ] || { PROBLEM='the medium has no vpn.conf'; return 1; }
  # It holds keys: for root, and for the user of OpenVPN.
  chmod 400 "$1/vpn.conf" && chown vpn:vpn "$1/vpn.conf"
}

start_layer() {
  modprobe -a tun wireguard
  chown root:vpn /dev/net/tun && chmod 660 /dev/net/tun || { PROBLEM='there is no device for a tunnel'; return 1; }
}

# Also on `reset`, with other settings: what runs of the old tunnel ends, and init starts run-uplink again.
start_uplink() {
  local server
  ip route flush dev wan
  ip addr flush dev wan
  ip addr add "$S_WAN_ADDRESS/$S_WAN_PREFIX" broadcast "$S_WAN_BROADCAST" dev wan || return 1
  for server in $S_VPN_ENDPOINTS; do
    ip route replace "$server/32" via "$S_WAN_GATEWAY" dev wan || return 1
  done
  restart_tunnel
}

restart_tunnel() {
  killall -q openvpn
  killall -q run-uplink
  return 0
}

layer_facts() {
  local state=connecting address=null found
  [ -s "$STATE/tunnel.up" ] && state=up && found=$(address_of tunnel) && address="\"$found\""
  printf ',"tunnel":{"profile":"%s","kind":"%s","state":"%s","address":%s}' "$S_VPN_NAME" "$S_VPN_KIND" $state "$address"
}

answer_layer() {
  case $1 in
    vpn.list) printf '{"vmpkg":1,"nonce":"%s","verb":"vpn.list","ok":true,"profiles":["%s"]}\n' "$2" "$S_VPN_NAME" ;;
    vpn.use)
      if [ "$3" = "$S_VPN_NAME" ]; then
        restart_tunnel
        printf '{"vmpkg":1,"nonce":"%s","verb":"vpn.use","ok":true,%s}\n' "$2" "$(facts)"
      else
        refuse "$2" vpn.use 'no such profile'
      fi
      ;;
    *) refuse "$2" "$1" unsupported ;;
  esac
}
