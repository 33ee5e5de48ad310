# Somebody outside with a file of `vmpkg vpn-server add-client`, inside a private host: a network namespace on the uplink's
# bridge with WireGuard in user space, since not every host's kernel knows it. All goes into the tunnel, whatever the file
# says, so that it is the router that decides. Prints a word for each address: reached or not.
#
#     sh road-warrior.sh FILE BRIDGE OWN-ADDRESS/PREFIX ADDRESS…
set -eu
file=$1 bridge=$2 own=$3
shift 3
ip link add road0 type veth peer name road1
ip link set road0 master "$bridge" up
unshare --net sleep 300 &
place=$!
trap 'kill "$place" 2>/dev/null; ip link delete road0 2>/dev/null || :' EXIT
until [ "$(readlink "/proc/$place/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
ip link set road1 netns "$place"
wg-quick strip "$file" | sed 's|^AllowedIPs = .*|AllowedIPs = 0.0.0.0/0|' >"$file.road"
nsenter --target "$place" --net sh -eu -c '
  file=$1 own=$2 tunnel=$3
  shift 3
  ip link set lo up
  ip address add "$own" dev road1
  ip link set road1 up
  wireguard-go -f road >"$file.log" 2>&1 &
  server=$!
  trap "kill $server" EXIT
  until wg show road >/dev/null 2>&1; do sleep 0.1; done
  wg setconf road "$file.road"
  ip address add "$tunnel" dev road
  ip link set road mtu 1420 up
  for address in "$@"; do
    ip route add "$address/32" dev road
    if busybox ping -c 2 -W 3 "$address" >/dev/null; then echo "$address reached"; else echo "$address silent"; fi
  done
  wg show road latest-handshakes | sed "s/.*\t0\$/no handshake/; t; s/.*/handshake/"
' sh "$file" "$own" "$(sed -n 's/^Address = //p' "$file")" "$@"
