# The first layer: its WAN is the outside, addressed by DHCP (run-uplink, wan-lease), and it has no verb of its own.
LAYER=uni

accept_layer_setting() { return 1; }
clear_layer_settings() { :; }
check_layer() { :; }
start_layer() { :; }
start_uplink() { :; }
layer_facts() { :; }
answer_layer() { refuse "$2" "$1" unsupported; }
