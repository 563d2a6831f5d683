//! What names something else: components, container images, pods; and what two components may not share.

use std::collections::BTreeMap;

use super::super::values::{is_inner_path, is_pod_name, is_root_path};
use super::super::{Definition, ImageReference, PreloadImage, Source};
use super::{ROOT_PATH_RULE, Report};
use crate::render::SANDBOX_IMAGE;
use crate::text::nearest;

pub(super) fn check_components(definition: &Definition, report: &mut Report) {
    let names: Vec<&str> = definition.components.keys().map(String::as_str).collect();
    let mut refer = |path: &[&str], name: &str| {
        let next = match nearest(name, &names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the components are {}", names.join(", ")),
        };
        report.expect(names.contains(&name), path, format!("there is no component `{name}`"), &next);
    };
    refer(&["kernel", "component"], &definition.kernel.component);
    refer(&["stub"], &definition.stub);
    for (reference, image) in &definition.preload {
        refer(&["preload", reference, "component"], &image.component);
    }
}

pub(super) fn check_preload(definition: &Definition, report: &mut Report) {
    for (reference, image) in &definition.preload {
        let path = ["preload", reference.as_str()];
        let message = format!("`{reference}` is not an image reference");
        // kubelet and containerd take a name without a host for another's.
        let good = ImageReference::parse(reference).is_ok_and(|name| name.tag.is_some() && name.digest.is_none());
        report.expect(good, &path, message, "write it with registry and tag, such as \"localhost/hello:1\"");
        match definition.components.get(&image.component).map(|component| &component.source) {
            Some(Source::Oci(_)) => check_whole_image(reference, image, report),
            _ => check_image(reference, image, report),
        }
    }
    let message = format!("`{SANDBOX_IMAGE}` is missing");
    let next = "every pod needs it: add it, or extend \"orlop:node\", which has it";
    report.expect(definition.preload.contains_key(SANDBOX_IMAGE), &["preload"], message, next);
}

fn check_image(reference: &str, image: &PreloadImage, report: &mut Report) {
    let at = |key| ["preload", reference, key];
    for (to, from) in &image.files {
        let good = is_root_path(to) && is_inner_path(from);
        report.expect(good, &at("files"), format!("`{to}` = `{from}` are not paths"), ROOT_PATH_RULE);
    }
    let runs = image.entrypoint.first().is_some_and(|program| image.files.contains_key(program));
    let message = "the entry point is none of the image's files".to_string();
    report.expect(runs, &at("entrypoint"), message, "its first word is a path of `files`");
    let user = image.user();
    let ids: Vec<&str> = user.split(':').collect();
    let good = ids.len() == 2 && ids.iter().all(|id| id.parse::<u32>().is_ok());
    report.expect(good, &at("user"), format!("`{user}` is not `uid:gid`"), "write numbers: \"65535:65535\"");
}

/// What a registry's image says itself.
fn check_whole_image(reference: &str, image: &PreloadImage, report: &mut Report) {
    let said = [
        ("files", !image.files.is_empty()),
        ("entrypoint", !image.entrypoint.is_empty()),
        ("user", image.user.is_some()),
    ];
    for (key, is_said) in said {
        let message = format!("component `{}` brings a whole image", image.component);
        let next = format!("leave `{key}` out: the image says it; a pod may say otherwise");
        report.expect(!is_said, &["preload", reference, key], message, &next);
    }
}

/// An image is no file of the root.
pub(super) fn check_oci_components(definition: &Definition, report: &mut Report) {
    for (name, component) in &definition.components {
        if let Source::Oci(_) = component.source {
            let next = format!("leave `install` out, and name the component in a preload: component = \"{name}\"");
            let message = "a container image puts no file into the root".to_owned();
            report.expect(component.install.is_empty(), &["components", name, "install"], message, &next);
        }
    }
}

pub(super) fn check_static_pods(definition: &Definition, report: &mut Report) {
    for (name, manifest) in &definition.static_pods {
        let path = ["static_pods", name.as_str()];
        let next = "it takes lowercase letters, digits and `-`, no `-` at the ends, and at most 63 characters";
        report.expect(is_pod_name(name), &path, format!("`{name}` is not a pod's name"), next);
        let next = "name a YAML file, relative to this definition";
        report.expect(!manifest.is_empty(), &path, "the manifest's path is empty".into(), next);
    }
}

pub(super) fn check_paths_once(definition: &Definition, report: &mut Report) {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, component) in &definition.components {
        let installs = component.install.keys().map(|path| ("install", path));
        let links = component.links.keys().map(|path| ("links", path));
        for (table, path) in installs.chain(links).filter(|(_, path)| !path.ends_with('/')) {
            let owner = owners.insert(path, name);
            let message = format!("`{path}` belongs to component `{}` already", owner.unwrap_or_default());
            report.expect(owner.is_none(), &["components", name, table, path], message, "install it once");
        }
    }
}
