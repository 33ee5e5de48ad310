# The same chain of routers in plain network namespaces, with the rule files, the tunnel and the Tor configuration of the guests:
# what is left are the kernel's own costs. Run inside a private host whose guests are stopped, beside its world:
#
#     sh plain-chain.sh FOLDER UPLINK_BRIDGE
#
# FOLDER holds for each router NAME.nft and NAME.env (its medium's vmpkg.env), `macs` (a line `NAME WAN_MAC LAN_MAC` for each),
# vpn.conf, torrc, `relays` (elements of the set of that name), and `measure`, a script that is run in the client's place.
# Needs root. Ends what it started, and the namespaces, with itself.
set -eu
folder=$1
uplink=$2
jobs=''
# Where users without rights may look.
work=/run/plain-chain
end() {
  for one in $jobs; do kill "$one" 2>/dev/null || :; done
  for one in client sol gal uni; do ip netns delete "plain-$one" 2>/dev/null || :; done
  rm -rf "$work"
}
trap end EXIT
mkdir -p "$work" && install -d -o 901 -g 901 -m 700 "$work/tor"
mac() { awk -v name="$1" -v field="$2" '$1 == name { print $field }' "$folder/macs"; }
setting() { sed -n "s/^$2=//p" "$folder/$1.env"; }
in_ns() { one=$1; shift; ip netns exec "plain-$one" "$@"; }
for one in uni gal sol client; do
  ip netns add "plain-$one"
  in_ns "$one" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 >/proc/sys/net/ipv4/ip_forward'
  ip -n "plain-$one" link set lo up
done
# cable NAME MAC TO_NAME TO_CARD TO_MAC: the card `lan` of one router is the other end of the card of the next
cable() {
  ip link add name lan netns "plain-$1" address "$2" type veth peer name "$4" netns "plain-$3" address "$5"
  ip -n "plain-$1" link set lan up
  ip -n "plain-$3" link set "$4" up
}
ip link add name wan netns plain-uni address "$(mac uni 2)" type veth peer name plain-uplink
ip link set plain-uplink master "$uplink" up
ip -n plain-uni link set wan up
cable uni "$(mac uni 3)" gal wan "$(mac gal 2)"
cable gal "$(mac gal 3)" sol wan "$(mac sol 2)"
cable sol "$(mac sol 3)" client eth0 02:00:00:00:00:50
for one in uni gal sol; do
  ip -n "plain-$one" address add "$(setting $one LAN_ADDRESS)/$(setting $one LAN_PREFIX)" dev lan
done
beside() { echo "$1" | sed "s/[0-9]*$/$2/"; }
for pair in 'uni gal' 'gal sol'; do
  set -- $pair
  gateway=$(setting "$1" LAN_ADDRESS)
  ip -n "plain-$2" address add "$(beside "$gateway" 2)/24" dev wan
  ip -n "plain-$2" route add default via "$gateway"
done
gateway=$(setting sol LAN_ADDRESS)
ip -n plain-client address add "$(beside "$gateway" 50)/24" dev eth0
ip -n plain-client route add default via "$gateway"
in_ns uni busybox udhcpc -i wan -n -q -f -t 20 -T 1 -s "$folder/lease" >/dev/null 2>&1
for one in uni gal sol; do in_ns "$one" nft -f "$folder/$one.nft"; done
ip -n plain-gal tuntap add dev tunnel mode tun user 900
install -o 900 -g 900 -m 400 "$folder/vpn.conf" "$work/vpn.conf"
in_ns gal setpriv --reuid 900 --regid 900 --clear-groups openvpn --config "$work/vpn.conf" --dev tunnel --dev-type tun \
  --ifconfig-noexec --route-noexec >"$work/vpn.log" 2>&1 &
jobs="$jobs $!"
wait_for() {
  tries=0
  until grep -q "$1" "$2" 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 600 ] || { echo "no $1 in $2" >&2; cat "$2" >&2; exit 1; }
    sleep 0.1
  done
}
wait_for 'Initialization Sequence Completed' "$work/vpn.log"
ip -n plain-gal address add "$(cat "$folder/inside")/24" dev tunnel
ip -n plain-gal link set tunnel mtu 1400 up
ip -n plain-gal route add 0.0.0.0/1 dev tunnel
ip -n plain-gal route add 128.0.0.0/1 dev tunnel
ip -n plain-gal route add "$(cat "$folder/endpoint")" via "$(setting uni LAN_ADDRESS)" dev wan
in_ns gal nft add element inet vmpkg relays "{ $(cat "$folder/relays") }"
sed "s#/run/tor#$work/tor#; s#^Log .*#Log notice file $work/tor/log#" "$folder/torrc" >"$work/torrc"
in_ns sol setpriv --reuid 901 --regid 901 --clear-groups tor --quiet -f "$work/torrc" >"$work/tor.log" 2>&1 &
jobs="$jobs $!"
wait_for 'Bootstrapped 100%' "$work/tor/log"
in_ns client sh "$folder/measure"
