# The second layer: its WAN is a card on an upper router's LAN, addressed by the medium and never by DHCP, with a route to
# the servers of the profile and no other. Clients leave by the device `tunnel`, which run-uplink makes and keeps. For routers
# behind it that bring their clients through Tor, run-relays keeps the relays that those may reach.
LAYER=gal
TOR=/run/tor

accept_layer_setting() {
  case $1 in
    WAN_ADDRESS) is_ipv4 "$2" && S_WAN_ADDRESS=$2 ;;
    WAN_PREFIX) is_prefix "$2" && S_WAN_PREFIX=$2 ;;
    WAN_BROADCAST) is_ipv4 "$2" && S_WAN_BROADCAST=$2 ;;
    WAN_GATEWAY) is_ipv4 "$2" && S_WAN_GATEWAY=$2 ;;
    VPN_NAME) is_hostname "$2" && S_VPN_NAME=$2 ;;
    VPN_KIND) case $2 in openvpn | wireguard | ssh) S_VPN_KIND=$2 ;; *) return 1 ;; esac ;;
    VPN_ENDPOINT) is_ipv4 "$2" && S_VPN_ENDPOINTS="$S_VPN_ENDPOINTS $2" ;;
    VPN_DNS) is_ipv4 "$2" && S_VPN_DNS="$S_VPN_DNS $2" ;;
    VPN_ADDRESS) is_ipv4 "${2%/*}" && is_prefix "${2#*/}" && S_VPN_ADDRESSES="$S_VPN_ADDRESSES $2" ;;
    TOR_RELAYS) [ "$2" = 1 ] && S_TOR_RELAYS=1 ;;
    VPN_MTU) is_number "$2" && S_VPN_MTU=$2 ;;
    *) return 1 ;;
  esac
}

clear_layer_settings() {
  S_WAN_ADDRESS='' S_WAN_PREFIX='' S_WAN_BROADCAST='' S_WAN_GATEWAY=''
  S_VPN_NAME='' S_VPN_KIND='' S_VPN_ENDPOINTS='' S_VPN_DNS='' S_VPN_ADDRESSES='' S_VPN_MTU='' S_TOR_RELAYS=''
}

check_layer() {
  local value
  for value in "$S_WAN_ADDRESS" "$S_WAN_PREFIX" "$S_WAN_BROADCAST" "$S_WAN_GATEWAY" "$S_VPN_NAME" "$S_VPN_KIND" "$S_VPN_ENDPOINTS"; do
    [ -n "$value" ] || { PROBLEM='vmpkg.env lacks a setting of the tunnel'; return 1; }
  done
  [ -s "$1/vpn.conf" ] || { PROBLEM='the medium has no vpn.conf'; return 1; }
  # It holds keys: for root, and for the user of OpenVPN and ssh.
  chmod 400 "$1/vpn.conf" && chown vpn:vpn "$1/vpn.conf" || return 1
  [ -n "$S_TOR_RELAYS" ] || return 0
  [ -s "$1/torrc" ] || { PROBLEM='the medium has no torrc'; return 1; }
  chmod 400 "$1/torrc" && chown tor:tor "$1/torrc" || return 1
  cmp -s "$1/torrc" "$STATE/torrc.verified" && return
  as_tor --verify-config -f "$1/torrc" >/dev/null 2>&1 || { PROBLEM='Tor refuses torrc'; return 1; }
  cp "$1/torrc" "$STATE/torrc.verified"
}

as_tor() { run_as tor /usr/bin/tor "$@"; }

start_layer() {
  modprobe -a tun wireguard
  chown root:vpn /dev/net/tun && chmod 660 /dev/net/tun || { PROBLEM='there is no device for a tunnel'; return 1; }
  mkdir -p $TOR
  mount -t tmpfs -o nosuid,nodev,noexec,mode=700,size=96m tmpfs $TOR && chown tor:tor $TOR ||
    { PROBLEM='there is no place for the state of Tor'; return 1; }
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
  restart_relays
  restart_tunnel
}

# What Tor has read stays, unless its configuration is another one or nobody asks for relays any more.
restart_relays() {
  if [ -n "$S_TOR_RELAYS" ]; then
    cmp -s "$CONFIG/torrc" "$STATE/torrc.running" && return
  else
    [ -e "$STATE/torrc.running" ] || return 0
  fi
  killall -q tor
  killall -q run-relays
  return 0
}

restart_tunnel() {
  killall -q openvpn ssh
  killall -q run-uplink
  return 0
}

layer_facts() {
  local state=connecting address=null found
  [ -s "$STATE/tunnel.up" ] && state=up && found=$(address_of tunnel) && address="\"$found\""
  printf ',"tunnel":{"profile":"%s","kind":"%s","state":"%s","address":%s}' "$S_VPN_NAME" "$S_VPN_KIND" $state "$address"
  [ -z "$S_TOR_RELAYS" ] || relay_facts
}

relay_facts() {
  local count=0 until=0 left
  [ ! -s "$STATE/relays" ] || read -r count until <"$STATE/relays"
  left=$((until - $(uptime_seconds)))
  [ $left -gt 0 ] || count=0 left=0
  printf ',"relays":{"count":%s,"seconds":%s}' "$count" $left
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
