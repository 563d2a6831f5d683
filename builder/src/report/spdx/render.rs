//! Inventory → document.

use std::collections::{BTreeMap, BTreeSet};

use sha1::{Digest, Sha1};

use super::format::{
    Checksum, CreationInfo, DOCUMENT, Document, ExternalRef, ExtractedLicence, File, NOASSERTION, Package,
    Relationship, VerificationCode,
};
use super::names::id;
use crate::image::licences::{self, Licences};
use crate::inventory::{
    self, Component, DEBIAN, DebianPackage, Identity, Input, Inventory, Kind, Origin, Part, Place, Source, source_purl,
};
use crate::report::licences::{Packages, document_of};
use crate::report::time::rfc3339;
use crate::sources::is_licence;

const IMAGE: &str = "SPDXRef-Image";

/// The document, with a newline at its end; with licence texts where there are any.
pub fn render(inventory: &Inventory, licences: Option<&Licences>) -> String {
    let mut making = Making {
        inventory,
        licences: Packages::new(licences),
        parts: names_of_parts(inventory),
        packages: Vec::new(),
        relationships: Vec::new(),
    };
    making.image();
    for (key, component) in &inventory.components {
        making.component(key, component);
    }
    for (key, part) in &inventory.parts {
        making.part(key, part);
    }
    for (key, input) in &inventory.inputs {
        making.input(key, input);
    }
    making.archives();
    let image = &inventory.image;
    let name = format!("{}-{}", image.name, image.version);
    let unique = uuid::Builder::from_custom_bytes(inventory.identity(&document_of("spdx", licences))).into_uuid();
    let document = Document {
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        id: DOCUMENT,
        // The form that the specification itself proposes; nothing lies there.
        document_namespace: format!("https://spdx.org/spdxdocs/{}-{unique}", plain(&name)),
        name,
        creation_info: CreationInfo {
            created: rfc3339(image.epoch),
            creators: vec![format!("Tool: orlop-{}", env!("CARGO_PKG_VERSION"))],
        },
        has_extracted_licensing_infos: extracted(&making.packages, licences),
        packages: making.packages,
        files: inventory.files.iter().map(|file| self::file(file, inventory)).collect(),
        relationships: making.relationships,
    };
    // Strings, flags and lists of them: all of it has JSON.
    let mut text = serde_json::to_string_pretty(&document).expect("documents have JSON");
    text.push('\n');
    text
}

/// A package without anything that is not known.
fn package(id: String, name: &str, version: &str, identity: Identity) -> Package {
    let reference = |category, kind, locator| ExternalRef {
        reference_category: category,
        reference_type: kind,
        reference_locator: locator,
    };
    let purl = identity.purl.map(|purl| reference("PACKAGE-MANAGER", "purl", purl));
    let cpe = identity.cpe.map(|cpe| reference("SECURITY", "cpe23Type", cpe));
    Package {
        id,
        name: name.into(),
        version_info: version.into(),
        supplier: NOASSERTION.into(),
        download_location: NOASSERTION.into(),
        files_analyzed: false,
        package_verification_code: None,
        checksums: Vec::new(),
        source_info: String::new(),
        license_concluded: NOASSERTION,
        license_declared: identity.licence.unwrap_or(NOASSERTION).into(),
        license_comments: String::new(),
        copyright_text: NOASSERTION,
        external_refs: cpe.into_iter().chain(purl).collect(),
        primary_package_purpose: None,
        comment: String::new(),
    }
}

fn checksum(algorithm: &'static str, value: &str) -> Checksum {
    Checksum { algorithm, checksum_value: value.into() }
}

/// Key of a part → the package that stands for it: where a component is that very module, the component.
fn names_of_parts(inventory: &Inventory) -> BTreeMap<&str, String> {
    let components = inventory.represented();
    let name = |key: &str| match components.get(key) {
        Some(component) => id("Component", component),
        None => id("Part", key.strip_prefix("pkg:").unwrap_or(key)),
    };
    inventory.parts.keys().map(|key| (key.as_str(), name(key))).collect()
}

struct Making<'a> {
    inventory: &'a Inventory,
    licences: Packages<'a>,
    parts: BTreeMap<&'a str, String>,
    packages: Vec<Package>,
    relationships: Vec<Relationship>,
}

impl Making<'_> {
    fn relate(&mut self, from: &str, kind: &'static str, to: &str) {
        let relationship =
            Relationship { spdx_element_id: from.into(), relationship_type: kind, related_spdx_element: to.into() };
        if !self.relationships.contains(&relationship) {
            self.relationships.push(relationship);
        }
    }

    fn image(&mut self) {
        let image = &self.inventory.image;
        let mut package = package(IMAGE.into(), &image.name, &image.version, Identity::default());
        package.primary_package_purpose = Some("OPERATING-SYSTEM");
        package.comment = format!(
            "Orlop image for {}, class {}; kernel {}; root hash {}",
            image.architecture, image.class, image.kernel, image.root_hash
        );
        self.packages.push(package);
        self.relate(DOCUMENT, "DESCRIBES", IMAGE);
    }

    fn component(&mut self, key: &str, component: &Component) {
        let own = id("Component", key);
        let mut package = package(own.clone(), &component.name, &component.version, component.identity());
        package.primary_package_purpose = Some("APPLICATION");
        package.comment = format!("component `{key}` of the image definition");
        describe(&mut package, &component.origin, component.archive_sha256());
        declare(&mut package, self.licences.of_component(key, component));
        let files: Vec<&inventory::File> = self.inventory.files_of(key).collect();
        if !files.is_empty() {
            package.files_analyzed = true;
            package.package_verification_code = Some(verification_code(&files));
        }
        self.packages.push(package);
        self.relate(IMAGE, "CONTAINS", &own);
        for file in files {
            self.relate(&own, "CONTAINS", &id("File", &file.name()));
        }
        for part in &component.parts {
            match self.parts.get(part.as_str()).cloned() {
                Some(part) if part != own => self.relate(&own, "DEPENDS_ON", &part),
                _ => {}
            }
        }
        self.sources(&own, &component.origin);
    }

    /// The source packages of a Debian package.
    fn sources(&mut self, own: &str, origin: &Origin) {
        let Origin::Debian(of) = origin else { return };
        for source in &of.sources {
            let purl = source_purl(source, of);
            let id = id("Source", &format!("{}-{}", source.name, source.version));
            if self.packages.iter().all(|package| package.id != id) {
                let identity = Identity { purl: Some(purl), cpe: None, licence: None };
                let mut package = package(id.clone(), &source.name, &source.version, identity);
                package.primary_package_purpose = Some("SOURCE");
                package.supplier = supplier(&of.vendor);
                self.packages.push(package);
            }
            self.relate(own, "GENERATED_FROM", &id);
        }
    }

    fn part(&mut self, key: &str, part: &Part) {
        let Some(own) = self.parts.get(key).cloned() else { return };
        if self.packages.iter().all(|package| package.id != own) {
            let mut package = package(own.clone(), &part.name, &part.version, Identity::of_part(part));
            package.primary_package_purpose = Some("LIBRARY");
            package.source_info = source_info(part);
            declare(&mut package, self.licences.of_part(part));
            self.packages.push(package);
        }
        for file in &part.files {
            self.relate(&id("File", file), "STATIC_LINK", &own);
        }
    }

    fn input(&mut self, key: &str, input: &Input) {
        let own = id("Input", key);
        let mut package = package(own.clone(), &input.name, &input.version, input.identity());
        package.primary_package_purpose = Some(if input.linked { "LIBRARY" } else { "APPLICATION" });
        package.comment = format!("build input `{key}`");
        describe(&mut package, &input.origin, input.archive_sha256());
        declare(&mut package, self.licences.of_input(input));
        self.packages.push(package);
        let users: Vec<String> = input.used_by.iter().map(|user| id("Component", user)).collect();
        for user in if users.is_empty() { vec![IMAGE.into()] } else { users } {
            match input.linked {
                true => self.relate(&user, "STATIC_LINK", &own),
                false => self.relate(&own, "BUILD_TOOL_OF", &user),
            }
        }
        self.sources(&own, &input.origin);
    }

    /// The UKI on the ESP holds its sections, one of them the initramfs.
    fn archives(&mut self) {
        let inventory = self.inventory;
        let of =
            |place| inventory.files.iter().filter(move |file| file.place == place).map(|file| id("File", &file.name()));
        for uki in of(Place::Esp) {
            for section in of(Place::Uki) {
                self.relate(&uki, "CONTAINS", &section);
            }
        }
        let initramfs = inventory.files.iter().find(|file| file.place == Place::Uki && file.path == ".initrd");
        if let Some(initramfs) = initramfs.map(|file| id("File", &file.name())) {
            for member in of(Place::Initramfs) {
                self.relate(&initramfs, "CONTAINS", &member);
            }
        }
    }
}

/// What a licence is called that is known by its text.
fn reference(sha256: &str) -> String {
    format!("LicenseRef-{sha256}")
}

/// What a package declares by its own words, and the texts beside its code. Where nobody knows an expression, those that are
/// licences are what upstream declares (SPDX 2.3, 7.15); what else lies there (`NOTICE`, `PATENTS`) is only named.
fn declare(package: &mut Package, found: Option<&licences::Package>) {
    let Some(licences::Package { declared, texts, .. }) = found else { return };
    if let Some(expression) = declared {
        package.license_declared.clone_from(expression);
    }
    let named: Vec<String> = texts.iter().map(|(file, sha256)| format!("{file}: {}", reference(sha256))).collect();
    package.license_comments = named.join("; ");
    let licences: BTreeSet<&String> = texts.iter().filter(|(file, _)| is_licence(file)).map(|row| row.1).collect();
    if package.license_declared == NOASSERTION && !licences.is_empty() {
        let all: Vec<String> = licences.into_iter().map(|sha256| reference(sha256)).collect();
        package.license_declared = all.join(" AND ");
    }
}

/// The texts that packages name, each once.
fn extracted(packages: &[Package], licences: Option<&Licences>) -> Vec<ExtractedLicence> {
    let texts = licences.into_iter().flat_map(|licences| &licences.texts);
    let named = texts.map(|(sha256, text)| (reference(sha256), text));
    named
        .filter(|(id, _)| packages.iter().any(|package| package.license_comments.contains(id)))
        .map(|(license_id, text)| ExtractedLicence { license_id, extracted_text: text.clone() })
        .collect()
}

/// Where a package came from.
fn describe(package: &mut Package, origin: &Origin, archive_sha256: Option<&str>) {
    package.checksums = archive_sha256.map(|sha256| checksum("SHA256", sha256)).into_iter().collect();
    match origin {
        Origin::Debian(DebianPackage { vendor, .. }) | Origin::DebianSource { vendor, .. } => {
            package.supplier = supplier(vendor);
        }
        Origin::Url(url) => package.download_location = url.clone(),
        Origin::Oci(from) | Origin::File(from) | Origin::Other(from) => package.source_info = format!("from {from}"),
        Origin::Go | Origin::Wheel | Origin::Workspace | Origin::Toolchain | Origin::Image => {}
    }
}

/// Where the code of a module or crate came from.
fn source_info(part: &Part) -> String {
    match part.source {
        Source::Folder => "compiled from a folder: its version is not known".into(),
        Source::Own => "compiled from the sources of orlop itself: no registry has it".into(),
        _ if part.sum.is_empty() => String::new(),
        _ => format!("go.sum: {}", part.sum),
    }
}

/// Of others than Debian only the name of an archive is known.
fn supplier(vendor: &str) -> String {
    if vendor == DEBIAN { "Organization: Debian".into() } else { NOASSERTION.into() }
}

/// SHA-1 over the sorted SHA-1 of the files (SPDX 2.3, 7.9).
fn verification_code(files: &[&inventory::File]) -> VerificationCode {
    let mut sums: Vec<&str> = files.iter().map(|file| &*file.sha1).collect();
    sums.sort_unstable();
    VerificationCode { package_verification_code_value: hex::encode(Sha1::digest(sums.concat())) }
}

fn file(file: &inventory::File, inventory: &Inventory) -> File {
    let name = file.name();
    let (kind, link) = match &file.kind {
        Kind::Program => ("BINARY", None),
        Kind::Archive => ("ARCHIVE", None),
        Kind::Data => ("OTHER", None),
        Kind::Link(target) => {
            ("OTHER", Some(format!("symbolic link to {target}; hashes are those of its target's name")))
        }
    };
    let gaps = inventory.gaps.iter().filter(|gap| gap.file == name).map(|gap| gap.what.clone());
    File {
        id: id("File", &name),
        file_name: format!("./{name}"),
        file_types: [kind],
        checksums: vec![checksum("SHA1", &file.sha1), checksum("SHA256", &file.sha256)],
        license_concluded: NOASSERTION,
        license_info_in_files: [NOASSERTION],
        copyright_text: NOASSERTION,
        comment: link.into_iter().chain(gaps).collect::<Vec<_>>().join("\n"),
    }
}

/// As a part of a URI.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || "-._".contains(c) { c } else { '-' }).collect()
}
