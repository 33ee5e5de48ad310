# Of a leak lab: in place of hardware that a namespace has none of. The drive is a folder, the agent's port a terminal,
# and loading the cards' driver is the moment at which the lab gives the router its cards.
find_medium() { [ -d /lab/medium ] && echo /lab/medium; }
read_medium() {
  rm -rf "$1"
  mkdir -p "$1"
  cp /lab/medium/* "$1" 2>/dev/null || { set +f; cp /lab/medium/* "$1"; set -f; }
}
find_port() { echo /dev/vport; }
load_card_drivers() { :; }
modprobe() {
  case " $* " in
    *' virtio_net '*)
      : >/lab/plug
      until [ -e /lab/plugged ]; do usleep 2000; done
      ;;
  esac
}
# The device that tunnels are made from is the machine's own and open to all.
chown() { [ "$2" = /dev/net/tun ] || busybox chown "$@"; }
chmod() { [ "$2" = /dev/net/tun ] || busybox chmod "$@"; }
# Not every kernel has WireGuard: its own program makes a device of the same name, which `wg` speaks to in the same way.
ip() { case $* in 'link add home type wireguard') wireguard-go home >/dev/null 2>&1 ;; *) busybox ip "$@" ;; esac; }
