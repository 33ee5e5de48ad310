# The third layer: clients reach the world through Tor, which run-uplink keeps. The WAN is a card on an upper router's LAN,
# addressed by the medium and never by DHCP. Nothing is forwarded, so the kernel is never told to.
LAYER=sol
FORWARDING=false
SERVICES='dnsmasq tor'
TOR=/run/tor

accept_layer_setting() {
  case $1 in
    WAN_ADDRESS) is_ipv4 "$2" && S_WAN_ADDRESS=$2 ;;
    WAN_PREFIX) is_prefix "$2" && S_WAN_PREFIX=$2 ;;
    WAN_BROADCAST) is_ipv4 "$2" && S_WAN_BROADCAST=$2 ;;
    WAN_GATEWAY) is_ipv4 "$2" && S_WAN_GATEWAY=$2 ;;
    TOR_NETWORK) is_hostname "$2" && S_TOR_NETWORK=$2 ;;
    *) return 1 ;;
  esac
}

clear_layer_settings() { S_WAN_ADDRESS='' S_WAN_PREFIX='' S_WAN_BROADCAST='' S_WAN_GATEWAY='' S_TOR_NETWORK=''; }

check_layer() {
  local value
  for value in "$S_WAN_ADDRESS" "$S_WAN_PREFIX" "$S_WAN_BROADCAST" "$S_WAN_GATEWAY" "$S_TOR_NETWORK"; do
    [ -n "$value" ] || { PROBLEM='vmpkg.env lacks a setting of Tor'; return 1; }
  done
  [ -s "$1/torrc" ] || { PROBLEM='the medium has no torrc'; return 1; }
  # Bridges are nobody's business.
  chmod 400 "$1/torrc" && chown tor:tor "$1/torrc" || return 1
  cmp -s "$1/torrc" "$STATE/torrc.verified" && return
  as_tor --verify-config -f "$1/torrc" >/dev/null 2>&1 || { PROBLEM='Tor refuses torrc'; return 1; }
  cp "$1/torrc" "$STATE/torrc.verified"
}

as_tor() { run_as tor /usr/bin/tor "$@"; }

# What Tor keeps between starts is gone with the machine.
start_layer() {
  mkdir -p $TOR
  mount -t tmpfs -o nosuid,nodev,noexec,mode=700,size=96m tmpfs $TOR && chown tor:tor $TOR ||
    { PROBLEM='there is no place for the state of Tor'; return 1; }
}

# Also on `reset`: Tor keeps its circuits unless its own configuration is another one.
start_uplink() {
  ip route flush dev wan
  ip addr flush dev wan
  ip addr add "$S_WAN_ADDRESS/$S_WAN_PREFIX" broadcast "$S_WAN_BROADCAST" dev wan || return 1
  ip route replace default via "$S_WAN_GATEWAY" dev wan || return 1
  cmp -s "$CONFIG/torrc" "$STATE/torrc.running" || killall -q tor
  return 0
}

# Asks Tor one thing and prints its answer; the first line is that to being let in.
ask_tor() {
  [ -S $TOR/control ] || return 1
  printf 'AUTHENTICATE\r\n%s\r\nQUIT\r\n' "$1" | nc.openbsd -U -N -w 3 $TOR/control | tr -d '\r'
}

layer_facts() {
  local state=connecting progress=0 phase=starting said word
  said=$(ask_tor 'GETINFO status/bootstrap-phase status/circuit-established' 2>/dev/null)
  for word in $said; do
    case $word in
      PROGRESS=*) is_number "${word#*=}" && [ "${word#*=}" -le 100 ] && progress=${word#*=} ;;
      TAG=*) case ${word#*=} in '' | *[!a-z0-9_]* | ?????????????????????????????????*) ;; *) phase=${word#*=} ;; esac ;;
      *status/circuit-established=1) state=up ;;
    esac
  done
  printf ',"tor":{"network":"%s","state":"%s","progress":%s,"phase":"%s"}' "$S_TOR_NETWORK" $state "$progress" "$phase"
}

# Tor makes new circuits at most every ten seconds, and says so to nobody.
renew_circuits() {
  local now last=-10
  now=$(uptime_seconds)
  [ ! -s "$STATE/newnym" ] || read -r last <"$STATE/newnym"
  [ $((now - last)) -gt 10 ] || { PROBLEM='too soon'; return 1; }
  PROBLEM='Tor does not answer'
  [ "$(ask_tor 'SIGNAL NEWNYM' | head -n 2 | tr '\n' ' ')" = '250 OK 250 OK ' ] || return 1
  echo "$now" >"$STATE/newnym"
}

answer_layer() {
  case $1 in
    tor.newnym)
      if renew_circuits 2>/dev/null; then
        printf '{"vmpkg":1,"nonce":"%s","verb":"tor.newnym","ok":true,%s}\n' "$2" "$(facts)"
      else
        refuse "$2" tor.newnym "$PROBLEM"
      fi
      ;;
    *) refuse "$2" "$1" unsupported ;;
  esac
}
