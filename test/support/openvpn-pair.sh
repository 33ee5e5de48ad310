#!/bin/bash
# A real OpenVPN server and a client of it: openvpn-pair.sh keys FOLDER | run FOLDER
# `keys` makes a certificate authority, a server and a client. `run`, in a network namespace of its own that is the client, starts
# server.conf in a second one and clean.ovpn here, and prints the client's log, addresses and routes.
set -eu
cd "$2"
curve=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
if [ "$1" = keys ]; then
  openssl req -x509 "${curve[@]}" -subj /CN=ca -days 30 -keyout ca.key -out ca.crt 2>/dev/null
  for name in server client; do
    openssl req "${curve[@]}" -subj "/CN=$name" -keyout $name.key -out $name.csr 2>/dev/null
    printf 'extendedKeyUsage=%sAuth\nkeyUsage=digitalSignature\n' $name > ext
    openssl x509 -req -in $name.csr -CA ca.crt -CAkey ca.key -days 30 -extfile ext -out $name.crt 2>/dev/null
  done
  exit
fi
unshare -n sleep 60 & other=$!
trap 'kill $other $(jobs -p) 2>/dev/null || true; wait' EXIT
own=$(readlink /proc/self/ns/net)
for _ in $(seq 100); do [ "$(readlink "/proc/$other/ns/net")" = "$own" ] || break; sleep 0.05; done
ip link set lo up
ip link add near type veth peer name far netns $other
ip link set near up
ip addr add 192.0.2.2/24 dev near
nsenter -t $other -n ip link set far up
nsenter -t $other -n ip addr add 192.0.2.1/24 dev far
nsenter -t $other -n openvpn --config server.conf > server.log 2>&1 &
openvpn --config clean.ovpn --verb 3 --connect-retry 1 > client.log 2>&1 &
for _ in $(seq 200); do
  ! grep -q 'Initialization Sequence Completed' client.log || break
  sleep 0.1
done
cat client.log
ip -4 -o addr
ip route
