# Somebody outside with an .ovpn file of `vmpkg vpn-server add-client`, in a place of `on-bridge.sh`. What is for the addresses
# goes into the tunnel, whatever routes the server gave, so that it is the router that decides. Prints a word for each
# address, reached or not, and the routes that were given; or that the client is not let in.
#
#     sh road-warrior-openvpn.sh FILE ADDRESS…
set -eu
file=$1
shift
: >"$file.log" # here: the shell of the background empties it some time after the first look
openvpn --config "$file" --dev road --dev-type tun --tmp-dir /tmp --connect-retry 1 1 --verb 3 >>"$file.log" 2>&1 &
client=$!
trap 'kill "$client"' EXIT
tries=0
until grep -q 'Initialization Sequence Completed' "$file.log"; do
  tries=$((tries + 1))
  if [ $tries -gt 100 ] || [ "$(grep -c 'Connection reset, restarting' "$file.log")" -ge 2 ]; then
    echo 'not let in'
    exit
  fi
  sleep 0.1
done
ip -4 route show dev road | sed -n 's/^\([0-9.]*\) via .*/route \1/p'
. "${0%/*}/road-pings.sh"
