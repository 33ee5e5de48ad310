#!/bin/bash
# Packets against rules of Shorewall: shorewall-packets.sh gal RULES | uni RULES LATER-RULES
# Runs in a network namespace of its own, which is the router; two more are the client and all that is beyond. Prints a line for
# each probe: its name, and how many of its packets came out on the WAN and in the tunnel.
set -eu
unshare -n sleep 60 & client=$!
unshare -n sleep 60 & world=$!
trap 'kill $client $world' EXIT
own=$(readlink /proc/self/ns/net)
for pid in $client $world; do
  for _ in $(seq 100); do [ "$(readlink "/proc/$pid/ns/net")" = "$own" ] || break; sleep 0.05; done
done
at() { local pid=$1; shift; nsenter -t "$pid" -n "$@"; }
join() { ip link add "$1" type veth peer name "$3" netns "$2"; ip link set "$1" up; at "$2" ip link set "$3" up; }
join lan $client eth0
join wan $world wan
join tunnel $world tunnel
ip link set lo up
ip addr add 10.2.2.1/24 dev lan
ip addr add 10.1.1.2/24 dev wan
ip addr add 10.4.0.2/24 dev tunnel
at $client ip addr add 10.2.2.9/24 dev eth0
at $client ip route add default via 10.2.2.1
at $world ip link set lo up
at $world ip addr add 10.1.1.1/24 dev wan
at $world ip addr add 10.4.0.1/24 dev tunnel
for one in 203.0.113.7 203.0.113.99; do at $world ip addr add $one/32 dev lo; done
echo 1 > /proc/sys/net/ipv4/ip_forward
iptables-restore < "$2"
for side in wan tunnel; do at $world iptables -A INPUT -i $side -p udp -m comment --comment $side; done
count() { at $world iptables -nvxL INPUT | awk -v side="$1" '$0 ~ "/\\* " side " \\*/" { print $1 }'; }
# send NAME WHO ADDRESS PORT FROM: one packet.
send() {
  local wan tunnel
  wan=$(count wan) tunnel=$(count tunnel)
  echo x | at "$2" nc -u -w 1 -p "$5" "$3" "$4" 2>/dev/null || true
  echo "$1 $(($(count wan) - wan)) $(($(count tunnel) - tunnel))"
}
case $1 in
  gal)
    ip route add default via 10.4.0.1
    send client-by-tunnel $client 203.0.113.99 80 4000
    ip route replace default via 10.1.1.1
    send client-without-tunnel $client 203.0.113.99 81 4001
    send client-to-endpoint $client 203.0.113.7 443 4002
    send own-to-endpoint $$ 203.0.113.7 443 4003
    send own-to-other-port $$ 203.0.113.7 444 4004
    send own-to-other-address $$ 203.0.113.99 443 4005
    ;;
  uni)
    ip route add default via 10.1.1.1
    # The endpoint answers once, so the flow becomes an established one.
    { sleep 2; echo y; sleep 1; } | at $world timeout 10 nc -u -l 203.0.113.7 443 > /dev/null & answering=$!
    sleep 0.3
    send lower-to-endpoint $client 203.0.113.7 443 4000
    send lower-elsewhere $client 203.0.113.99 443 4001
    sleep 1
    iptables-restore < "$3"
    send lower-to-old-endpoint $client 203.0.113.7 443 4000
    send lower-to-new-endpoint $client 203.0.113.99 443 4002
    wait $answering || true
    ;;
esac
