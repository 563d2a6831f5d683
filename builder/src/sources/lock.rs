//! Makes lockfiles: resolves what a definition asks for, keeps what is locked already and still fits, and says
//! what changed.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use orlop_config::definition::{Component, Source};
use orlop_config::lockfile::{self, Input, Lockfile, toolchains};
use serde::Serialize;

use super::altered::altered;
use super::error::{At, Error};
use super::project::read_beside;
use super::update::Update;
use super::{Bench, Project, deb, file, go, oci, url, zig};

/// One input that differs from the lockfile before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The input.
    pub input: String,
    /// Its version before.
    pub old: Option<String>,
    /// Its version now.
    pub new: Option<String>,
}

/// A lockfile with the Go modules that belong to it; nothing is written yet.
#[derive(Debug, Clone)]
pub struct Locked {
    /// The lockfile.
    pub lockfile: Lockfile,
    /// What changed, by input.
    pub changes: Vec<Change>,
    modules: BTreeMap<String, go::Sums>,
}

/// Resolves every input of a project. `before` is its lockfile so far, whoever's it is.
pub fn lock(bench: &Bench<'_>, project: &Project, before: Option<&Lockfile>, update: &Update) -> Result<Locked, Error> {
    writable(project)?;
    resolve(bench, project, before, update, None)
}

/// What locking everything anew would change: newer packages and modules, files that are others now. Nothing is written.
pub fn newer(bench: &Bench<'_>, project: &Project, locked: &Lockfile) -> Result<Vec<Change>, Error> {
    Ok(newer_than(locked, resolve(bench, project, Some(locked), &Update::All, None)?))
}

/// The changes but for those that move a file: an archive that has the same version with the same content in another place
/// (a security fix that came into the suite itself) has nothing newer.
pub(super) fn newer_than(before: &Lockfile, found: Locked) -> Vec<Change> {
    let Locked { lockfile: after, mut changes, .. } = found;
    let is_moved = |change: &Change| match (before.inputs.get(&change.input), after.inputs.get(&change.input)) {
        (Some(old), Some(new)) => old.version == new.version && old.sha256 == new.sha256 && !old.sha256.is_empty(),
        _ => false,
    };
    changes.retain(|change| !is_moved(change));
    changes
}

/// `finder` is the archive's, where it is another than this machine's.
pub(super) fn resolve(
    bench: &Bench<'_>,
    project: &Project,
    before: Option<&Lockfile>,
    update: &Update,
    finder: Option<deb::Finder<'_>>,
) -> Result<Locked, Error> {
    update.check(project.definition())?;
    let request = project.request();
    let same = before.is_some_and(|before| before.request == request);
    let one = matches!(update, Update::One { .. });
    let mut locker = Locker {
        bench,
        project,
        // With another request nothing is sure to fit; versions that still do are found again. Who names one input
        // means to change no other: of those, each is looked at.
        kept: before.filter(|_| same || one),
        same,
        before,
        update,
        finder,
        inputs: BTreeMap::new(),
    };
    let modules = locker.go(before)?;
    locker.components()?;
    locker.toolchains()?;
    let date = locker.finder.as_ref().and_then(deb::Finder::date);
    let kept = locker.kept.map(|kept| kept.epoch);
    let lockfile = Lockfile {
        version: lockfile::VERSION,
        definition: project.definition().name.clone(),
        request,
        epoch: date.max(kept).unwrap_or(0),
        inputs: locker.inputs,
    };
    Ok(Locked { changes: changes(before, &lockfile), lockfile, modules })
}

/// Resolves only the inputs that the archive does not have any more. `None`: all are there.
pub fn relock_gone(
    bench: &Bench<'_>,
    project: &Project,
    before: &Lockfile,
    gone: &[super::Gone],
) -> Result<Locked, Error> {
    writable(project)?;
    relock_from(deb::Finder::new(bench)?, project, before, gone)
}

/// A shipped definition's lockfile is part of this program.
fn writable(project: &Project) -> Result<(), Error> {
    if !project.is_shipped() {
        return Ok(());
    }
    let name = project.path.display();
    Err(Error::Usage(format!(
        "the lockfile of `{name}` is carried by this program and cannot be changed; write a definition of your own that \
         says `extends = \"{name}\"`, and lock that"
    )))
}

pub(super) fn relock_from(
    mut finder: deb::Finder<'_>,
    project: &Project,
    before: &Lockfile,
    gone: &[super::Gone],
) -> Result<Locked, Error> {
    let mut lockfile = before.clone();
    for lost in gone {
        lockfile.inputs.extend(finder.successors(project.definition(), &lost.input, before)?);
    }
    lockfile.epoch = finder.date().max(Some(before.epoch)).unwrap_or(before.epoch);
    Ok(Locked { changes: changes(Some(before), &lockfile), lockfile, modules: BTreeMap::new() })
}

fn changes(before: Option<&Lockfile>, after: &Lockfile) -> Vec<Change> {
    let nothing = BTreeMap::new();
    let old = before.map_or(&nothing, |before| &before.inputs);
    let mut names: Vec<&String> = old.keys().chain(after.inputs.keys()).collect();
    names.sort();
    names.dedup();
    let version = |input: Option<&Input>| input.map(|input| input.version.clone());
    names
        .into_iter()
        .filter(|name| old.get(*name) != after.inputs.get(*name))
        .map(|name| Change { input: name.clone(), old: version(old.get(name)), new: version(after.inputs.get(name)) })
        .collect()
}

struct Locker<'a> {
    bench: &'a Bench<'a>,
    project: &'a Project,
    kept: Option<&'a Lockfile>,
    /// The definition asks for what it asked for when `kept` was made.
    same: bool,
    before: Option<&'a Lockfile>,
    update: &'a Update,
    finder: Option<deb::Finder<'a>>,
    inputs: BTreeMap<String, Input>,
}

impl<'a> Locker<'a> {
    /// What is locked already and stays. What was altered since does not, nor does a tool of whose libraries one was.
    fn keep(&self, name: &str) -> Option<&'a Input> {
        let (kept, prefix) = (self.kept?, format!("{name}."));
        let mut parts = kept.inputs.iter().filter(|(part, _)| *part == name || part.starts_with(&prefix));
        if parts.any(|(part, input)| altered(self.project.definition(), part, input).is_some()) {
            return None;
        }
        let fits = |input: &&Input| self.same || self.fits(name, input);
        (!self.update.wants(name)).then(|| kept.inputs.get(name)).flatten().filter(fits)
    }

    /// Whether an input that was locked for another state of the definition is one for this state, as far as it tells.
    fn fits(&self, name: &str, input: &Input) -> bool {
        match self.project.definition().components.get(name).map(|component| &component.source) {
            Some(Source::Deb(source)) => deb::fits(source, input),
            // Its module names its commands: it is made anew, in the version that is locked.
            Some(Source::Go(_)) => false,
            // An image is named by its digest, and a tool by nothing that a definition says.
            Some(Source::Url(_) | Source::File(_) | Source::Oci(_) | Source::Workspace(_)) | None => true,
        }
    }

    fn finder(&mut self) -> Result<&mut deb::Finder<'a>, Error> {
        if self.finder.is_none() {
            self.finder = Some(deb::Finder::new(self.bench)?);
        }
        Ok(self.finder.as_mut().expect("it was put there"))
    }

    fn go(&mut self, before: Option<&Lockfile>) -> Result<BTreeMap<String, go::Sums>, Error> {
        let project = self.project;
        let definition = project.definition();
        let mut resolver = go::Resolver::new(self.bench);
        let (mut open, mut kept) = (0, 0);
        for (name, Component { source, .. }) in &definition.components {
            let Source::Go(source) = source else { continue };
            if let Some(input) = self.keep(name)
                && module(project, self.kept.expect("it has the input"), name).is_ok()
            {
                self.inputs.insert(name.clone(), input.clone());
                kept += 1;
                continue;
            }
            self.bench.online(name)?;
            let asked = source.version.as_deref().unwrap_or(&definition.kubernetes);
            // A version that still fits stays, unless an update was asked for.
            let old = before.and_then(|before| before.inputs.get(name)).filter(|_| !self.update.wants(name));
            let old = old.filter(|old| old.name == source.module && go::fits(&old.version, asked));
            let version = self.update.version_of(name).or(old.map(|old| old.version.as_str())).unwrap_or(asked);
            resolver.add(name, source, version)?;
            open += 1;
        }
        let wanted = toolchains(definition).contains("toolchain.go");
        if !wanted {
            return Ok(BTreeMap::new());
        }
        let locked = before.and_then(|before| before.inputs.get("toolchain.go"));
        // What is not resolved anew was locked for that one, and an older one may not compile it.
        let least = locked.filter(|_| kept > 0);
        let fits = |locked: &&Input| altered(definition, "toolchain.go", locked).is_none();
        let locked = locked.filter(|_| !self.update.wants("toolchain.go")).filter(fits);
        let toolchain = match (open, locked) {
            (0, Some(locked)) => locked.clone(),
            (_, locked) => resolver.toolchain(locked, least)?,
        };
        let mut modules = BTreeMap::new();
        for (name, (input, sums)) in resolver.tidy(&toolchain)? {
            self.inputs.insert(name.clone(), input);
            modules.insert(name, sums);
        }
        self.inputs.insert("toolchain.go".into(), toolchain);
        Ok(modules)
    }

    fn components(&mut self) -> Result<(), Error> {
        let (project, update) = (self.project, self.update);
        for (name, component) in &project.definition().components {
            let input = match (&component.source, self.keep(name)) {
                (Source::Go(_), _) => continue,
                // Never kept: they are what they are now.
                (Source::Workspace(source), _) => own(&source.package),
                (Source::Url(source), _) => url::lock(name, source),
                (Source::File(source), _) => file::lock(project, name, source)?,
                (Source::Deb(_) | Source::Oci(_), Some(kept)) => kept.clone(),
                (Source::Oci(source), None) => oci::lock(self.bench, name, source)?,
                (Source::Deb(source), None) => self.finder()?.component(source, update.version_of(name))?,
            };
            self.inputs.insert(name.clone(), input);
        }
        Ok(())
    }

    fn toolchains(&mut self) -> Result<(), Error> {
        for name in toolchains(self.project.definition()) {
            match (name, self.keep(name)) {
                ("toolchain.go", _) => {}
                (_, Some(input)) => {
                    self.inputs.insert(name.into(), input.clone());
                    self.keep_libraries(name);
                }
                ("toolchain.zig", None) => {
                    // Whatever else is asked for now: it is one version that is asked for here, and there is no newer one.
                    let before = self.before.and_then(|before| before.inputs.get(name));
                    if let Some(input) = before.filter(|input| !self.update.names(name) && zig::fits(input)) {
                        self.inputs.insert(name.into(), input.clone());
                        continue;
                    }
                    self.bench.online(name)?;
                    let input = self.bench.step("resolve the C compiler", || {
                        zig::lock(self.bench).map(|input| (input.clone(), input.version))
                    })?;
                    self.inputs.insert(name.into(), input);
                }
                _ => {
                    let inputs = match (name.strip_prefix("tool."), name.strip_prefix("library.")) {
                        (Some(package), _) => self.finder()?.tool(package)?,
                        (_, Some(library)) => [(name.to_string(), self.finder()?.source(library)?)].into(),
                        _ => return Err(Error::Unresolved(format!("`{name}` is neither tool nor library"))),
                    };
                    self.inputs.extend(inputs);
                }
            }
        }
        Ok(())
    }

    fn keep_libraries(&mut self, name: &str) {
        let prefix = format!("{name}.");
        let kept = self.kept.iter().flat_map(|kept| &kept.inputs);
        let libraries = kept.filter(|(library, _)| library.starts_with(&prefix));
        self.inputs.extend(libraries.map(|(library, input)| (library.clone(), input.clone())));
    }
}

/// A crate of this repository: the program carries its sources.
pub(super) fn own(package: &str) -> Input {
    let version = env!("CARGO_PKG_VERSION");
    Input {
        kind: "workspace".into(),
        name: package.into(),
        version: version.into(),
        origin: format!("orlop {version}"),
        sha256: String::new(),
        size: None,
    }
}

/// The Go module that lies beside a lockfile, as it was locked.
pub(super) fn module(project: &Project, lockfile: &Lockfile, component: &str) -> Result<go::Sums, Error> {
    let folder = project.go_folder(component);
    let read = |name: &str| {
        let path = folder.join(name);
        read_beside(&path).map_err(|cause| Error::Lock(format!("{} is missing or unreadable: {cause}", path.display())))
    };
    let sums = go::Sums { go_mod: read("go.mod")?, go_sum: read("go.sum")? };
    let input = lockfile.inputs.get(component);
    let locked = input.map(|input| input.sha256.as_str()).unwrap_or_default();
    let got = sums.sha256();
    if got == locked {
        return match input.filter(|input| !sums.requires(&input.name, &input.version)) {
            None => Ok(sums),
            Some(Input { name, version, .. }) => {
                let file = folder.join("go.mod");
                Err(Error::Lock(format!(
                    "{} does not require {name} {version}, which the lockfile names",
                    file.display()
                )))
            }
        };
    }
    Err(Error::Lock(format!("{}: go.mod and go.sum have SHA-256 {got}, the lockfile says {locked}", folder.display())))
}

impl Locked {
    /// Writes the Go modules, then the lockfile that names them: each file whole, or as it was.
    pub fn write(&self, project: &Project) -> Result<(), Error> {
        for (component, sums) in &self.modules {
            let folder = project.go_folder(component);
            std::fs::create_dir_all(&folder).at(folder.display())?;
            replace(&folder.join("go.mod"), &sums.go_mod)?;
            replace(&folder.join("go.sum"), &sums.go_sum)?;
        }
        let text = lockfile::render(&self.lockfile);
        let path = project.lock_path();
        if !std::fs::read(&path).is_ok_and(|found| found == text.as_bytes()) {
            replace(&path, text.as_bytes())?;
        }
        Ok(())
    }
}

fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new().prefix(".orlop-").tempfile_in(folder).at(folder.display())?;
    temporary.write_all(content).at(path.display())?;
    temporary.as_file().sync_all().at(path.display())?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    temporary.as_file().set_permissions(mode).at(path.display())?;
    temporary.persist(path).map_err(|error| error.error).at(path.display())?;
    Ok(())
}
