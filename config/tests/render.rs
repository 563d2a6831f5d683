//! What is rendered into the root.

mod shipped;

use std::collections::BTreeSet;

use orlop_config::definition::Definition;
use orlop_config::node::{Allowance, Provider};
use orlop_config::render;
use shipped::{NODE, STANDALONE, resolve};

fn standalone() -> Definition {
    resolve(STANDALONE).expect("shipped").definition
}

#[test]
fn the_command_line_ends_what_the_kernel_reads() {
    let line = render::command_line(&standalone());
    assert!(line.starts_with("console=tty0 console=ttyS0,115200 gpt "), "{line}");
    assert!(line.ends_with(" ipe.enforce=1 --"), "{line}");
    assert_eq!(line.matches(" --").count(), 1);
}

#[test]
fn containerd_gets_toml_that_names_what_the_root_carries() {
    let config: toml::Table = render::containerd().parse().expect("TOML");
    let plugins = &config["plugins"];
    let sandbox = &plugins["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"];
    assert!(standalone().preload.contains_key(sandbox.as_str().expect("a reference")));
    let runtime = &plugins["io.containerd.cri.v1.runtime"];
    let runc = runtime["containerd"]["runtimes"]["runc"]["options"]["BinaryName"].as_str().expect("a path");
    assert!(standalone().components["runc"].install.contains_key(runc));
    assert_eq!(plugins["io.containerd.nri.v1.nri"]["disable"].as_bool(), Some(true));
    // An image verifier without a folder lets every image pass: none is configured until one exists.
    assert!(plugins.get("io.containerd.image-verifier.v1.bindir").is_none());
}

#[test]
fn the_pods_network_is_json_and_runs_no_program_but_ours() {
    let list: serde_json::Value = serde_json::from_str(&render::cni()).expect("JSON");
    let bridge = &list["plugins"][0];
    for kind in [&bridge["type"], &bridge["ipam"]["type"]] {
        let program = format!("/usr/libexec/cni/{}", kind.as_str().expect("a name"));
        assert!(standalone().components["cni"].install.contains_key(&program), "{program}");
    }
    assert_eq!(bridge["ipMasq"], false, "masquerading would run iptables");
}

#[test]
fn sysctls_are_named_once_and_hold_what_kubelet_demands() {
    let sysctls = render::sysctls(&standalone());
    let names: BTreeSet<&String> = sysctls.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), sysctls.len());
    for demanded in ["vm.overcommit_memory=1", "vm.panic_on_oom=0", "kernel.panic=10", "kernel.panic_on_oops=1"] {
        assert!(sysctls.iter().any(|(name, value)| format!("{name}={value}") == demanded), "{demanded}");
    }
    // One way, and too early: PID 1 sets it after the module waves.
    assert!(!names.contains(&"kernel.modules_disabled".to_string()));
    let apparmor = "kernel.apparmor_restrict_unprivileged_unconfined";
    assert!(names.iter().any(|name| *name == apparmor));
    let without = NODE.replace("lsm=landlock,lockdown,yama,integrity,apparmor,bpf,ipe", "lsm=landlock,lockdown");
    let without = render::sysctls(&resolve(&without).expect("sound").definition);
    assert!(without.iter().all(|(name, _)| name != apparmor), "the switch exists only where AppArmor runs");
}

#[test]
fn what_the_kernel_starts_by_itself_is_nothing() {
    let sysctls = render::sysctls(&standalone());
    for (name, value) in [
        ("kernel.modprobe", ""),
        ("kernel.core_pattern", "core"),
        ("kernel.usermodehelper.bset", "0 0"),
        ("kernel.usermodehelper.inheritable", "0 0"),
    ] {
        assert!(sysctls.contains(&(name.to_owned(), value.to_owned())), "{name}");
    }
}

#[test]
fn the_class_says_who_may_use_io_uring() {
    for (class, want) in [("public", "1"), ("internal", "1"), ("restricted", "2")] {
        let definition = Definition { class: class.into(), ..standalone() };
        let name = "kernel.io_uring_disabled";
        let found: Vec<_> = render::sysctls(&definition).into_iter().filter(|(found, _)| found == name).collect();
        assert_eq!(found, [(name.to_owned(), want.to_owned())], "{class}");
    }
}

#[test]
fn node_settings_name_programs_and_files_that_are_in_the_root() {
    let definition = standalone();
    let settings = render::node_settings(&definition);
    for command in [&settings.containerd, &settings.kubelet] {
        assert!(
            definition.components.values().any(|component| component.install.contains_key(&command[0])),
            "{command:?}"
        );
    }
    let text = serde_json::to_vec(&settings).expect("settings have JSON");
    assert_eq!(serde_json::from_slice::<orlop_config::node::NodeSettings>(&text).ok(), Some(settings));
}

#[test]
fn only_an_image_that_takes_a_node_config_says_so() {
    let text = serde_json::to_string(&render::node_settings(&standalone())).expect("settings have JSON");
    assert!(!text.contains("node_config"), "{text}");
    let table = "extends = \"orlop:node\"\nclass = \"internal\"\n[node_config]\nproviders = [\"ec2\", \"esp\"]\n\
                 allow = [\"extra-cas\"]\n[static_pods]\nweb = \"web.yaml\"";
    let settings = render::node_settings(&resolve(table).expect("sound").definition);
    let policy = settings.node_config.expect("a policy");
    assert_eq!(policy.providers, [Provider::Ec2, Provider::Esp]);
    assert!(policy.allows(Allowance::ExtraCas) && !policy.allows(Allowance::StaticPods));
    assert_eq!((policy.class.as_str(), &policy.static_pods[..]), ("internal", &["web".to_owned()][..]));
}

#[test]
fn kubelet_is_told_of_the_programs_that_give_it_credentials() {
    let text = "extends = \"orlop:node\"\n[node_config]\nproviders = [\"ec2\"]\n[kubelet.credential_providers.mine]\n\
                program = \"/usr/bin/runc\"\nmatch_images = [\"*.registry.example\"]\nargs = [\"get\"]\nenv = { A = \"b\" }\n\
                cache_seconds = 0\n[components.app]\nsource.oci.reference = \"a.example/app\"\n\
                [preload.\"a.example/app:1\"]\ncomponent = \"app\"";
    let definition = resolve(text).expect("sound").definition;
    let document = render::credential_providers(&definition).expect("a document");
    let document: serde_json::Value = serde_json::from_str(&document).expect("JSON");
    let want = serde_json::json!({
        "apiVersion": "kubelet.config.k8s.io/v1",
        "kind": "CredentialProviderConfig",
        "providers": [{
            "name": "mine",
            "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
            "matchImages": ["*.registry.example"],
            "defaultCacheDuration": "0s",
            "args": ["get"],
            "env": [{"name": "A", "value": "b"}],
        }],
    });
    assert_eq!(document, want);
    let settings = render::node_settings(&definition);
    let arguments = settings.kubelet.join(" ");
    assert!(
        arguments.contains(&format!("--image-credential-provider-config={}", orlop_config::node::CREDENTIAL_PROVIDERS))
    );
    assert!(
        arguments.contains(&format!("--image-credential-provider-bin-dir={}", orlop_config::node::CREDENTIAL_PROGRAMS))
    );
    assert_eq!(settings.node_config.expect("a policy").preload, ["a.example/app"]);

    assert_eq!(render::credential_providers(&standalone()), None);
    assert!(!render::node_settings(&standalone()).kubelet.join(" ").contains("credential"));
}

#[test]
fn os_release_says_which_image_it_is() {
    let text = render::os_release(&standalone());
    for line in ["ID=orlop", "IMAGE_ID=\"standalone\"", "IMAGE_VERSION=\"0.1.0\""] {
        assert!(text.lines().any(|other| other == line), "{text}");
    }
}

#[test]
fn accounts_name_root_and_no_shell() {
    assert_eq!(render::passwd().lines().count(), 1, "a user named kubelet would make kubelet look for getsubids");
    assert!(!render::passwd().contains("/sh"));
    assert!(render::group().starts_with("root:x:0:"));
}
