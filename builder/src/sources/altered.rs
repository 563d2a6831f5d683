//! What a lockfile says of its inputs besides their digests. No digest covers it, and it reaches the image (the list
//! of components) and its release manifest: it must be what the definition and the file's own name say.

use orlop_config::definition::{Definition, Source};
use orlop_config::lockfile::Input;

use super::{file, go, lock, oci, url};

/// What does not fit in an input that `orlop lock` would not write for this definition.
pub fn altered(definition: &Definition, name: &str, input: &Input) -> Option<String> {
    let source = definition.components.get(name).map(|component| &component.source);
    of_source(definition, name, source, input).or_else(|| of_origin(input))
}

fn of_source(definition: &Definition, name: &str, source: Option<&Source>, input: &Input) -> Option<String> {
    let differs = |key: &str, found: &str, asked: &str| {
        (found != asked).then(|| format!("its {key} is `{found}`, the definition says `{asked}`"))
    };
    let kind = |kind: &str| differs("kind", &input.kind, kind);
    match source? {
        Source::Url(source) => {
            let asked = url::lock(name, source);
            kind("url")
                .or_else(|| differs("version", &input.version, &asked.version))
                .or_else(|| differs("origin", &input.origin, &asked.origin))
                .or_else(|| differs("sha256", &input.sha256, &asked.sha256))
        }
        Source::File(source) => kind("file")
            .or_else(|| differs("version", &input.version, &source.version))
            .or_else(|| differs("origin", &input.origin, &file::origin(source))),
        Source::Oci(source) => {
            let Ok(asked) = oci::asked(source) else { return Some("its reference is none".into()) };
            kind("oci")
                .or_else(|| differs("name", &input.name, &asked.name))
                .or_else(|| differs("version", &input.version, &asked.version))
                .or_else(|| differs("origin", &input.origin, &asked.origin))
        }
        Source::Workspace(source) => {
            let own = lock::own(&source.package);
            let wrong =
                || format!("it is {} {}, this program carries {} {}", input.name, input.version, own.name, own.version);
            kind("workspace").or_else(|| (*input != own).then(wrong))
        }
        Source::Deb(source) => kind("deb").or_else(|| match &source.follow {
            None => differs("name", &input.name, &source.package),
            Some(start) if input.name.starts_with(start) => None,
            Some(start) => Some(format!("its name is `{}`, the definition follows `{start}…`", input.name)),
        }),
        Source::Go(source) => {
            let asked = source.version.as_deref().unwrap_or(&definition.kubernetes);
            let fits = go::fits(&input.version, asked);
            let wrong = || format!("its version is `{}`, the definition asks for `{asked}`", input.version);
            kind("go").or_else(|| differs("name", &input.name, &source.module)).or_else(|| (!fits).then(wrong))
        }
    }
}

/// Whether name and version are those that the origin says.
fn of_origin(Input { kind, name, version, origin, .. }: &Input) -> Option<String> {
    let fits = match kind.as_str() {
        "go" | "go-toolchain" => *origin == format!("{name}@{version}"),
        "wheel" => *origin == format!("{name}=={version}"),
        // `1:1.3.dfsg-1` is `zlib1g_1.3.dfsg-1_amd64.deb` in the pool: without the epoch.
        "deb" => {
            let version = version.split_once(':').map_or(version.as_str(), |(_, rest)| rest);
            file_of(origin).starts_with(&format!("{name}_{version}_"))
        }
        "deb-source" => {
            let version = version.split_once(':').map_or(version.as_str(), |(_, rest)| rest);
            let upstream = version.rsplit_once('-').map_or(version, |(upstream, _)| upstream);
            file_of(origin).starts_with(&format!("{name}_{upstream}.orig.tar."))
        }
        _ => true,
    };
    (!fits).then(|| format!("its origin `{origin}` is not that of {name} {version}"))
}

fn file_of(origin: &str) -> &str {
    origin.rsplit('/').next().unwrap_or_default()
}
