# Somebody outside with a file of `vmpkg vpn-server add-client`, in a place of `on-bridge.sh`, with WireGuard in user space,
# since not every host's kernel knows it. All goes into the tunnel, whatever the file says, so that it is the router that
# decides. Prints a word for each address: reached or not.
#
#     sh road-warrior.sh FILE ADDRESS…
set -eu
file=$1
shift
wg-quick strip "$file" | sed 's|^AllowedIPs = .*|AllowedIPs = 0.0.0.0/0|' >"$file.road"
wireguard-go -f road >"$file.log" 2>&1 &
server=$!
trap 'kill "$server"' EXIT
until wg show road >/dev/null 2>&1; do sleep 0.1; done
wg setconf road "$file.road"
ip address add "$(sed -n 's/^Address = //p' "$file")" dev road
ip link set dev road mtu 1420 up
. "${0%/*}/road-pings.sh"
wg show road latest-handshakes | sed 's/.*\t0$/no handshake/; t; s/.*/handshake/'
