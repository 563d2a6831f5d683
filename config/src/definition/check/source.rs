//! Where a component comes from.

use super::super::values::{is_inner_path, is_package, is_release, is_sha256, is_version};
use super::super::{DebSource, FileSource, GoSource, ImageReference, OciSource, Source, UrlSource, WorkspaceSource};
use super::{INNER_PATH_RULE, Report, VERSION_RULE};

const PACKAGE_RULE: &str = "it takes lowercase letters, digits and `+`, `-`, `.` or `_`";

pub(super) fn check(name: &str, source: &Source, report: &mut Report) {
    let mut expect = |good: bool, key: [&str; 2], message: String, next: &str| {
        report.expect(good, &["components", name, "source", key[0], key[1]], message, next);
    };
    match source {
        Source::Deb(deb) => check_deb(deb, &mut expect),
        Source::Go(go) => check_go(go, &mut expect),
        Source::Url(url) => check_url(url, &mut expect),
        Source::Workspace(workspace) => check_workspace(workspace, &mut expect),
        Source::File(file) => check_file(file, &mut expect),
        Source::Oci(oci) => check_oci(oci, &mut expect),
    }
}

/// Notes a problem at a kind of source and its key, unless all is well.
type Expect<'e> = dyn FnMut(bool, [&str; 2], String, &str) + 'e;

fn check_deb(deb: &DebSource, expect: &mut Expect<'_>) {
    for (key, value) in [("package", &deb.package), ("suite", &deb.suite)] {
        expect(is_package(value), ["deb", key], format!("`{value}` is not the name of a {key}"), PACKAGE_RULE);
    }
}

fn check_go(go: &GoSource, expect: &mut Expect<'_>) {
    let module = &go.module;
    let good = is_inner_path(module) && module.contains('.');
    let next = "write it as go.mod does, such as \"k8s.io/kubernetes\"";
    expect(good, ["go", "module"], format!("`{module}` is not a module path"), next);
    if let Some(version) = &go.version {
        let next = "write \"2.3\" for the newest patch release of 2.3, or a release such as \"2.3.7\", without `v`";
        expect(is_release(version), ["go", "version"], format!("`{version}` is not a version"), next);
    }
    let next = "name at least one, such as \"cmd/kubelet\"";
    expect(!go.commands.is_empty(), ["go", "commands"], "no command is named".into(), next);
    for command in &go.commands {
        let good = command == "." || is_inner_path(command);
        expect(good, ["go", "commands"], format!("`{command}` is not a package of the module"), INNER_PATH_RULE);
    }
    for library in go.cgo.iter().flat_map(|cgo| &cgo.libraries) {
        let message = format!("there is no library `{library}`");
        expect(library == "libseccomp", ["go", "cgo"], message, "`libseccomp` is the one that exists");
    }
}

fn check_url(url: &UrlSource, expect: &mut Expect<'_>) {
    let UrlSource { url: address, sha256, version, .. } = url;
    let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
    let good = rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()));
    let message = format!("`{address}` is not an http or https address");
    expect(good, ["url", "url"], message, "write the whole address of the file");
    let next = "write 64 lowercase hexadecimal digits, as sha256sum prints them";
    expect(is_sha256(sha256), ["url", "sha256"], format!("`{sha256}` is not a SHA-256"), next);
    expect(is_version(version), ["url", "version"], format!("`{version}` is not a version"), VERSION_RULE);
}

fn check_workspace(workspace: &WorkspaceSource, expect: &mut Expect<'_>) {
    let package = &workspace.package;
    let message = format!("`{package}` is not the name of a crate");
    expect(is_package(package), ["workspace", "package"], message, PACKAGE_RULE);
}

fn check_file(file: &FileSource, expect: &mut Expect<'_>) {
    let FileSource { path, version } = file;
    let good = !path.is_empty() && !path.contains('\0');
    let next = "name a file or a folder, relative to this definition";
    expect(good, ["file", "path"], "the path is empty or has a NUL".into(), next);
    expect(is_version(version), ["file", "version"], format!("`{version}` is not a version"), VERSION_RULE);
}

/// Without a digest it is refused later, by `orlop lock`, which can say what to write.
fn check_oci(oci: &OciSource, expect: &mut Expect<'_>) {
    let OciSource { reference } = oci;
    let next = ImageReference::parse(reference).err().unwrap_or_default();
    expect(next.is_empty(), ["oci", "reference"], format!("`{reference}` is not an image reference"), &next);
}
