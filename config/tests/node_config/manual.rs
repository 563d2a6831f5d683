//! `docs/node-config.md` says what the code does.

use orlop_config::node_config::Kubelet;

use super::{KUBELET_RANGES, LEAST, NodeConfig, SYSCTLS, parse, policy};

const MANUAL: &str = include_str!("../../../docs/node-config.md");

#[test]
fn its_example_is_sound() {
    let (_, rest) = MANUAL.split_once("```toml\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let config = NodeConfig::parse(example.as_bytes(), "example", &policy()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.hostname.as_deref(), Some("node-1"));
}

#[test]
fn its_interface_is_sound() {
    let (_, rest) = MANUAL.split_once("```toml\n[[network.interfaces]]\n").expect("an interface");
    let (interface, _) = rest.split_once("```").expect("its end");
    let config =
        parse(&format!("{LEAST}[[network.interfaces]]\n{interface}")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.network.interfaces[0].routes.len(), 1);
}

#[test]
fn its_mirror_is_sound() {
    let (_, rest) = MANUAL.split_once("```toml\n[registries.").expect("a mirror");
    let (mirror, _) = rest.split_once("```").expect("its end");
    let config = parse(&format!("{LEAST}[registries.{mirror}")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.registries["docker.io"].mirrors[0].url, "https://harbor.example/v2/hub");
}

/// What it says of a setting.
fn row(key: &str) -> &'static str {
    MANUAL.lines().find(|line| line.starts_with(&format!("| `{key}` |"))).unwrap_or_else(|| panic!("{key}"))
}

#[test]
fn it_lists_every_sysctl_and_every_setting_with_its_range() {
    for rule in SYSCTLS {
        assert!(MANUAL.contains(&format!("`{}`", rule.name)), "{}", rule.name);
    }
    for (key, least, most) in KUBELET_RANGES {
        let row = row(key);
        assert!(row.contains(&format!("| {least}–{most}")), "{row}");
    }
}

#[test]
fn its_defaults_are_those_of_a_document_without_settings() {
    for (key, ..) in KUBELET_RANGES {
        let told = row(key).split('|').nth(2).map(str::trim).unwrap_or_default();
        // One at a time: a setting that is told as it is anyhow changes nothing.
        let text = format!("{LEAST}\n[kubelet]\n{key} = {told}\n");
        let config = parse(&text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.kubelet, Kubelet::default(), "{key}");
    }
}
