# Runs a command in the world beyond a private host: a network namespace behind a cable, since the host itself answers no
# guest. Run inside the host's namespaces: sh outside-world.sh ADDRESS COMMAND...; the address is one of the world's, to
# which the host gets a route. The world stays as long as the host.
set -eu
address=$1
shift
if ! [ -e /run/netns/world ]; then
  ip netns add world
  # only IPv4 is served there; a tunnel's end would solicit routers through it whenever it likes
  nsenter --net=/run/netns/world -- sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
  ip link add name to-world type veth peer name to-host netns world
  ip address add 192.168.255.1/30 dev to-world
  ip link set dev to-world up
  ip -n world address add 192.168.255.2/30 dev to-host
  ip -n world link set dev to-host up
  ip -n world link set dev lo up
fi
case $(ip -n world -o address show) in
*" $address/"*) ;;
*)
  ip -n world address add "$address/32" dev lo
  ip route replace "$address/32" via 192.168.255.2
  ;;
esac
exec nsenter --net=/run/netns/world -- "$@"
