//! What a definition must keep to beyond its types. Each rule says what is wrong, where, and what would be right.

use std::collections::BTreeMap;

use super::values::{
    is_inner_path, is_mode, is_name, is_package, is_pod_name, is_reference, is_release, is_root_path, is_sha256,
    is_version, stays_inside,
};
use super::{Component, Definition, Source, matches};
use crate::render::{COMMAND_LINE_LIMIT, SANDBOX_IMAGE, command_line};

/// One rule that a definition does not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Keys that lead to the value.
    pub path: Vec<String>,
    /// What is wrong, with the value.
    pub message: String,
    /// What to do about it.
    pub next: Option<String>,
}

/// Problems as they are found.
#[derive(Default)]
struct Report {
    problems: Vec<Problem>,
}

impl Report {
    /// Notes a problem unless `good`.
    fn expect(&mut self, good: bool, path: &[&str], message: impl FnOnce() -> String, next: &str) {
        if !good {
            let path = path.iter().map(ToString::to_string).collect();
            let next = (!next.is_empty()).then(|| next.to_string());
            self.problems.push(Problem { path, message: message(), next });
        }
    }
}

impl Definition {
    /// Everything that is wrong with this definition, in the order of its parts.
    pub fn problems(&self) -> Vec<Problem> {
        let mut report = Report::default();
        check_identity(self, &mut report);
        check_kernel(self, &mut report);
        for (name, component) in &self.components {
            check_component(name, component, &mut report);
        }
        check_references(self, &mut report);
        check_paths_once(self, &mut report);
        check_sizes(self, &mut report);
        report.problems
    }
}

const NAME_RULE: &str =
    "a name has lowercase letters, digits and `-`, starts with a letter or digit and has at most 32 characters";
const VERSION_RULE: &str = "a version starts with a digit and has letters, digits and `.`, `-`, `+`, `~`, `^` or `_`";

fn check_identity(definition: &Definition, report: &mut Report) {
    let Definition { name, version, class, kubernetes, .. } = definition;
    report.expect(is_name(name), &["name"], || format!("`{name}` is not an image name"), NAME_RULE);
    report.expect(is_name(class), &["class"], || format!("`{class}` is not a class"), NAME_RULE);
    report.expect(is_version(version), &["version"], || format!("`{version}` is not a version"), VERSION_RULE);
    report.expect(
        is_release(kubernetes),
        &["kubernetes"],
        || format!("`{kubernetes}` is not a version of Kubernetes"),
        "name a minor version such as \"1.37\" (its newest patch release is taken) or a release such as \"1.37.2\"",
    );
}

fn check_kernel(definition: &Definition, report: &mut Report) {
    let path = ["kernel", "command_line"];
    let arguments = &definition.kernel.command_line;
    for argument in arguments {
        report.expect(
            argument != "--" && !argument.contains(['"', '\'', '\\', ' ']) && argument.bytes().all(|byte| byte.is_ascii_graphic()),
            &path,
            || format!("`{argument}` cannot be an argument of the kernel here"),
            "one argument an entry, of printable characters, without quotes and spaces; the final ` --` is added by the builder",
        );
        let key = argument.split('=').next().unwrap_or_default();
        report.expect(
            !["init", "rdinit", "root"].contains(&key),
            &path,
            || format!("`{argument}` would start or mount something that nothing has verified"),
            "leave it out: init is in the initramfs, the root is found by its hash",
        );
    }
    report.expect(
        arguments.iter().any(|argument| argument == "gpt"),
        &path,
        || "`gpt` is missing".into(),
        "add \"gpt\": without it a bad primary partition table does not fall back to the backup",
    );
    let panic = arguments.iter().filter_map(|argument| argument.strip_prefix("panic="));
    report.expect(
        panic.clone().count() == 1
            && panic.clone().all(|seconds| seconds.parse::<u32>().is_ok_and(|seconds| seconds > 0)),
        &path,
        || "`panic=SECONDS` is missing, doubled or 0".into(),
        "add \"panic=10\": without it a dead boot hangs for ever instead of resetting",
    );
    let line = command_line(definition);
    report.expect(
        line.len() < COMMAND_LINE_LIMIT,
        &path,
        || format!("the command line has {} bytes", line.len()),
        "the kernel cuts it after 2047; take some out",
    );
    check_modules(definition, report);
}

fn check_modules(definition: &Definition, report: &mut Report) {
    let modules = &definition.kernel.modules;
    let lists = [
        ("boot", &modules.boot),
        ("boot_by_alias", &modules.boot_by_alias),
        ("early", &modules.early),
        ("always", &modules.always),
        ("by_alias", &modules.by_alias),
    ];
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (list, names) in lists {
        for name in names {
            let path = ["kernel", "modules", list];
            let good = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let next = "write it as /proc/modules does: letters, digits and `_`, without `.ko`";
            report.expect(good, &path, || format!("`{name}` is not the name of a kernel module"), next);
            let before = seen.insert(name, list);
            // A disk driver may wait in the initramfs for a device that is there, and in the root for one that comes later.
            let twice = before.filter(|before| *before != "boot_by_alias" || list == "boot_by_alias");
            let message = || format!("module `{name}` is in `{}` already", twice.unwrap_or_default());
            report.expect(twice.is_none(), &path, message, "name each module once");
        }
    }
}

fn check_component(name: &str, component: &Component, report: &mut Report) {
    report.expect(is_name(name), &["components", name], || format!("`{name}` is not a component's name"), NAME_RULE);
    check_source(name, &component.source, report);
    for (to, from) in &component.install {
        let path = ["components", name, "install", to.as_str()];
        let file = to.strip_suffix('/').unwrap_or(to);
        report.expect(is_root_path(file), &path, || format!("`{to}` is not a path in the root"), ROOT_PATH_RULE);
        report.expect(
            is_inner_path(from.strip_suffix('/').unwrap_or(from)),
            &path,
            || format!("`{from}` is not a path in what the source yields"),
            "name it relative to the source's top, without `..`",
        );
        // What a folder brings is known when it is built; the tree checks it then.
        let allowed = to.ends_with('/') || allows(component, to);
        report.expect(allowed, &path, || format!("`{to}` is not on the component's `allow` list"), ALLOW_RULE);
    }
    for (link, target) in &component.links {
        let path = ["components", name, "links", link.as_str()];
        report.expect(is_root_path(link), &path, || format!("`{link}` is not a path in the root"), ROOT_PATH_RULE);
        report.expect(
            stays_inside(link, target),
            &path,
            || format!("`{link}` → `{target}` is absolute or leads out of the root"),
            "write a relative target that stays below `/`",
        );
        report.expect(
            allows(component, link),
            &path,
            || format!("`{link}` is not on the component's `allow` list"),
            ALLOW_RULE,
        );
    }
    for pattern in &component.allow {
        let good = is_root_path(pattern) && !pattern.starts_with("/*");
        let message = || format!("`{pattern}` is not a pattern of paths in the root");
        report.expect(
            good,
            &["components", name, "allow"],
            message,
            "start it with `/` and a folder's name, without `..`",
        );
    }
    for (file, mode) in &component.modes {
        let path = ["components", name, "modes", file.as_str()];
        report.expect(is_root_path(file), &path, || format!("`{file}` is not a path in the root"), ROOT_PATH_RULE);
        report.expect(
            is_mode(mode),
            &path,
            || format!("`{mode}` is not a mode for a file of the root"),
            "write three or four octal digits, such as \"0644\"; setuid, setgid, sticky and writable for others are refused",
        );
    }
}

const ROOT_PATH_RULE: &str = "start it with `/`, without `.`, `..`, empty parts and a `/` at the end";
const ALLOW_RULE: &str = "add a pattern for it to `allow`, or do not install it";

fn allows(component: &Component, path: &str) -> bool {
    component.allow.iter().any(|pattern| matches(pattern, path))
}

fn check_source(name: &str, source: &Source, report: &mut Report) {
    let at = ["components", name, "source"];
    match source {
        Source::Deb(deb) => {
            for (key, value) in [("package", &deb.package), ("suite", &deb.suite)] {
                let good = is_package(value);
                let message = || format!("`{value}` is not the name of a {key}");
                report.expect(
                    good,
                    &[at[0], at[1], at[2], "deb", key],
                    message,
                    "lowercase letters, digits, `+`, `-` and `.`",
                );
            }
        }
        Source::Go(go) => {
            let at = |key| [at[0], at[1], at[2], "go", key];
            let module = &go.module;
            report.expect(
                is_inner_path(module) && module.contains('.'),
                &at("module"),
                || format!("`{module}` is not a module path"),
                "",
            );
            let version = go.version.as_deref().unwrap_or("0");
            let next = "write \"2.3\" for the newest patch release of 2.3, or a release such as \"2.3.7\", without `v`";
            report.expect(
                is_release(version) || go.version.is_none(),
                &at("version"),
                || format!("`{version}` is not a version"),
                next,
            );
            report.expect(
                !go.commands.is_empty(),
                &at("commands"),
                || "no command is named".into(),
                "name at least one, such as \"cmd/kubelet\"",
            );
            for command in &go.commands {
                let message = || format!("`{command}` is not a package of the module");
                report.expect(
                    command == "." || is_inner_path(command),
                    &at("commands"),
                    message,
                    "name it relative to the module, without `..`",
                );
            }
            for library in go.cgo.iter().flat_map(|cgo| &cgo.libraries) {
                let message = || format!("there is no library `{library}`");
                report.expect(library == "libseccomp", &at("cgo"), message, "`libseccomp` is the one that exists");
            }
        }
        Source::Url(url) => {
            let at = |key| [at[0], at[1], at[2], "url", key];
            let address = &url.url;
            let good = ["http://", "https://"]
                .iter()
                .any(|scheme| address.len() > scheme.len() && address.starts_with(scheme));
            report.expect(good, &at("url"), || format!("`{address}` is not an http or https address"), "");
            let sum = &url.sha256;
            let message = || format!("`{sum}` is not a SHA-256");
            report.expect(
                is_sha256(sum),
                &at("sha256"),
                message,
                "write 64 lowercase hexadecimal digits, as sha256sum prints them",
            );
            let version = &url.version;
            report.expect(
                is_version(version),
                &at("version"),
                || format!("`{version}` is not a version"),
                VERSION_RULE,
            );
        }
        Source::Workspace(crate_) => {
            let package = &crate_.package;
            let message = || format!("`{package}` is not the name of a crate");
            report.expect(is_package(package), &[at[0], at[1], at[2], "workspace", "package"], message, "");
        }
        Source::File(file) => {
            let at = |key| [at[0], at[1], at[2], "file", key];
            let good = !file.path.is_empty() && !file.path.contains('\0');
            report.expect(
                good,
                &at("path"),
                || "the path is empty".into(),
                "name a file or a folder, relative to this definition",
            );
            let version = &file.version;
            report.expect(
                is_version(version),
                &at("version"),
                || format!("`{version}` is not a version"),
                VERSION_RULE,
            );
        }
    }
}

fn check_references(definition: &Definition, report: &mut Report) {
    let names: Vec<&str> = definition.components.keys().map(String::as_str).collect();
    let mut refer = |path: &[&str], name: &str| {
        let next = match crate::text::nearest(name, &names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the components are {}", names.join(", ")),
        };
        report.expect(names.contains(&name), path, || format!("there is no component `{name}`"), &next);
    };
    refer(&["kernel", "component"], &definition.kernel.component);
    refer(&["stub"], &definition.stub);
    for (reference, image) in &definition.preload {
        refer(&["preload", reference, "component"], &image.component);
    }
    for (reference, image) in &definition.preload {
        let path = ["preload", reference.as_str()];
        let message = || format!("`{reference}` is not an image reference");
        report.expect(
            is_reference(reference),
            &path,
            message,
            "write it with registry and tag, such as \"localhost/hello:1\"",
        );
        let runs = image.entrypoint.first().is_some_and(|program| image.files.contains_key(program));
        report.expect(
            runs,
            &path,
            || "the entry point is none of the image's files".into(),
            "its first word is a path of `files`",
        );
        for (to, from) in &image.files {
            let good = is_root_path(to) && is_inner_path(from);
            report.expect(good, &path, || format!("`{to}` = `{from}` are not paths"), ROOT_PATH_RULE);
        }
        let ids: Vec<&str> = image.user.split(':').collect();
        let good = ids.len() == 2 && ids.iter().all(|id| id.parse::<u32>().is_ok());
        report.expect(
            good,
            &["preload", reference, "user"],
            || format!("`{}` is not `uid:gid`", image.user),
            "write numbers, such as \"65535:65535\"",
        );
    }
    report.expect(
        definition.preload.contains_key(SANDBOX_IMAGE),
        &["preload"],
        || format!("`{SANDBOX_IMAGE}` is missing"),
        "every pod needs it: add it, or extend \"orlop:node\", which has it",
    );
    for (name, manifest) in &definition.static_pods {
        let path = ["static_pods", name.as_str()];
        let message = || format!("`{name}` is not a pod's name");
        report.expect(
            is_pod_name(name),
            &path,
            message,
            "lowercase letters, digits and `-`, a letter or digit at both ends, at most 63 characters",
        );
        report.expect(
            !manifest.is_empty(),
            &path,
            || "the manifest's path is empty".into(),
            "name a YAML file, relative to this definition",
        );
    }
}

fn check_paths_once(definition: &Definition, report: &mut Report) {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, component) in &definition.components {
        let installs = component.install.keys().map(|path| ("install", path));
        let links = component.links.keys().map(|path| ("links", path));
        for (table, path) in installs.chain(links).filter(|(_, path)| !path.ends_with('/')) {
            let before = owners.insert(path, name);
            let message = || format!("`{path}` belongs to component `{}` already", before.unwrap_or_default());
            report.expect(before.is_none(), &["components", name, table, path], message, "install it once");
        }
    }
}

/// The smallest FAT32 file system that every firmware takes has 65,525 clusters of 512 bytes: 33 MiB with its tables.
const LEAST_ESP_MIB: u64 = 64;
/// Less than this and the 64 MiB journal, which grows with the disk, does not pay.
const LEAST_STATE_MIB: u64 = 128;
/// 16 TiB: what is above is a slip of the hand.
const MOST_MIB: u64 = 16 << 20;

fn check_sizes(definition: &Definition, report: &mut Report) {
    let partitions = &definition.partitions;
    let sizes = [
        ("esp_mib", Some(partitions.esp_mib), LEAST_ESP_MIB),
        ("root_mib", partitions.root_mib, 1),
        ("state_mib", Some(partitions.state_mib), LEAST_STATE_MIB),
    ];
    for (key, size, least) in sizes {
        let Some(size) = size else { continue };
        let next = format!("it takes {least} to {MOST_MIB} MiB");
        report.expect(
            (least..=MOST_MIB).contains(&size),
            &["partitions", key],
            || format!("{size} MiB is too small or too large"),
            &next,
        );
    }
    let budgets = &definition.budgets;
    let limits = [("root_bytes", budgets.root_bytes), ("files", budgets.files), ("executables", budgets.executables)];
    for (key, limit) in limits {
        report.expect(limit > 0, &["budgets", key], || "a budget of 0 fits no image".into(), "");
    }
    let cluster = definition.erofs.cluster_kib;
    let good = cluster.is_power_of_two() && (4..=1024).contains(&cluster);
    report.expect(
        good,
        &["erofs", "cluster_kib"],
        || format!("{cluster} KiB is no cluster size"),
        "a power of two from 4 to 1024",
    );
    let compression = &definition.erofs.compression;
    let algorithm = compression.split(',').next().unwrap_or_default();
    // lzma and deflate are in the kernel too, but nobody has measured them here.
    let good = ["zstd", "lz4", "lz4hc"].contains(&algorithm);
    report.expect(
        good,
        &["erofs", "compression"],
        || format!("`{compression}` is no compression"),
        "zstd, lz4 or lz4hc, with a level: \"zstd,3\"",
    );
}
