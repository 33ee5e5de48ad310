# Runs a command as a machine of its own on a bridge of a private host: in a network namespace that is gone afterwards.
#
#     sh on-bridge.sh BRIDGE ADDRESS/PREFIX COMMAND…
set -eu
bridge=$1 address=$2
shift 2
ip link add name guest0 type veth peer name guest1
unshare --net sleep 300 &
place=$!
trap 'kill "$place" 2>/dev/null; ip link delete guest0 2>/dev/null || :' EXIT
until [ "$(readlink "/proc/$place/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
ip link set dev guest0 master "$bridge" up
ip link set dev guest1 netns "$place"
nsenter --target "$place" --net sh -eu -c '
  ip link set dev lo up
  ip address add "$1" dev guest1
  ip link set dev guest1 up
  shift
  exec "$@"
' sh "$address" "$@"
