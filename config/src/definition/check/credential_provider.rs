//! Programs that give kubelet credentials. kubelet ends at once when it does not like one of them, and takes a pattern
//! that can match nothing without a word (`pkg/credentialprovider/plugin/config.go`): so all of it is judged here.

use super::super::values::{is_name, is_port, is_root_path};
use super::super::{Component, CredentialProvider, Definition};
use super::{NAME_RULE, ROOT_PATH_RULE, Report};

const IMAGE_RULE: &str = "write HOST, HOST:PORT or HOST/PATH, without a scheme, such as \"*.registry.example:5000/team\"; \
    `*` stands for letters within one part of the host's name";

pub(super) fn check(definition: &Definition, report: &mut Report) {
    for (name, provider) in &definition.kubelet.credential_providers {
        let at = ["kubelet", "credential_providers", name.as_str()];
        let message = format!("`{name}` is not a provider's name");
        report.expect(is_name(name), &at, message, NAME_RULE);
        check_program(definition, name, provider, report);
        check_images(name, provider, report);
        check_texts(name, provider, report);
    }
}

/// What the program is started with: no system call takes a NUL, so kubelet would fail at each image.
fn check_texts(name: &str, provider: &CredentialProvider, report: &mut Report) {
    let at = ["kubelet", "credential_providers", name];
    for (index, argument) in provider.args.iter().enumerate() {
        let index = index.to_string();
        let path = [&at[..], &["args", &index]].concat();
        report.expect(!argument.contains('\0'), &path, "an argument has a NUL in it".into(), "leave the NUL out");
    }
    for (variable, value) in &provider.env {
        let good = !variable.is_empty() && !variable.contains(['=', '\0']);
        let message = format!("`{variable}` is not a variable's name");
        report.expect(good, &[&at[..], &["env"]].concat(), message, "write a name without `=`");
        let path = [&at[..], &["env", variable.as_str()]].concat();
        let message = format!("the value of `{variable}` has a NUL in it");
        report.expect(!value.contains('\0'), &path, message, "leave the NUL out");
    }
}

fn check_program(definition: &Definition, name: &str, provider: &CredentialProvider, report: &mut Report) {
    let at = ["kubelet", "credential_providers", name, "program"];
    let program = &provider.program;
    if !is_root_path(program) {
        return report.expect(false, &at, format!("`{program}` is not a path in the root"), ROOT_PATH_RULE);
    }
    let installed = definition.components.values().any(|component| installs(component, program));
    let next = "install it by a component: the program is a file of the root, as all that kubelet starts";
    report.expect(installed, &at, format!("no component installs `{program}`"), next);
}

/// What a folder brings is known when it is built; the tree is looked at then.
fn installs(component: &Component, program: &str) -> bool {
    let file = |to: &String| to == program || (to.ends_with('/') && program.starts_with(to.as_str()));
    component.install.keys().any(file) || component.links.contains_key(program)
}

fn check_images(name: &str, provider: &CredentialProvider, report: &mut Report) {
    let at = ["kubelet", "credential_providers", name, "match_images"];
    let message = "no image is named".to_owned();
    report.expect(!provider.match_images.is_empty(), &at, message, IMAGE_RULE);
    for (index, image) in provider.match_images.iter().enumerate() {
        report.expect(is_pattern(image), &at, format!("`{image}` is not a pattern of images"), IMAGE_RULE);
        let first = !provider.match_images[..index].contains(image);
        report.expect(first, &at, format!("`{image}` stands there twice"), "name it once");
    }
}

/// A host in parts that may hold `*`, a port, a path without patterns.
fn is_pattern(image: &str) -> bool {
    let (host, path) = image.split_once('/').unwrap_or((image, ""));
    let (host, port) = host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port)));
    let part = |part: &str| {
        let inner = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'*'));
        inner && !part.is_empty()
    };
    let port_good = port.is_none_or(is_port);
    let path_good =
        path.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"/._-".contains(&byte));
    host.split('.').all(part) && port_good && path_good
}

#[cfg(test)]
mod tests {
    use super::is_pattern;

    #[test]
    fn patterns_are_those_that_match_something() {
        for good in [
            "registry.example",
            "*.dkr.ecr.*.example.com",
            "registry.example:5000/team/app",
            "gcr-*.example",
            "localhost",
        ] {
            assert!(is_pattern(good), "{good}");
        }
        for bad in [
            "",
            "https://registry.example",
            "registry.example:http",
            "registry.example:+80",
            "registry.example:080",
            "registry.example:0",
            "registry.example:",
            "a..b",
            "registry.example/*",
            "[::1]",
            "a b",
            "a?b",
        ] {
            assert!(!is_pattern(bad), "{bad}");
        }
    }
}
