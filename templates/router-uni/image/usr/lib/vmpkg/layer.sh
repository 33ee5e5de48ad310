# The first layer: its WAN is the outside, addressed by DHCP (run-uplink, wan-lease), and it has no verb of its own.
LAYER=uni

accept_layer_setting() { return 1; }
clear_layer_settings() { :; }
check_layer() { :; }
# Once it is up no module can be loaded: those for forwarded ports have to be there before there are any.
start_layer() { modprobe -a nft_nat nft_fib_inet nft_fib_ipv4 || :; }
start_uplink() { :; }
layer_facts() { :; }
answer_layer() { refuse "$2" "$1" unsupported; }
