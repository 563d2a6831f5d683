//! What a build was made from, gathered; and the statement of it, as a pure function of that and the release manifest.

use anyhow::Context;
use orlop_chain::manifest::parse_release;
use orlop_config::lockfile::{Input, Lockfile};
use orlop_config::manifest::ReleaseManifest;

use super::statement::{
    Annotations, BuildDefinition, Builder, Definition, ExternalParameters, InternalParameters, Provenance, Resource,
    RunDetails, Statement,
};
use super::{AUTHENTICODE, BUILD_TYPE, BUILDER_ID, FILES, GO_MODULES, PREDICATE_TYPE, SHA256, STATEMENT_TYPE};
use crate::formats::dsse::keyid;
use crate::formats::x509::Certificate;
use crate::image::boot::Trusted;
use crate::image::inputs::Inputs;
use crate::sources::{RUST_PROFILE, RUST_TARGET, hash, rust_release, source_hash};

/// What a build was made from, as far as the release manifest does not say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The definition's texts.
    pub files: Vec<Resource>,
    /// The release keys that the image trusts, by name; the one that signs first.
    pub release_keys: Vec<String>,
    /// The certificates that it trusts, by SHA-256; that of the key that signs first.
    pub certificates: Vec<String>,
    /// Every input.
    pub dependencies: Vec<Resource>,
}

impl Facts {
    /// Gathers them. What is no input of the lockfile: manifests of static pods, and the sources of Orlop's own programs.
    pub fn gather(
        inputs: &Inputs,
        trusted: &Trusted,
        package_url: fn(&Input) -> Option<String>,
    ) -> anyhow::Result<Facts> {
        let mut dependencies = locked(&inputs.lockfile, &source_hash()?, package_url);
        if inputs.lockfile.inputs.values().any(|input| input.kind == WORKSPACE) {
            dependencies.push(rust(&rust_release()?, package_url));
        }
        for (pod, manifest) in &inputs.static_pods {
            dependencies.push(Resource::new(format!("static-pod.{pod}"), SHA256, &hash(manifest)));
        }
        dependencies.sort_by_cached_key(|resource| resource.name.clone());
        Ok(Facts {
            files: inputs.project.files().map(|(name, sha256)| Resource::new(name, SHA256, sha256)).collect(),
            release_keys: trusted.release_keys.iter().map(keyid).collect(),
            certificates: trusted.certificates.iter().map(Certificate::sha256).collect(),
            dependencies,
        })
    }

    /// Those that a statement has: all of it that neither the release manifest nor this program says.
    pub fn of(statement: &Statement<Provenance>) -> Facts {
        let definition = &statement.predicate.build_definition;
        let parameters = &definition.external_parameters;
        Facts {
            files: parameters.definition.files.clone(),
            release_keys: parameters.release_keys.clone(),
            certificates: parameters.certificates.clone(),
            dependencies: definition.resolved_dependencies.clone(),
        }
    }

    /// The statement's bytes, for the release manifest that has these bytes.
    pub fn statement(&self, release_manifest: &[u8]) -> anyhow::Result<Vec<u8>> {
        let release = parse_release(release_manifest)?;
        let statement = Statement {
            kind: STATEMENT_TYPE.into(),
            subject: subject(release_manifest, &release),
            predicate_type: PREDICATE_TYPE.into(),
            predicate: self.predicate(&release),
        };
        serde_json::to_vec(&statement).context("the provenance's statement")
    }

    fn predicate(&self, release: &ReleaseManifest) -> Provenance {
        let build = &release.build;
        Provenance {
            build_definition: BuildDefinition {
                build_type: BUILD_TYPE.into(),
                external_parameters: ExternalParameters {
                    definition: Definition {
                        name: release.image.clone(),
                        version: release.image_version.clone(),
                        sha256: build.definition_sha256.clone(),
                        files: self.files.clone(),
                    },
                    lockfile_sha256: build.lockfile_sha256.clone(),
                    source_date_epoch: build.epoch,
                    release_keys: self.release_keys.clone(),
                    certificates: self.certificates.clone(),
                },
                internal_parameters: InternalParameters {
                    architecture: release.architecture.clone(),
                    rust_target: RUST_TARGET.into(),
                    rust_profile: RUST_PROFILE.into(),
                },
                resolved_dependencies: self.dependencies.clone(),
            },
            run_details: RunDetails {
                builder: Builder { id: BUILDER_ID.into(), version: [("orlop".to_owned(), build.orlop.clone())].into() },
            },
        }
    }
}

/// What a statement is about: the release manifest and all that it names. `NAME.raw#PART` is a part of the disk.
pub fn subject(release_manifest: &[u8], release: &ReleaseManifest) -> Vec<Resource> {
    let name = &release.image;
    let part = |part: &str, digest: &str| Resource::new(format!("{name}.raw#{part}"), SHA256, digest);
    let mut subjects = vec![
        Resource::new(format!("{name}.release.json"), SHA256, &hash(release_manifest)),
        Resource::new(format!("{name}.efi"), AUTHENTICODE, &release.uki_authenticode_sha256),
        part("boot-manifest", &release.boot_manifest_sha256),
        part("root", &release.root_sha256),
        part("verity", &release.verity_sha256),
        part("state-template", &release.state_template_sha256),
    ];
    subjects.extend(release.companions.iter().map(|(file, digest)| Resource::new(file.clone(), SHA256, digest)));
    subjects
}

/// The lockfile's word for the programs of this repository.
const WORKSPACE: &str = "workspace";

/// The inputs of a lockfile. Of Orlop's own programs it has no digest: theirs is that of the sources that this program carries.
fn locked(lockfile: &Lockfile, workspace_sha256: &str, package_url: fn(&Input) -> Option<String>) -> Vec<Resource> {
    let resource = |(name, input): (&String, &Input)| {
        let (algorithm, digest) = match input.kind.as_str() {
            WORKSPACE => (SHA256, workspace_sha256),
            "go" => (GO_MODULES, &*input.sha256),
            "file" => (FILES, &*input.sha256),
            _ => (SHA256, &*input.sha256),
        };
        let annotations = Annotations { origin: input.origin.clone() };
        Resource { uri: package_url(input), annotations, ..Resource::new(name, algorithm, digest) }
    };
    lockfile.inputs.iter().map(resource).collect()
}

/// The toolchain that the workspace's `rust-toolchain.toml` pins; no lockfile knows a digest of it.
fn rust(release: &str, package_url: fn(&Input) -> Option<String>) -> Resource {
    let input = Input {
        kind: "rust-toolchain".into(),
        name: "rust".into(),
        version: release.into(),
        origin: format!("Rust {release}"),
        sha256: String::new(),
        size: None,
    };
    let annotations = Annotations { origin: input.origin.clone() };
    Resource { name: "toolchain.rust".into(), uri: package_url(&input), annotations, ..Resource::default() }
}
