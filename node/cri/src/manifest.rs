//! A static pod's manifest, read only as far as the names of its init containers. CRI does not tell them from the others,
//! and a pod of which only these run does not run yet.

use std::path::Path;

/// Folder of the static pods' manifests in the verified root, each called `NAME.yaml`.
const FOLDER: &str = "/etc/kubernetes/manifests";

/// The names of a pod's init containers; none where there is no such manifest.
pub fn init_containers_of(pod: &str) -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(FOLDER).join(format!("{pod}.yaml")));
    text.map(|text| init_containers(&text)).unwrap_or_default()
}

/// From JSON, or from YAML in block style: what the image's builder takes.
pub fn init_containers(text: &str) -> Vec<String> {
    if text.trim_start().starts_with('{') {
        let manifest: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let list = manifest["spec"]["initContainers"].as_array().cloned().unwrap_or_default();
        return list.iter().filter_map(|container| container["name"].as_str().map(str::to_owned)).collect();
    }
    let mut names = Vec::new();
    // Indent of the list's key, and of the keys of the item at hand.
    let mut list: Option<usize> = None;
    let mut item = None;
    let mut in_spec = false;
    for line in text.lines() {
        let line = line.split(" #").next().unwrap_or_default().trim_end();
        let mut bare = line.trim_start();
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        let mut indent = line.len() - bare.len();
        if indent == 0 {
            in_spec = bare == "spec:";
        }
        let Some(key) = list else {
            if in_spec && bare == "initContainers:" {
                (list, item) = (Some(indent), None);
            }
            continue;
        };
        let rest = bare.strip_prefix("- ").map(str::trim_start);
        if indent < key || (indent == key && rest.is_none()) {
            list = None;
            continue;
        }
        if let Some(rest) = rest
            && item.is_none_or(|item| indent < item)
        {
            indent += bare.len() - rest.len();
            (bare, item) = (rest, Some(indent));
        }
        if let Some(name) = bare.strip_prefix("name:").filter(|_| item == Some(indent)) {
            names.push(name.trim().trim_matches(['"', '\'']).to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::init_containers;
    use proptest::prelude::*;

    #[test]
    fn init_containers_are_found_in_both_styles_of_lists() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: hello # not this\nspec:\n  initContainers:\n  - name: first\n    \
            env:\n    - name: A\n      value: b\n  # a comment\n  - image: x\n    command:\n    - sh\n    - |\n      name: no\n    \
            name: \"second\"\n  containers:\n  - name: main\n";
        assert_eq!(init_containers(text), ["first", "second"]);
        let indented = "spec:\n  containers:\n    - name: main\n  initContainers:\n    -   image: y\n        name: only\n        \
            volumeMounts:\n          - name: v\n  volumes:\n    - name: v\n";
        assert_eq!(init_containers(indented), ["only"]);
        assert!(init_containers("spec:\n  containers:\n  - name: main\n").is_empty());
    }

    #[test]
    fn init_containers_are_found_in_json() {
        let text = r#"{"spec": {"initContainers": [{"name": "first"}, {}], "containers": [{"name": "main"}]}}"#;
        assert_eq!(init_containers(text), ["first"]);
        assert!(init_containers("{torn").is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(spec:|initContainers:|- | |\n|name: a|#|\\PC){0,40}") {
            let _ = init_containers(&text);
        }
    }
}
