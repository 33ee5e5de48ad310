# What all routers share: their settings, their rules and what the kernel makes of them. `layer.sh` says what a layer has
# besides: LAYER, and the functions that are called by name here and in `boot` and `agent`.
. /usr/lib/vmpkg/base.sh
# What a layer may say otherwise: whether the kernel forwards packets of clients, and which processes they need.
FORWARDING=true
SERVICES=dnsmasq
# What an agent that was killed may have left half done.
resume_layer() { :; }
. /usr/lib/vmpkg/layer.sh

RULES=nftables.nft

accept_setting() {
  case $1 in
    VMPKG_CONFIG) [ "$2" = 1 ] ;;
    HOSTNAME) is_hostname "$2" && S_HOSTNAME=$2 ;;
    MACHINE_ID) is_hex "$2" 32 && S_MACHINE_ID=$2 ;;
    SEED) is_hex "$2" 64 && S_SEED=$2 ;;
    LAYER) [ "$2" = "$LAYER" ] ;;
    INSTANCE) is_hostname "$2" && S_INSTANCE=$2 ;;
    WAN_MAC) is_mac "$2" && S_WAN_MAC=$2 ;;
    LAN_MAC) is_mac "$2" && S_LAN_MAC=$2 ;;
    LAN_ADDRESS) is_ipv4 "$2" && S_LAN_ADDRESS=$2 ;;
    LAN_PREFIX) is_prefix "$2" && S_LAN_PREFIX=$2 ;;
    LAN_BROADCAST) is_ipv4 "$2" && S_LAN_BROADCAST=$2 ;;
    *) accept_layer_setting "$1" "$2" ;;
  esac
}

# Reads and checks a folder of configuration files; $1 holds copies from the medium.
check_config() {
  S_HOSTNAME='' S_MACHINE_ID='' S_SEED='' S_INSTANCE='' S_WAN_MAC='' S_LAN_MAC=''
  S_LAN_ADDRESS='' S_LAN_PREFIX='' S_LAN_BROADCAST=''
  clear_layer_settings
  read_settings "$1/vmpkg.env" || return 1
  local value
  for value in "$S_HOSTNAME" "$S_MACHINE_ID" "$S_SEED" "$S_INSTANCE" "$S_WAN_MAC" "$S_LAN_MAC" "$S_LAN_ADDRESS" "$S_LAN_PREFIX" "$S_LAN_BROADCAST"; do
    [ -n "$value" ] || { PROBLEM='vmpkg.env lacks a setting'; return 1; }
  done
  [ "$S_WAN_MAC" != "$S_LAN_MAC" ] || { PROBLEM='both cards have the same MAC'; return 1; }
  check_layer "$1" || return 1
  [ -s "$1/$RULES" ] || { PROBLEM="the medium has no $RULES"; return 1; }
  [ -s "$1/dnsmasq.conf" ] || { PROBLEM='the medium has no dnsmasq.conf'; return 1; }
  dnsmasq --test -C "$1/dnsmasq.conf" >/dev/null 2>&1 || { PROBLEM='dnsmasq refuses dnsmasq.conf'; return 1; }
  nft -c -f "$1/$RULES" >/dev/null 2>&1 || { PROBLEM="nft refuses $RULES"; return 1; }
}

services_run() {
  local one
  for one in $SERVICES; do pidof "$one" >/dev/null || return 1; done
}

# The program $2 as the user $1, from its first instruction on. By itself start-stop-daemon starts none that runs already.
run_as() {
  local user=$1 program=$2
  shift 2
  start-stop-daemon -S -p /run/none -c "$user:$user" -x "$program" -- "$@" </dev/null
}

# For scripts beside boot and agent, which have checked the files.
check_settings() {
  clear_layer_settings
  read_settings "$CONFIG/vmpkg.env"
}

network() { local words; words=$(ipcalc -n "$1/$2") && echo "${words#NETWORK=}"; }

# Whether the network $1/$2 and the LAN have an address in common.
overlaps_lan() {
  local shorter=$2
  [ "$S_LAN_PREFIX" -ge "$shorter" ] || shorter=$S_LAN_PREFIX
  [ "$(network "$1" "$shorter")" = "$(network "$S_LAN_ADDRESS" "$shorter")" ]
}

# One transaction; the old set stays when the new one fails.
load_rules() { nft -f "$1/$RULES" || { PROBLEM="cannot load $RULES"; return 1; }; }

set_lan_address() {
  ip addr flush dev lan
  ip addr add "$S_LAN_ADDRESS/$S_LAN_PREFIX" broadcast "$S_LAN_BROADCAST" dev lan
}

# The kernel's rules as text that does not change from one boot to the next. Of a set with a name what it is, not what is in it:
# that is filled while the router runs, and a set of the file itself has no name.
list_rules() {
  nft -s -t -j list ruleset >"$1.raw" || return 1
  sed -E -e 's/\{"metainfo": \{[^}]*\}\}(, )?//' -e 's/, "handle": [0-9]+//g; s/"handle": [0-9]+, //g' "$1.raw" >"$1" && [ -s "$1" ]
}

# Sets A_SHA256 to the digest of the rule file as it lay on the medium, and A_MATCHES to whether the kernel's rules are
# what that file makes in an empty network namespace. Anything that goes wrong is a mismatch.
attest() {
  A_MATCHES=false
  A_SHA256=$(sha256sum <"$CONFIG/$RULES") || A_SHA256=
  A_SHA256=${A_SHA256%% *}
  rm -f "$STATE/rules.live" "$STATE/rules.file"
  list_rules "$STATE/rules.live" || return 1
  unshare -n /usr/lib/vmpkg/list-fresh-rules "$CONFIG/$RULES" "$STATE/rules.file" || return 1
  cmp -s "$STATE/rules.live" "$STATE/rules.file" && A_MATCHES=true
}
