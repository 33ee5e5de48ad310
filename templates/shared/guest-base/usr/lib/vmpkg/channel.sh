# The agent's channel: virtio-serial port org.vmpkg.agent.0, one request line in, one JSON line out.
# Request: VERB NONCE [ARGUMENT], the nonce 32 hexadecimal digits; a line without one has nothing to be matched with
# and gets no answer. The caller defines `answer VERB NONCE ARGUMENT`, which prints exactly one line.

find_port() {
  local name
  for name in $(ls /sys/class/virtio-ports 2>/dev/null); do
    [ "$(cat "/sys/class/virtio-ports/$name/name" 2>/dev/null)" = org.vmpkg.agent.0 ] && { echo "/dev/$name"; return 0; }
  done
  return 1
}

refuse() { printf '{"vmpkg":1,"nonce":"%s","verb":"%s","ok":false,"error":"%s"}\n' "$1" "$2" "$3"; }

handle_line() {
  case $1 in *[!A-Za-z0-9._:/@+\ -]*) return ;; esac
  # shellcheck disable=SC2086
  set -- $1
  [ $# -ge 2 ] && [ $# -le 3 ] && is_hex "$2" 32 || return
  case $1 in
    status | reset | vpn.list | vpn.use | tor.newnym) answer "$1" "$2" "${3-}" ;;
    *) refuse "$2" unknown unsupported ;;
  esac
}

# Never returns while the port is there. `read` gives up at the end of the stream, which is how the kernel tells
# that nobody is connected on the host's side; half a line from an earlier connection is thrown away then.
serve_channel() {
  local line
  while :; do
    if IFS= read -r -n 256 line <&3; then
      [ -n "$line" ] && handle_line "$line" >&3
    elif [ -e "$STATE/awaited" ]; then
      usleep 10000 # a machine of a pool is paused meanwhile, and in a hurry afterwards
    else
      usleep 200000
    fi
  done
}
