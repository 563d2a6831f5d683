//! The schemas say what the types take: the same keys, the values of enumerations, and no key that nobody described.
//! Another program's validator judges documents by them in `builder/tests/image/schema.rs`.

use std::collections::BTreeSet;

use orlop_config::definition::Definition;
use orlop_config::node_config::{KUBELET_RANGES, NodeConfig, SYSCTLS};
use orlop_config::schema;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The keys that serde says it knows when it meets one that it does not.
fn known_keys<T: DeserializeOwned>() -> BTreeSet<String> {
    let error = toml::from_str::<T>("no_such_key = 1").err().expect("unknown keys are refused").to_string();
    let (_, expected) = error.split_once("expected one of ").unwrap_or_else(|| panic!("{error}"));
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap_or_else(|| panic!("{value}")).keys().cloned().collect()
}

/// Calls `look` with each schema that describes a value, and the path that leads there.
fn each(schema: &Value, path: &str, look: &mut dyn FnMut(&str, &Value)) {
    look(path, schema);
    for table in ["properties", "$defs"] {
        for (key, inner) in schema[table].as_object().into_iter().flatten() {
            each(inner, &format!("{path}/{key}"), look);
        }
    }
    for (index, inner) in schema["oneOf"].as_array().into_iter().flatten().enumerate() {
        each(inner, &format!("{path}/{index}"), look);
    }
    for key in ["items", "additionalProperties"] {
        if schema[key].is_object() {
            each(&schema[key], &format!("{path}/{key}"), look);
        }
    }
}

fn both() -> [(&'static str, Value); 2] {
    [("definition", schema::definition()), ("node config", schema::node_config())]
}

#[test]
fn the_keys_are_those_that_the_types_take() {
    assert_eq!(keys(&schema::definition()["properties"]), known_keys::<Definition>());
    assert_eq!(keys(&schema::node_config()["properties"]), known_keys::<NodeConfig>());
}

#[test]
fn the_dialect_is_named() {
    for (name, schema) in both() {
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        assert_eq!(schema["type"], "object", "{name}");
    }
}

#[test]
fn no_table_takes_a_key_that_it_does_not_know() {
    for (name, schema) in both() {
        let mut tables = 0;
        each(&schema, name, &mut |path, schema| {
            if schema["properties"].is_object() {
                tables += 1;
                assert_eq!(schema["additionalProperties"], false, "{path}");
            }
        });
        assert!(tables > 10, "{name}: {tables}");
    }
}

#[test]
fn every_key_and_value_is_described_in_words_for_those_who_write_documents() {
    for (name, schema) in both() {
        each(&schema, name, &mut |path, schema| {
            for (key, property) in schema["properties"].as_object().into_iter().flatten() {
                // The one key of a kind of source is described where its kinds are.
                let described = property["description"].is_string() || schema["description"].is_string();
                assert!(described, "{path}: `{key}` is not described");
            }
            if schema["const"].is_string() {
                assert!(schema["description"].is_string(), "{path}: {} is not described", schema["const"]);
            }
            let text = schema["description"].as_str().unwrap_or_default();
            let lines = text.replace("\n\n", " ");
            assert!(!text.contains("[`") && !text.contains("crate::") && !lines.contains('\n'), "{path}: {text}");
        });
    }
}

#[test]
fn nothing_is_null() {
    for (name, schema) in both() {
        each(&schema, name, &mut |path, schema| {
            assert!(
                schema["type"] != "null" && !schema["type"].as_array().is_some_and(|all| all.contains(&json!("null")))
            );
            assert!(!schema.as_object().is_some_and(|map| map.get("default").is_some_and(Value::is_null)), "{path}");
        });
    }
}

/// The values of an enumeration's schema.
fn values(schema: &Value, name: &str) -> Vec<String> {
    let rows = schema["$defs"][name]["oneOf"].as_array().unwrap_or_else(|| panic!("{name}: {}", schema["$defs"][name]));
    rows.iter().map(|row| row["const"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn enumerations_list_their_values() {
    let definition = schema::definition();
    let expected: [(&str, &[&str]); 7] = [
        ("Refusal", &["reboot", "poweroff"]),
        ("SecureBoot", &["when-present", "required"]),
        ("Architecture", &["x86_64"]),
        ("GateSeverity", &["low", "medium", "high", "critical"]),
        ("OnDamage", &["refuse", "wipe"]),
        ("Provider", &["fw_cfg", "smbios", "nocloud", "esp", "ec2", "gce", "azure"]),
        ("Allowance", &["static-pods", "extra-cas", "registry-mirrors", "plain-http-mirrors"]),
    ];
    for (name, expected) in expected {
        assert_eq!(values(&definition, name), expected, "{name}");
    }
    let node_config = schema::node_config();
    assert_eq!(values(&node_config, "Effect"), ["NoSchedule", "PreferNoSchedule", "NoExecute"]);
    assert_eq!(values(&node_config, "Ipv4Method"), ["dhcp", "static", "off"]);
    assert_eq!(values(&node_config, "Ipv6Method"), ["auto", "static", "off"]);
}

#[test]
fn a_component_has_one_source_of_the_six() {
    let definition = schema::definition();
    let kinds = definition["$defs"]["Source"]["oneOf"].as_array().expect("kinds");
    let names: Vec<String> = kinds.iter().flat_map(|kind| keys(&kind["properties"])).collect();
    assert_eq!(names, ["deb", "go", "url", "workspace", "file", "oci"]);
    for kind in kinds {
        assert_eq!(
            (&kind["additionalProperties"], kind["required"].as_array().map(Vec::len)),
            (&json!(false), Some(1))
        );
    }
}

#[test]
fn what_is_required_is_required_of_a_definition_that_extends_none() {
    let schema = schema::definition();
    assert_eq!(schema["if"], json!({ "required": ["extends"] }));
    let whole = &schema["else"];
    let required = whole["required"].as_array().expect("keys");
    for key in ["name", "version", "architecture", "class", "kubernetes", "kernel", "components", "budgets"] {
        assert!(required.contains(&json!(key)), "{key}: {whole}");
    }
    let component = &whole["properties"]["components"]["additionalProperties"];
    assert_eq!(component["required"], json!(["source"]));
    assert_eq!(component["properties"]["source"]["properties"]["deb"]["required"], json!(["package"]));
    // And of one that does, nothing is.
    assert_eq!(schema["required"], Value::Null);
    for name in ["Kernel", "Modules", "Component", "DebSource", "Budgets", "PreloadImage", "NodeConfigTable"] {
        assert!(schema["$defs"][name].is_object(), "{name}");
        assert_eq!(schema["$defs"][name]["required"], Value::Null, "{name}");
    }
    assert_eq!(schema::node_config()["$defs"]["Cluster"]["required"], json!(["server", "ca"]));
}

#[test]
fn ranges_are_those_of_the_checks() {
    let schema = schema::node_config();
    let tables = [("kube_reserved", "KubeReserved"), ("system_reserved", "SystemReserved"), ("eviction", "Eviction")];
    for (key, least, most) in KUBELET_RANGES {
        let (table, key) = key.split_once('.').unwrap_or(("", key));
        let table = tables.iter().find(|(name, _)| *name == table).map_or("Kubelet", |(_, table)| *table);
        let number = &schema["$defs"][table]["properties"][key];
        assert_eq!((&number["minimum"], &number["maximum"]), (&json!(least), &json!(most)), "{table}.{key}");
    }
    let sysctls = &schema["properties"]["sysctls"];
    assert_eq!(keys(&sysctls["properties"]), SYSCTLS.iter().map(|rule| rule.name.to_owned()).collect::<BTreeSet<_>>());
    assert_eq!(sysctls["additionalProperties"], false);
    let blank = r"[ \t\n\f\r]";
    let numbers = format!("^{blank}*[1-9][0-9]*({blank}+[1-9][0-9]*){{2}}{blank}*$");
    assert_eq!(sysctls["properties"]["net.ipv4.tcp_rmem"]["pattern"], numbers);
    assert_eq!(sysctls["properties"]["vm.dirty_ratio"]["pattern"], format!("^{blank}*[1-9][0-9]*{blank}*$"));
    assert_eq!(schema["properties"]["version"]["const"], 1);
}
