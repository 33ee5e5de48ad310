# Of `road-warrior.sh` and `road-warrior-openvpn.sh`: pings all of "$@" by the device `road` at once, since who is silent is waited
# for, and prints a word for each in their order.
pings=
for address in "$@"; do
  ip route replace "$address/32" dev road
  busybox ping -c 2 -W 3 "$address" >"$file.$address" 2>&1 &
  pings="$pings $!"
done
for ping in $pings; do wait "$ping" || :; done
for address in "$@"; do
  if grep -q 'bytes from' "$file.$address"; then echo "$address reached"; else echo "$address silent"; fi
done
