//! The pods' network of a node without a cluster: one bridge, addresses from a list.

use serde_json::json;

use super::POD_NETWORK;

/// The network's configuration list. For `ipMasq` the plugin would run `iptables` or `nft`, and the node has neither. Leases
/// lie in `/run`: they end with the boot, as the pods' sandboxes do, and a power cut leaves none behind.
pub fn cni() -> String {
    let bridge = json!({
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": true,
        "ipMasq": false,
        "ipam": {
            "type": "host-local",
            "dataDir": "/run/cni/networks",
            "ranges": [[{ "subnet": POD_NETWORK }]],
            "routes": [{ "dst": "0.0.0.0/0" }],
        },
    });
    let list = json!({ "cniVersion": "1.0.0", "name": "orlop", "plugins": [bridge] });
    format!("{list:#}\n")
}
