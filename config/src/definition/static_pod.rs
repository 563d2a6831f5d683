//! A static pod's manifest, looked at only as far as its name: the boot report waits for pods by name, and would
//! wait in vain for one that calls itself something else.

use crate::text::{Mistake, shown};

/// Checks that a manifest (YAML in block style, or JSON) is one pod with the name that the definition gives it.
pub fn check_static_pod(pod: &str, file: &str, text: &str) -> Result<(), Mistake> {
    let mistake = |line: usize, message: String, next: &str| {
        Err(Mistake { file: file.into(), line, column: 1, key: None, message, next: Some(next.into()) })
    };
    let next = "kubelet wants one object a file, in block style, with `metadata.name` in a line of its own";
    match names(text).as_slice() {
        [] => mistake(1, format!("no `metadata.name` was found for the static pod `{}`", shown(pod)), next),
        [(_, name)] if name == pod => Ok(()),
        [(line, name)] => {
            let next = "name both the same: the boot report waits for the pod by this name";
            let (name, pod) = (shown(name), shown(pod));
            mistake(*line, format!("the pod is called `{name}`, and the definition calls it `{pod}`"), next)
        }
        [_, (line, _), ..] => mistake(*line, "a second object begins in this file".into(), next),
    }
}

/// Every `metadata.name`, with its line.
fn names(text: &str) -> Vec<(usize, String)> {
    if text.trim_start().starts_with('{') {
        let value: Option<serde_json::Value> = serde_json::from_str(text).ok();
        let name = value.as_ref().and_then(|value| value["metadata"]["name"].as_str());
        return name.map(|name| (1, name.to_string())).into_iter().collect();
    }
    let mut names = Vec::new();
    let mut child_indent = None;
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        let bare = line.split(" #").next().unwrap_or_default().trim_end();
        let indent = bare.len() - bare.trim_start().len();
        if bare.trim_start().is_empty() || bare.trim_start().starts_with('#') {
            continue;
        }
        if indent == 0 {
            (inside, child_indent) = (bare == "metadata:", None);
            continue;
        }
        // Deeper than the first child is a label or an annotation that happens to be called `name`.
        let first = *child_indent.get_or_insert(indent);
        if let Some(value) = bare.trim_start().strip_prefix("name:").filter(|_| inside && indent == first) {
            names.push((index + 1, value.trim().trim_matches(['"', '\'']).to_string()));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::check_static_pod;

    #[test]
    fn the_names_must_agree() {
        let hello = include_str!("../../../images/pods/hello.yaml");
        assert_eq!(check_static_pod("hello", "hello.yaml", hello), Ok(()));
        assert_eq!(check_static_pod("hello", "hello.json", "{\"metadata\": {\"name\": \"hello\"}}"), Ok(()));
        let error = check_static_pod("hullo", "hello.yaml", hello).expect_err("another name").to_string();
        assert!(
            error.starts_with("hello.yaml:5:1: the pod is called `hello`, and the definition calls it `hullo`"),
            "{error}"
        );
    }

    #[test]
    fn no_name_or_two_are_refused() {
        let labelled = "kind: Pod\nmetadata:\n  labels:\n    name: web\n  # name: x\nspec:\n  name: y\n";
        for text in ["", "{", "[]", "metadata: {name: web}", labelled] {
            let error = check_static_pod("web", "web.yaml", text).expect_err(text).to_string();
            assert!(error.contains("no `metadata.name` was found"), "{error}");
        }
        let two = "metadata:\n  name: web\n---\nmetadata:\n  name: web\n";
        let error = check_static_pod("web", "web.yaml", two).expect_err("two").to_string();
        assert!(error.starts_with("web.yaml:5:1: a second object"), "{error}");
    }
}
