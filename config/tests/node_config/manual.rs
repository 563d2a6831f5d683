//! `docs/node-config.md` says what the code does.

use super::{KUBELET_RANGES, NodeConfig, SYSCTLS, policy};

const MANUAL: &str = include_str!("../../../docs/node-config.md");

#[test]
fn its_example_is_sound() {
    let (_, rest) = MANUAL.split_once("```toml\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let config = NodeConfig::parse(example.as_bytes(), "example", &policy()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.hostname.as_deref(), Some("node-1"));
}

#[test]
fn it_lists_every_sysctl_and_every_setting_with_its_range() {
    for rule in SYSCTLS {
        assert!(MANUAL.contains(&format!("`{}`", rule.name)), "{}", rule.name);
    }
    for (key, least, most) in KUBELET_RANGES {
        let row =
            MANUAL.lines().find(|line| line.starts_with(&format!("| `{key}` |"))).unwrap_or_else(|| panic!("{key}"));
        assert!(row.contains(&format!("| {least}–{most}")), "{row}");
    }
}
