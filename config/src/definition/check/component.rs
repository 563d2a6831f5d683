//! What a component puts into the root.

use super::super::values::{is_inner_path, is_mode, is_name, is_root_path, stays_inside};
use super::super::{Component, matches};
use super::{INNER_PATH_RULE, NAME_RULE, ROOT_PATH_RULE, Report};

pub(super) fn check(name: &str, component: &Component, report: &mut Report) {
    let message = format!("`{name}` is not a component's name");
    report.expect(is_name(name), &["components", name], message, NAME_RULE);
    check_install(name, component, report);
    check_links(name, component, report);
    check_allow(name, component, report);
    check_modes(name, component, report);
}

/// A program's component: what is built goes into one folder, under names of its own.
pub(in super::super) fn check_program(name: &str, component: &Component, report: &mut Report) {
    let message = format!("`{name}` is not a component's name");
    report.expect(is_name(name), &["components", name], message, NAME_RULE);
    for (to, from) in &component.install {
        let path = ["components", name, "install", to.as_str()];
        report.expect(is_inner_path(to), &path, format!("`{to}` is no path in the folder"), INNER_PATH_RULE);
        report.expect(is_inner_path(from), &path, format!("`{from}` is no path in the source"), INNER_PATH_RULE);
    }
}

fn check_install(name: &str, component: &Component, report: &mut Report) {
    for (to, from) in &component.install {
        let path = ["components", name, "install", to.as_str()];
        let folder = to.ends_with('/');
        check_root_path(to.strip_suffix('/').unwrap_or(to), &path, report);
        let good = is_inner_path(from.strip_suffix('/').unwrap_or(from)) || (folder && from == ".");
        report.expect(good, &path, format!("`{from}` is not a path in what the source yields"), INNER_PATH_RULE);
        // What a folder brings is known when it is built; the tree checks it then.
        if !folder {
            check_allowed(to, component, &path, report);
        }
    }
}

fn check_links(name: &str, component: &Component, report: &mut Report) {
    for (link, target) in &component.links {
        let path = ["components", name, "links", link.as_str()];
        check_root_path(link, &path, report);
        let message = format!("`{link}` → `{target}` is absolute or leads out of the root");
        report.expect(stays_inside(link, target), &path, message, "write a relative target that stays below `/`");
        check_allowed(link, component, &path, report);
    }
}

fn check_allow(name: &str, component: &Component, report: &mut Report) {
    for pattern in &component.allow {
        let good = is_root_path(pattern) && !pattern.starts_with("/*");
        let message = format!("`{pattern}` is not a pattern of paths in the root");
        let next = "begin it with `/` and a folder's name, without `..`";
        report.expect(good, &["components", name, "allow"], message, next);
    }
}

fn check_modes(name: &str, component: &Component, report: &mut Report) {
    for (file, mode) in &component.modes {
        let path = ["components", name, "modes", file.as_str()];
        check_root_path(file, &path, report);
        let next = "write octal digits, such as \"0644\"; setuid, setgid, sticky and writable by others are refused";
        report.expect(is_mode(mode), &path, format!("`{mode}` is not a mode for a file of the root"), next);
    }
}

fn check_root_path(file: &str, path: &[&str], report: &mut Report) {
    report.expect(is_root_path(file), path, format!("`{file}` is not a path in the root"), ROOT_PATH_RULE);
}

fn check_allowed(file: &str, component: &Component, path: &[&str], report: &mut Report) {
    let good = component.allow.iter().any(|pattern| matches(pattern, file));
    let message = format!("`{file}` is not on the component's `allow` list");
    report.expect(good, path, message, "add a pattern for it to `allow`, or do not install it");
}
