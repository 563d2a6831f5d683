//! Definitions: the shipped ones hold, others are laid over them, and each mistake is named where it stands.

mod shipped;

use orlop_config::Text;
use orlop_config::definition::{ConfigError, GateSeverity, Gates, Source, load, parse};
use proptest::prelude::*;
use shipped::{CLUSTER, NODE, STANDALONE, resolve, shipped};

/// The error's text for a definition laid over `orlop:node`.
fn error_over_node(text: &str) -> String {
    let text = format!("extends = \"orlop:node\"\n{text}");
    resolve(&text).expect_err("the definition is wrong").to_string()
}

/// The error's text for the shipped node with one piece replaced.
fn error_of_changed_node(from: &str, to: &str) -> String {
    assert!(NODE.contains(from), "the shipped node has no {from}");
    resolve(&NODE.replacen(from, to, 1)).expect_err("the definition is wrong").to_string()
}

#[test]
fn shipped_definitions_hold() {
    for (name, text) in [("cluster", CLUSTER), ("node", NODE), ("standalone", STANDALONE)] {
        let resolved = load(Text::new(name, text), &mut shipped).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(resolved.definition.name, name);
        assert_eq!(resolved.definition.problems(), []);
        assert_eq!(resolved.definition.extends, None);
    }
}

/// Whoever may give a node config decides which cluster a machine belongs to.
#[test]
fn the_shipped_cluster_image_believes_one_provider_and_no_disk() {
    let policy = resolve(CLUSTER).expect("shipped").definition.node_config.expect("a cluster's image");
    assert_eq!(policy.providers.len(), 1, "{:?}", policy.providers);
    assert!(!policy.providers.iter().any(|one| matches!(one.name(), "esp" | "nocloud")), "{:?}", policy.providers);
}

#[test]
fn standalone_is_the_node_and_a_pod() {
    let node = resolve(NODE).expect("shipped").definition;
    let standalone = resolve(STANDALONE).expect("shipped").definition;
    assert_eq!(standalone.kernel, node.kernel);
    assert_eq!(standalone.components.len(), node.components.len() + 1);
    assert_eq!(standalone.preload.keys().collect::<Vec<_>>(), ["localhost/hello:1", "localhost/pause:1"]);
    assert_eq!(standalone.static_pods.keys().collect::<Vec<_>>(), ["hello"]);
}

#[test]
fn tables_merge_and_lists_replace() {
    let text = "extends = \"orlop:node\"\nname = \"mine\"\n[kernel]\ncommand_line = [\"gpt\", \"panic=5\"]\n\
                [budgets]\nfiles = 300";
    let mine = resolve(text).expect("sound").definition;
    let node = resolve(NODE).expect("shipped").definition;
    assert_eq!(mine.name, "mine");
    assert_eq!(mine.version, node.version);
    assert_eq!(mine.kernel.command_line, ["gpt", "panic=5"]);
    assert_eq!(mine.kernel.modules, node.kernel.modules);
    assert_eq!((mine.budgets.files, mine.budgets.root_bytes), (300, node.budgets.root_bytes));
}

#[test]
fn gates_have_defaults_that_are_not_written_and_name_their_file() {
    let node = resolve(NODE).expect("shipped").definition;
    assert_eq!(node.gates, Gates::default());
    assert!(node.gates.severities.contains(&GateSeverity::Critical));
    // What the digest of a definition is made of stays as it was.
    assert!(!toml::to_string(&node).expect("written").contains("[gates]"));
    let text = "extends = \"orlop:node\"\n[gates]\nseverities = []\nexceptions = [\"vex.json\"]";
    let mine = resolve(text).expect("sound");
    assert_eq!((mine.definition.gates.severities.len(), mine.definition.gates.max_database_age_days), (0, 30));
    assert_eq!(mine.file_of_exceptions(), mine.files[0]);
    for (table, says) in [
        ("severities = [\"unknown\"]", "unknown value `unknown`"),
        ("severities = [\"low\", \"low\"]", "`low` stands there twice"),
        ("exceptions = [\"a\", \"a\"]", "`a` stands there twice"),
        ("max_database_age_days = 4000", "a database of 4000 days"),
        ("fixable = true", "unknown key `fixable`"),
    ] {
        let error = error_over_node(&format!("[gates]\n{table}"));
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_source_of_another_kind_replaces_and_one_of_the_same_kind_merges() {
    let text = "extends = \"orlop:node\"\n[components.runc.source.file]\npath = \"runc\"\n\
                [components.cni.source.go]\nversion = \"1.9.1\"";
    let mine = resolve(text).expect("sound").definition;
    assert!(matches!(&mine.components["runc"].source, Source::File(file) if file.path == "runc"));
    let Source::Go(cni) = &mine.components["cni"].source else { panic!("still built from source") };
    assert_eq!((cni.version.as_deref(), cni.commands.len()), (Some("1.9.1"), 2));
}

#[test]
fn a_file_is_relative_to_the_definition_that_names_it() {
    let base = "extends = \"orlop:node\"\n[components.tool]\nallow = [\"/usr/bin/tool\"]\nsource.file.path = \"tool\"\n\
                install = { \"/usr/bin/tool\" = \"tool\" }\n[static_pods]\nlog = \"log.yaml\"";
    let top = "extends = \"../base/base.toml\"\nname = \"top\"\n[static_pods]\nweb = \"web.yaml\"\n\
               [components.tool.source.file]\nversion = \"2\"";
    let mut read = |value: &str, from: &str| match value {
        "../base/base.toml" => Ok(Text::new("base/base.toml", base)),
        other => shipped(other, from),
    };
    let resolved = load(Text::new("top/top.toml", top), &mut read).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(resolved.files, ["top/top.toml", "base/base.toml", "orlop:node"]);
    assert_eq!(resolved.file_of_component("tool"), Some("base/base.toml"));
    assert_eq!(resolved.file_of_component("runc"), Some("orlop:node"));
    assert_eq!(resolved.file_of_component("nothing"), None);
    assert_eq!(resolved.file_of_static_pod("web"), Some("top/top.toml"));
    assert_eq!(resolved.file_of_static_pod("log"), Some("base/base.toml"));
}

#[test]
fn a_circle_names_its_members() {
    let mut read = |value: &str, _: &str| {
        let next = if value == "b.toml" { "a.toml" } else { "b.toml" };
        Ok(Text::new(value, format!("name = \"x\"\nextends = \"{next}\"")))
    };
    let error = load(Text::new("top.toml", "extends = \"a.toml\""), &mut read).expect_err("a circle");
    assert_eq!(error.to_string(), "b.toml:2:11: `extends` goes in a circle: a.toml → b.toml → a.toml");
    let mut itself = |value: &str, _: &str| Ok(Text::new(value, "extends = \"a.toml\""));
    let error = load(Text::new("a.toml", "extends = \"a.toml\""), &mut itself).expect_err("a circle");
    assert_eq!(error.to_string(), "a.toml:1:11: `extends` goes in a circle: a.toml → a.toml");
}

#[test]
fn a_circle_by_way_of_another_folder_is_seen() {
    let x = "extends = \"../b/y.toml\"";
    let mut read = |value: &str, from: &str| {
        let text = if value.ends_with("x.toml") { x } else { "extends = \"../a/x.toml\"" };
        let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
        Ok(Text::new(format!("{folder}/{value}"), text))
    };
    let error = load(Text::new("a/x.toml", x), &mut read).expect_err("a circle");
    assert!(error.to_string().ends_with("circle: a/x.toml → a/../b/y.toml → a/../b/../a/x.toml"), "{error}");
}

#[test]
fn an_endless_chain_ends() {
    let mut count = 0;
    let mut read = |_: &str, _: &str| {
        count += 1;
        Ok(Text::new(format!("{count}.toml"), "extends = \"next\""))
    };
    let error = load(Text::new("0.toml", "extends = \"next\""), &mut read).expect_err("endless");
    assert!(matches!(error, ConfigError::Base { .. }), "{error}");
}

#[test]
fn a_base_that_cannot_be_read_says_who_wants_it() {
    let error = resolve("name = \"x\"\nextends = \"orlop:nod\"").expect_err("no such definition");
    assert_eq!(error.to_string(), "my/image.toml:2:11: `extends = \"orlop:nod\"` cannot be read");
    let source = std::error::Error::source(&error).expect("a reason").to_string();
    assert_eq!(source, "my/image.toml wants orlop:nod, and there is no such file");
}

#[test]
fn misspelt_keys_are_named_with_the_nearest_right_one() {
    for (text, expected) in [
        ("nmae = \"x\"", "my/image.toml:2:1: unknown key `nmae`; did you mean `name`?"),
        ("[budgets]\nfils = 3", "my/image.toml:3:1: unknown key `fils`; did you mean `files`?"),
        (
            "[budgets]\nlisteners = 3\nprocess = 3",
            "my/image.toml:4:1: unknown key `process`; did you mean `processes`?",
        ),
        ("[kernel.modules]\nalwys = []", "my/image.toml:3:1: unknown key `alwys`; did you mean `always`?"),
        ("[components.runc]\nalow = []", "my/image.toml:3:1: unknown key `alow`; did you mean `allow`?"),
        ("[components.runc.source.go]\n  tag = []", "my/image.toml:3:3: unknown key `tag`; did you mean `tags`?"),
        ("[components.x.source.dbe]\npackage = \"p\"", "my/image.toml:2:22: unknown value `dbe`; did you mean `deb`?"),
        ("[state]\non_damage = \"refuze\"", "my/image.toml:3:13: unknown value `refuze`; did you mean `refuse`?"),
        (
            "[node_config]\nproviders = [\"fw-cfg\"]",
            "my/image.toml:3:14: unknown value `fw-cfg`; did you mean `fw_cfg`?",
        ),
        (
            "[node_config]\nproviders = [\"esp\"]\nallow = [\"extra-ca\"]",
            "my/image.toml:4:10: unknown value `extra-ca`; did you mean `extra-cas`?",
        ),
        ("[partitions]\nstate = 3", "my/image.toml:3:1: unknown key `state`; known here: esp_mib, root_mib, state_mib"),
    ] {
        assert_eq!(error_over_node(text), expected);
    }
}

#[test]
fn a_mistake_in_the_base_is_shown_in_the_base() {
    let mut read = |_: &str, _: &str| Ok(Text::new("base.toml", "# ä\nversion = 3"));
    let error = load(Text::new("top.toml", "extends = \"base\"\nname = \"x\""), &mut read).expect_err("wrong type");
    assert_eq!(error.to_string(), "base.toml:2:11: invalid type: integer `3`, expected a string (the value is `3`)");
}

#[test]
fn wrong_types_and_missing_keys_are_named() {
    for (text, expected) in [
        ("name = 5", "my/image.toml:2:8: invalid type: integer `5`, expected a string (the value is `5`)"),
        (
            "[budgets]\nfiles = \"many\"",
            "my/image.toml:3:9: invalid type: string \"many\", expected u64 (the value is `\"many\"`)",
        ),
        ("[budgets]\nfiles = -1", "my/image.toml:3:9: invalid value: integer `-1`, expected u64 (the value is `-1`)"),
        ("kernel = 3", "my/image.toml:2:10: invalid type: integer `3`, expected struct Kernel (the value is `3`)"),
        ("[components.x]\nallow = []", "my/image.toml:2:1: missing key `source` in `components.x`"),
        ("[components.x.source.deb]\nsuite = \"sid\"", "my/image.toml:2:1: missing key `package`"),
        (
            "extends = [\"a\"]",
            "my/image.toml:2:1: `extends` is defined twice in one file; keep one of the two, or rename one",
        ),
    ] {
        let error = error_over_node(text);
        assert!(error.starts_with(expected.split(" in `").next().unwrap_or("")), "{error}\nis not\n{expected}");
    }
    let error = resolve("extends = [\"a\", \"b\"]").expect_err("one definition only").to_string();
    assert!(error.starts_with("my/image.toml:1:11: `extends` is a array, not a string"), "{error}");
    assert!(resolve("name = \"x\"").expect_err("nearly empty").to_string().contains("missing key `version`"));
}

#[test]
fn a_component_twice_is_named() {
    let error = error_over_node("[components.x.source.file]\npath = \"a\"\n[components.x.source.file]\npath = \"b\"");
    assert_eq!(
        error,
        "my/image.toml:4:22: `[components.x.source.file]` is defined twice in one file (first in line 2); keep one of the two, or rename one"
    );
}

#[test]
fn text_that_is_no_toml_is_refused_with_its_place() {
    let error = error_over_node("name = \"x");
    assert!(error.starts_with("my/image.toml:2:"), "{error}");
    let error = error_over_node("name = x");
    assert!(error.starts_with("my/image.toml:2:8: not TOML"), "{error}");
}

#[test]
fn every_rule_has_its_error() {
    for (from, to, place, expected) in [
        ("name = \"node\"", "name = \"No de\"", "4:8", "`No de` is not an image name"),
        ("name = \"node\"", "name = \"\"", "4:8", "`` is not an image name"),
        ("class = \"public\"", "class = \"TOP\"", "7:9", "`TOP` is not a class"),
        ("version = \"0.1.0\"", "version = \"v1/2\"", "5:11", "`v1/2` is not a version"),
        ("kubernetes = \"1.37\"", "kubernetes = \"1\"", "8:14", "`1` is not a version of Kubernetes"),
        ("stub = \"stub\"", "stub = \"stab\"", "10:8", "there is no component `stab`; did you mean `stub`?"),
        ("\"debugfs=off\"", "\"debugfs=off -- init=/x\"", "", "cannot be an argument of the kernel"),
        ("\"debugfs=off\"", "\"--\"", "", "`--` cannot be an argument of the kernel"),
        ("\"debugfs=off\"", "'a=\"b\"'", "", "cannot be an argument of the kernel"),
        ("\"debugfs=off\"", "\"rdinit=/x\"", "", "`rdinit=/x` would start or mount something"),
        ("  \"gpt\",\n", "", "", "`gpt` is missing"),
        ("  \"panic=10\",\n", "", "", "`panic=SECONDS` is missing"),
        ("\"panic=10\"", "\"panic=0\"", "", "`panic=SECONDS` is missing"),
        ("\"overlay\"", "\"virtio-blk.ko\"", "", "`virtio-blk.ko` is not the name of a kernel module"),
        ("\"overlay\"", "\"overlay\", \"erofs\"", "", "module `erofs` is in `boot` already"),
        (", \"efivarfs\"]", "]", "", "`efivarfs` is missing; add \"efivarfs\": without it no boot learns whether"),
        (
            "\"/usr/bin/runc\" = \"runc\"",
            "\"/usr/../bin/runc\" = \"runc\"",
            "",
            "`/usr/../bin/runc` is not a path in the root",
        ),
        (
            "\"/usr/bin/runc\" = \"runc\"",
            "\"/usr/bin/runc\" = \"../runc\"",
            "",
            "`../runc` is not a path in what the source yields",
        ),
        (
            "\"/usr/bin/runc\" = \"runc\"",
            "\"/usr/bin/rync\" = \"runc\"",
            "",
            "`/usr/bin/rync` is not on the component's `allow` list",
        ),
        (
            "\"/usr/bin/runc\" = \"runc\"",
            "\"/usr/bin/kubelet\" = \"runc\"",
            "",
            "`/usr/bin/kubelet` belongs to component `kubelet` already",
        ),
        ("allow = [\"/usr/bin/runc\"]", "allow = [\"/**\"]", "", "`/**` is not a pattern of paths"),
        (
            "\"/usr/bin/umount\" = \"../libexec",
            "\"/usr/bin/umount\" = \"../../../libexec",
            "",
            "is absolute or leads out of the root",
        ),
        (
            "\"/usr/bin/umount\" = \"../libexec",
            "\"/usr/bin/umount\" = \"/usr/libexec",
            "",
            "is absolute or leads out of the root",
        ),
        ("package = \"ca-certificates\"", "package = \"CA certs\"", "", "`CA certs` is not the name of a package"),
        ("version = \"1.5\"", "version = \"v1.5\"", "", "`v1.5` is not a version"),
        ("\"libseccomp\"", "\"libselinux\"", "", "there is no library `libselinux`"),
        ("component = \"pause\"", "component = \"pose\"", "", "there is no component `pose`; did you mean `pause`?"),
        ("entrypoint = [\"/pause\"]", "entrypoint = [\"/bin/sh\"]", "", "the entry point is none of the image's files"),
        ("localhost/pause:1", "localhost/pause:2", "", "`localhost/pause:1` is missing"),
        ("esp_mib = 256", "esp_mib = 1", "", "1 MiB is too small, by 63 MiB; it takes 64"),
        ("state_mib = 512", "state_mib = 99999999", "", "99999999 MiB is too large"),
        ("files = 260", "files = 0", "", "a budget of 0 fits no image"),
        ("init_bytes = 1_500_000", "init_bytes = 0", "", "a budget of 0 fits no image"),
        ("cluster_kib = 64", "cluster_kib = 65", "", "65 KiB is no cluster size"),
        ("\"zstd,2\"", "\"lzma\"", "", "`lzma` is no compression"),
    ] {
        let error = error_of_changed_node(from, to);
        let first = error.lines().next().unwrap_or_default();
        assert!(error.contains(expected), "{error}\nhas no\n{expected}");
        assert!(first.starts_with(&format!("my/image.toml:{place}")), "{error}\nis not at {place}");
    }
}

#[test]
fn rules_of_parts_that_the_node_has_not() {
    for (text, expected) in [
        (
            "[components.x.source.url]\nurl = \"ftp://h/f\"\nsha256 = \"\"\nversion = \"1\"",
            "`ftp://h/f` is not an http or https address",
        ),
        (
            "[components.x.source.url]\nurl = \"https://h/f\"\nsha256 = \"AB\"\nversion = \"1\"",
            "my/image.toml:4:10: `AB` is not a SHA-256",
        ),
        ("[components.X.source.file]\npath = \"f\"", "my/image.toml:2:13: `X` is not a component's name"),
        ("[components.x.source.file]\npath = \"\"", "the path is empty"),
        ("[components.x]\nsource.file.path = \"f\"\nmodes = { \"/f\" = \"4755\" }", "`4755` is not a mode"),
        ("[components.x]\nsource.file.path = \"f\"\nmodes = { \"/f\" = \"0666\" }", "`0666` is not a mode"),
        ("[static_pods]\n\"a_b\" = \"x.yaml\"", "my/image.toml:3:9: `a_b` is not a pod's name"),
        ("[static_pods]\nweb = \"\"", "the manifest's path is empty"),
        (
            "[preload.\"x\"]\ncomponent = \"pause\"\nfiles = { \"/p\" = \"pause\" }\nentrypoint = [\"/p\"]",
            "`x` is not an image reference",
        ),
        (
            "[preload.\"team/app:1\"]\ncomponent = \"pause\"\nfiles = { \"/p\" = \"pause\" }\nentrypoint = [\"/p\"]",
            "`team/app:1` is not an image reference; write it with registry and tag",
        ),
        (
            "[components.x.source.oci]\nreference = \"app:1\"",
            "my/image.toml:3:13: `app:1` is not an image reference; it names no registry",
        ),
        ("[components.x]\nsource.oci.reference = \"a.example/x@sha256:1\"", "`sha256:1` is no digest"),
        (
            "[components.x]\nsource.oci.reference = \"a.example/x\"\ninstall = { \"/x\" = \"x\" }\nallow = [\"/x\"]",
            "a container image puts no file into the root; leave `install` out",
        ),
        (
            "[components.x]\nsource.oci.reference = \"a.example/x\"\n[preload.\"a.example/x:1\"]\ncomponent = \"x\"\n\
             user = \"0:0\"",
            "component `x` brings a whole image; leave `user` out",
        ),
        (
            "[kubelet.credential_providers.x]\nprogram = \"/usr/bin/x\"\nmatch_images = [\"a.example\"]",
            "my/image.toml:3:11: no component installs `/usr/bin/x`; install it by a component",
        ),
        (
            "[kubelet.credential_providers.X]\nprogram = \"/usr/bin/runc\"\nmatch_images = [\"a.example\"]",
            "`X` is not a provider's name",
        ),
        (
            "[kubelet.credential_providers.x]\nprogram = \"/usr/bin/runc\"\nmatch_images = []",
            "my/image.toml:4:16: no image is named",
        ),
        (
            "[kubelet.credential_providers.x]\nprogram = \"/usr/bin/runc\"\nmatch_images = [\"https://a.example\"]",
            "`https://a.example` is not a pattern of images; write HOST",
        ),
        (
            "[kubelet.credential_providers.x]\nprogram = \"/usr/bin/runc\"\nmatch_images = [\"a\", \"a\"]",
            "`a` stands there twice",
        ),
        (
            "[kubelet.credential_providers.x]\nprogram = \"/usr/bin/runc\"\nmatch_images = [\"a\"]\ncache = 1",
            "unknown key `cache`",
        ),
        (
            "[kubelet.credential_providers.x]\nprogram = \"/usr/bin/runc\"\nmatch_images = [\"a\"]\nargs = [\"b\", \"c\\u0000\"]",
            "my/image.toml:5:14: an argument has a NUL in it; leave the NUL out",
        ),
        (
            "[kubelet.credential_providers.x]\nprogram = \"/usr/bin/runc\"\nmatch_images = [\"a\"]\nenv.K = \"\\u0000\"",
            "my/image.toml:5:9: the value of `K` has a NUL in it; leave the NUL out",
        ),
        ("[preload.\"localhost/pause:1\"]\nuser = \"root\"", "`root` is not `uid:gid`"),
        ("[node_config]\nproviders = []", "my/image.toml:3:13: nobody may give the node its configuration"),
        ("[node_config]\nproviders = [\"ec2\", \"ec2\"]", "my/image.toml:3:13: `ec2` stands there twice"),
        ("[node_config]\nallow = []", "my/image.toml:2:1: missing key `providers`"),
        (
            "[node_config]\nproviders = [\"ec2\"]\nfirewall.open = [\"8472\"]",
            "my/image.toml:4:17: `8472` names no ports; write them as `udp/8472` or `tcp/4000-4010`",
        ),
        (
            "[node_config]\nproviders = [\"ec2\"]\nfirewall.open_to_cluster = [\"udp/1\", \"tcp/10000-11000\"]",
            "my/image.toml:4:38: `tcp/10000-11000` would open kubelet to others than the cluster's networks; leave 10250 out",
        ),
        (
            "[node_config]\nproviders = [\"ec2\"]\n[node_config.firewall]\nopen = [\"tcp/80\"]\nopen_to_cluster = [\"tcp/70-90\"]",
            "my/image.toml:6:20: `tcp/70-90` is open already, by `tcp/80`; name each port once",
        ),
        (
            "[node_config]\nproviders = [\"ec2\"]\nfirewall.pods_reach_metdata = true",
            "my/image.toml:4:10: unknown key `pods_reach_metdata`; did you mean `pods_reach_metadata`?",
        ),
    ] {
        let error = error_over_node(text);
        assert!(error.contains(expected), "{error}\nhas no\n{expected}");
    }
}

#[test]
fn an_image_of_a_registry_needs_a_digest_only_when_it_is_locked() {
    let text = "[components.app]\nsource.oci.reference = \"a.example/team/app:1\"\n[preload.\"a.example/team/app:1\"]\n\
                component = \"app\"";
    let definition = resolve(&format!("extends = \"orlop:node\"\n{text}")).expect("sound").definition;
    let image = &definition.preload["a.example/team/app:1"];
    assert!(image.files.is_empty() && image.entrypoint.is_empty());
    let settings = orlop_config::render::node_config_policy(&definition);
    assert_eq!(settings, None);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let error = error_over_node("name = \"A\"\nclass = \"B\"");
    assert_eq!(error.lines().count(), 2, "{error}");
}

#[test]
fn no_cut_of_a_definition_panics() {
    for end in (0..NODE.len()).filter(|end| NODE.is_char_boundary(*end)) {
        if let Err(error) = resolve(&NODE[..end]) {
            assert!(error.to_string().starts_with("my/image.toml:"), "{error}");
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC*") {
        let _ = parse("f", &text);
        let _ = resolve(&text);
    }

    #[test]
    fn arbitrary_changes_never_panic(at in 0..NODE.len(), length in 0..200usize, text in "[\\x00-\\x7fäß\n\"\\[\\]{}=.,]{0,8}") {
        let (mut start, mut end) = (at, (at + length).min(NODE.len()));
        while !NODE.is_char_boundary(start) { start -= 1; }
        while !NODE.is_char_boundary(end) { end += 1; }
        let changed = format!("{}{text}{}", &NODE[..start], &NODE[end..]);
        let _ = resolve(&changed);
        let _ = resolve(&format!("extends = \"orlop:node\"\n{changed}"));
    }
}
