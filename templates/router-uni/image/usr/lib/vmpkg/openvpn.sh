# The OpenVPN server for people outside: `run-home` starts it, and what changes for one of them changes while it runs. Who is
# let in is in folders that it reads at each handshake and may not write:
# - `trusted` has their certificates, by which TLS knows them. What was read once it does not forget, so
# - `denied` has the serial numbers of those that were taken off while it ran, and
# - `clients` has a file for each by the name in the certificate, which no other has: without one nobody is let in.
OPENVPN=$STATE/openvpn
CONTROL=$OPENVPN/control/socket

# All that it is started with, and who is let in.
openvpn_settings() {
  echo "$S_OPENVPN_ADDRESS/$S_OPENVPN_PREFIX"
  cat "$CONFIG/openvpn.conf" && echo '# clients' && cat "$CONFIG/openvpn.clients"
}

make_openvpn_folders() {
  rm -rf "$OPENVPN"
  mkdir "$OPENVPN" "$OPENVPN/trusted" "$OPENVPN/denied" "$OPENVPN/clients" "$OPENVPN/control" || return 1
  chown root:vpn "$OPENVPN" "$OPENVPN/trusted" "$OPENVPN/denied" "$OPENVPN/clients" && chown vpn:vpn "$OPENVPN/control" || return 1
  chmod 750 "$OPENVPN" "$OPENVPN/trusted" "$OPENVPN/denied" "$OPENVPN/clients" && chmod 700 "$OPENVPN/control"
}

is_serial() { case $1 in '' | *[!0-9]*) return 1 ;; esac; [ ${#1} -le 50 ]; }

# What the folders shall be. Each line of the text on the medium has a form of its own: `client NAME ADDRESS SERIAL HASH`, and
# after it `trust LINE` for each line of the certificate and `route ADDRESS` for each machine that is reached.
plan_clients() {
  local word first second third fourth file='' trusted='' mask
  mask=$(ipcalc -m "$S_OPENVPN_ADDRESS/$S_OPENVPN_PREFIX") && mask=${mask#NETMASK=} && is_ipv4 "$mask" || return 1
  rm -rf "$OPENVPN/next"
  mkdir -p "$OPENVPN/next/clients" "$OPENVPN/next/trusted" || return 1
  while read -r word first second third fourth; do
    case $word in
      client)
        is_hostname "$first" && is_ipv4 "$second" && is_serial "$third" && is_hex "$fourth" 8 || return 1
        file=$OPENVPN/next/clients/$first trusted=$OPENVPN/next/trusted/$fourth.0
        printf '# %s %s\nifconfig-push %s %s\n' "$third" "$fourth" "$second" "$mask" >"$file" && : >"$trusted" || return 1
        ;;
      trust)
        case $first$second in '' | *[!A-Za-z0-9+/=-]*) return 1 ;; esac
        [ -n "$trusted" ] && [ -z "$third" ] || return 1
        echo "$first${second:+ $second}" >>"$trusted"
        ;;
      route)
        [ -n "$file" ] && is_ipv4 "$first" && [ -z "$second" ] || return 1
        echo "push \"route $first 255.255.255.255\"" >>"$file"
        ;;
      *) return 1 ;;
    esac
  done <"$CONFIG/openvpn.clients"
}

# The number and the hash of a client's certificate.
certificate_of() { [ -f "$1" ] && read -r _ SERIAL HASH <"$1"; }

# Makes the folders what they shall be: first who is taken off, so that whenever this is killed nobody is let in too many. CHANGED
# are those who stay and are told something else. What is in the folders is read by OpenVPN's user: what it cannot read is not there.
sync_clients() {
  umask 022
  CHANGED=' '
  plan_clients || return 1
  local name serial next=$OPENVPN/next
  for name in $(ls "$OPENVPN/clients"); do
    certificate_of "$OPENVPN/clients/$name" || return 1
    serial=$SERIAL
    certificate_of "$next/clients/$name" && [ "$SERIAL" = "$serial" ] && continue
    certificate_of "$OPENVPN/clients/$name"
    : >"$OPENVPN/denied/$serial" && rm -f "$OPENVPN/clients/$name" "$OPENVPN/trusted/$HASH.0" || return 1
  done
  for name in $(ls "$next/clients"); do
    certificate_of "$next/clients/$name" || return 1
    [ -e "$OPENVPN/trusted/$HASH.0" ] || mv "$next/trusted/$HASH.0" "$OPENVPN/trusted/" || return 1
    rm -f "$OPENVPN/denied/$SERIAL"
    cmp -s "$next/clients/$name" "$OPENVPN/clients/$name" && continue
    [ ! -e "$OPENVPN/clients/$name" ] || CHANGED="$CHANGED$name "
    mv "$next/clients/$name" "$OPENVPN/clients/" || return 1
  done
  rm -rf "$next"
}

# Commands for OpenVPN by its socket, which obeys root alone; its words come back.
control_openvpn() { printf '%s\n' "$@" | nc.openbsd -U -N -w 3 "$CONTROL" | tr -d '\r'; }

# A line for each session: the name in the certificate, and the session's number. Whose certificate is not known yet is UNDEF.
list_sessions() {
  local said
  said=$(control_openvpn 'status 3') || return 1
  case $said in *"
END") ;; *) return 1 ;; esac
  echo "$said" | sed -n 's/^CLIENT_LIST\t//p' | cut -f 1,10
}

# Ends the sessions of who is let in no more, and returns when they are over. Who is told something else is asked to come again.
cut_sessions() {
  local name number tries=0 strangers
  while [ $tries -lt 20 ]; do
    strangers=
    list_sessions >"$OPENVPN/sessions" || return 1
    while read -r name number; do
      [ "$name" != UNDEF ] || continue
      is_hostname "$name" && is_number "$number" || return 1
      if [ ! -e "$OPENVPN/clients/$name" ]; then
        strangers=yes
        control_openvpn "kill $name" >/dev/null || return 1
      elif [ $tries -eq 0 ]; then
        case $CHANGED in *" $name "*) control_openvpn "client-kill $number" >/dev/null || return 1 ;; esac
      fi
    done <"$OPENVPN/sessions"
    [ -n "$strangers" ] || return 0
    tries=$((tries + 1))
  done
  return 1
}

# While it runs, where it would be started in the same way: sessions of all others go on.
change_openvpn() {
  [ -e "$STATE/openvpn.up" ] || return 1
  [ "$(sed '/^# clients$/q' "$STATE/openvpn.new")" = "$(sed '/^# clients$/q' "$STATE/openvpn.up")" ] || return 1
  (sync_clients && cut_sessions) || return 1
  cp "$STATE/openvpn.new" "$STATE/openvpn.running"
  [ ! -e "$STATE/openvpn.up" ] || cp "$STATE/openvpn.new" "$STATE/openvpn.up"
}

# Where it cannot be changed every session ends, and who may still come in comes back by himself.
settle_openvpn() {
  if [ -z "$S_OPENVPN_ADDRESS" ]; then
    [ -e "$STATE/openvpn.running" ] || return 0
    rm -f "$STATE/openvpn.new"
    end_openvpn
    return
  fi
  (umask 077; openvpn_settings >"$STATE/openvpn.new")
  cmp -s "$STATE/openvpn.new" "$STATE/openvpn.running" || change_openvpn || end_openvpn
}

# A change is acknowledged when the server runs with it.
start_openvpn() {
  local tries=0
  settle_openvpn
  [ -n "$S_OPENVPN_ADDRESS" ] && [ -e "$STATE/up" ] || return 0
  until cmp -s "$STATE/openvpn.new" "$STATE/openvpn.up"; do
    tries=$((tries + 1))
    [ $tries -le 200 ] || { PROBLEM='the OpenVPN server does not start'; return 1; }
    usleep 100000
  done
}

# Sessions are over; init starts run-home again, with what the medium says now. Clients of UDP are told to come again, which
# takes OpenVPN two seconds: what they were allowed ended with the rules before.
end_openvpn() {
  local tries=0
  killall -q openvpn
  while pidof openvpn >/dev/null && [ $tries -lt 40 ]; do
    tries=$((tries + 1))
    usleep 100000
  done
  killall -q -9 openvpn
  killall -q run-home
  return 0
}
