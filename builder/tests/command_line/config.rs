//! Node configs, checked and rendered before they are shipped.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::support::{Desk, Outcome, names, orlop, run, workspace};

/// An image that takes a node config and allows mirrors.
const DEFINITION: &str = "extends = \"orlop:node\"\nname = \"edge\"\nclass = \"restricted\"\n\
                          [node_config]\nproviders = [\"fw_cfg\"]\nallow = [\"registry-mirrors\"]\n";

fn shipped(name: &str) -> String {
    fs::read_to_string(workspace().join("config/tests/node_config").join(name)).unwrap()
}

fn command(verb: &str, file: &Path) -> Command {
    let mut command = orlop();
    command.args(["config", verb]).arg(file);
    command
}

/// Runs a verb over a document, and an image's definition.
fn against(verb: &str, file: &Path, definition: &Path) -> Outcome {
    run(command(verb, file).arg("--definition").arg(definition))
}

fn full(desk: &Desk) -> PathBuf {
    desk.file("node.toml", shipped("full.toml"))
}

#[test]
fn a_sound_document_is_called_so() {
    let desk = Desk::new();
    let file = full(&desk);
    assert!(run(&mut command("check", &file)).done().contains("node.toml: sound; name the image's definition"));
    let json = run(command("check", &file).arg("--json")).json();
    assert_eq!(json, json!({ "file": file, "definition": null, "mistakes": [] }));
    let least = desk.file("least.toml", shipped("least.toml"));
    let definition = desk.file("edge.toml", DEFINITION);
    assert!(against("check", &least, &definition).done().contains("edge.toml takes it"));
}

#[test]
fn what_the_image_does_not_take_is_named_with_its_place() {
    let desk = Desk::new();
    let (file, definition) = (full(&desk), desk.file("edge.toml", DEFINITION));
    for verb in ["check", "render"] {
        let says = [
            "node.toml:2:9: class: `public` is asked for, and this image is of class `restricted`",
            "this image takes no static-pods from its node config; leave it out, or build an image with",
            "this image takes no extra-cas",
            "this image takes no plain-http-mirrors",
        ];
        let outcome = against(verb, &file, &definition);
        outcome.fails(2, &says);
        assert!(!outcome.stderr.contains("takes no registry-mirrors"), "{}", outcome.stderr);
    }
    let none = desk.file("none.toml", "extends = \"orlop:node\"\nname = \"none\"\n");
    against("check", &file, &none).fails(2, &["none.toml: its image takes no node config", "[node_config]"]);
    against("check", &file, &desk.path("nothing.toml")).fails(2, &["nothing.toml", "No such file"]);
}

#[test]
fn what_is_no_document_is_refused() {
    let desk = Desk::new();
    let least = shipped("least.toml");
    for (what, content, says) in [
        (
            "a misspelt key",
            least.replace("token", "tokken"),
            "node.toml:5:1: cluster: unknown key `tokken`; did you mean `token`?",
        ),
        ("a newer version", "version = 7\nnews = 1\n".into(), "node.toml:1:11: version: 7 is newer than this program"),
        ("too much", "#".repeat(70_000), "node.toml:1:65537: the document has 65537 bytes, and 65536 are the most"),
        ("nothing", String::new(), "node.toml:1:1: missing key `version`"),
    ] {
        let file = desk.file("node.toml", content);
        println!("{what}");
        run(&mut command("check", &file)).fails(2, &[says]);
        run(&mut command("render", &file)).fails(2, &[says]);
    }
    let bytes = desk.file("bytes.toml", b"version = 1\n\xff");
    run(&mut command("check", &bytes)).fails(2, &["bytes.toml:2:1: the document is not UTF-8 text"]);
    run(&mut command("check", &desk.path("missing.toml")))
        .fails(2, &["missing.toml: No such file", "name a node config"]);
    run(&mut command("check", &desk.path("keys"))).fails(2, &["keys: Is a directory"]);
    run(orlop().args(["config", "chek", "x"])).fails(2, &["check"]);
}

#[test]
fn a_document_without_a_right_to_join_is_for_machines_that_joined() {
    let desk = Desk::new();
    let bare = shipped("least.toml").replace("token = \"abcdef.0123456789abcdef\"\n", "");
    let file = desk.file("node.toml", bare);
    run(&mut command("check", &file)).fails(2, &["nothing gives the node the right to join", "give `token`"]);
    assert!(run(command("check", &file).arg("--joined")).done().contains("sound"));
    let rendered = run(command("render", &file).arg("--joined"));
    assert!(rendered.done().contains("client-key: /var/lib/kubelet/pki/kubelet-client-current.pem"));
}

#[test]
fn mistakes_are_a_document_too() {
    let desk = Desk::new();
    let file = desk.file("node.toml", shipped("least.toml").replace("https:", "http:"));
    let outcome = run(command("check", &file).arg("--json"));
    assert_eq!(outcome.status, Some(2), "{}", outcome.stderr);
    let document: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let mistake = &document["mistakes"][0];
    assert_eq!((&mistake["line"], &mistake["column"]), (&json!(4), &json!(10)));
    assert_eq!(mistake["key"], "cluster.server");
    for key in ["key", "message", "next"] {
        assert!(outcome.stderr.contains(mistake[key].as_str().unwrap()), "{document}\n{}", outcome.stderr);
    }
}

#[test]
fn what_the_programs_get_is_printed_without_its_secrets() {
    let desk = Desk::new();
    let file = full(&desk);
    let shown = run(&mut command("render", &file));
    for part in [
        "# /etc/kubernetes/kubelet.yaml 0600\n",
        "clusterDomain: \"cluster.example\"\n",
        "# /etc/containerd/certs.d/docker.io/hosts.toml 0600\n",
        "\n--node-ip=192.0.2.10,2001:db8::10\n",
        "\nHTTPS_PROXY=http://********@proxy.example.org:3128\n",
        "\nnet.core.somaxconn=8192\n",
        "\n# firewall\ninput: ct state established,related accept\n",
        "\ninput: tcp dport 10250 jump cluster\n",
        "\ncluster: ip6 saddr 2001:db8::/32 accept\n",
    ] {
        assert!(shown.done().contains(part), "{part}\nis not in\n{}", shown.stdout);
    }
    let help = run(orlop().args(["config", "render", "--help"]));
    assert!(help.done().contains("manifests"), "what is not masked is said: {}", help.stdout);
    let header = "Basic cmVhZGVyOmh1bnRlcjI=";
    for secret in ["hunter", header] {
        assert!(!shown.stdout.contains(secret), "{}", shown.stdout);
    }
    let json = run(command("render", &file).args(["--json", "--show-secrets"])).json();
    let of = |path: &str| json["files"].as_array().unwrap().iter().find(|file| file["path"] == path).cloned().unwrap();
    let hub = of("/etc/containerd/certs.d/docker.io/hosts.toml");
    assert!(hub["mode"] == "0600" && hub["text"].as_str().unwrap().contains(header), "{hub}");
    assert_eq!(json["hostname"], "node-1.example");
    let least = desk.file("least.toml", shipped("least.toml"));
    let opens = format!("{DEFINITION}[node_config.firewall]\nopen = [\"tcp/443\"]\npods_reach_metadata = true\n");
    let json =
        run(command("render", &least).arg("--definition").arg(desk.file("opens.toml", opens)).arg("--json")).json();
    let rules: Vec<&str> = json["firewall"].as_array().unwrap().iter().map(|rule| rule.as_str().unwrap()).collect();
    assert!(rules.contains(&"input: tcp dport 443 accept") && !rules.iter().any(|rule| rule.contains("169.254")));
    assert!(!run(&mut command("render", &least)).done().contains("0123456789abcdef"));
    assert!(run(command("render", &least).arg("--show-secrets")).done().contains("abcdef.0123456789abcdef"));
}

#[test]
fn the_files_are_written_as_they_lie_on_the_node() {
    let desk = Desk::new();
    let out = desk.path("rendered");
    let shown = run(command("render", &full(&desk)).arg("--out").arg(&out));
    assert!(shown.done().contains("rendered/etc/kubernetes/kubelet.yaml\n"), "{}", shown.stdout);
    assert!(!shown.stdout.contains("clusterDomain"), "{}", shown.stdout);
    assert_eq!(names(&out.join("etc/kubernetes")), ["bootstrap-kubelet.conf", "kubelet.yaml", "manifests", "pki"]);
    for (path, mode) in [("etc/kubernetes/bootstrap-kubelet.conf", 0o600), ("etc/kubernetes/pki/ca.crt", 0o644)] {
        assert_eq!(fs::metadata(out.join(path)).unwrap().permissions().mode() & 0o7777, mode, "{path}");
    }
    let blocked = desk.file("blocked", "");
    let outcome = run(command("render", &full(&desk)).arg("--out").arg(&blocked));
    outcome.fails(1, &["blocked/run/etc: cannot be made"]);
}
