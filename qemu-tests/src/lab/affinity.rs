//! Which nodes a DaemonSet of the lab leaves out.

use serde_json::{Value, json};

/// A pod's affinity to all nodes but those with this label, whatever its value.
pub(super) fn but_for_nodes_with(label: &str) -> Value {
    let without = json!({"key": label, "operator": "DoesNotExist"});
    let nodes = json!({"nodeSelectorTerms": [{"matchExpressions": [without]}]});
    json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": nodes}})
}
