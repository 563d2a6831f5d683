//! `import`: a carried image becomes one of containerd's, unpacked, and pinned, so that neither kubelet's image collection
//! nor containerd's garbage collection takes it away.
//!
//! What an earlier boot left of it lies on the state partition, which somebody may have written to while the power was
//! off. So all that a container would be started from is compared with the archive in the verified root: the name, the
//! blobs' bytes, and every file of the unpacked layers. What differs is taken away and made anew. containerd listens,
//! and nothing runs yet: nobody changes these files in between.

use crate::archive::{Archive, Descriptor, Image};
use crate::channel::Channel;
use crate::lease::Lease;
use crate::snapshots::Snapshots;
use crate::store::Store;
use crate::{Error, Result, compare, layer};
use std::fmt;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

/// Where containerd's snapshotter keeps its folders, under containerd's root.
const SNAPSHOTTER_ROOT: &str = "io.containerd.snapshotter.v1.overlayfs";

/// What an import found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The image was there already, whole and with its labels.
    Present,
    /// It was made, made whole, or made anew.
    Imported,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Present => "present",
            Self::Imported => "imported",
        })
    }
}

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Something is not there (yet).
    pub is_missing: bool,
    differences: Vec<String>,
}

impl Findings {
    /// Something is not what it should be.
    pub fn differs(&mut self, what: impl Into<String>) {
        self.differences.push(what.into());
    }

    /// What differs, in one line.
    fn told(&self) -> Option<String> {
        (!self.differences.is_empty()).then(|| self.differences.join("; "))
    }
}

/// Imports the archive's image under the name `reference` into the containerd whose root is `root`. What differed is told
/// before it is made anew: whatever comes of that.
///
/// An image that cannot be compared or made does not stay: a boot that goes on without it must not run another.
pub async fn import(
    channel: &Channel,
    root: &Path,
    (file, reference): (&Path, &str),
    tell: impl FnOnce(&str),
) -> Result<Outcome> {
    let mut archive = Archive::open(file)?;
    let image = archive.image(reference)?;
    let mut import = Import { channel, root, reference, image: &image, archive: &mut archive };
    let outcome = import.run(tell).await;
    if outcome.is_err() {
        Store::new(channel).forget(&image, reference).await?;
    }
    outcome
}

struct Import<'a> {
    channel: &'a Channel,
    root: &'a Path,
    reference: &'a str,
    image: &'a Image,
    archive: &'a mut Archive<File>,
}

impl Import<'_> {
    async fn run(&mut self, tell: impl FnOnce(&str)) -> Result<Outcome> {
        let found = self.compare().await?;
        let told = found.told();
        if told.is_none() && !found.is_missing {
            return Ok(Outcome::Present);
        }
        if let Some(what) = &told {
            tell(what);
            self.forget().await?;
        }
        self.make(told.is_some()).await?;
        let again = self.compare().await?;
        let missing = again.is_missing.then(|| "something is missing".to_owned());
        match again.told().or(missing) {
            Some(what) => Err(Error::Differs { reference: self.reference.to_owned(), what }),
            None => Ok(Outcome::Imported),
        }
    }

    async fn compare(&mut self) -> Result<Findings> {
        let mut found = Store::new(self.channel).compare(self.archive, self.image, self.reference).await?;
        let folders = match Snapshots::new(self.channel, self.image).folders().await {
            Ok(Some(folders)) => folders,
            Ok(None) => {
                found.is_missing = true;
                return Ok(found);
            }
            // containerd's book of snapshots lies on the state partition too.
            Err(error) => {
                found.differs(error.to_string());
                return Ok(found);
            }
        };
        if folders.len() != self.image.layers.len() {
            found.differs(format!("{} layers are unpacked", folders.len()));
            return Ok(found);
        }
        for (folder, blob) in folders.iter().zip(&self.image.layers) {
            match self.compare_layer(folder, blob)? {
                Ok(differences) => differences.into_iter().for_each(|what| found.differs(what)),
                Err(reason) => found.differs(format!("{}: {reason}", folder.display())),
            }
        }
        Ok(found)
    }

    /// What differs in an unpacked layer, or why its folder is not one of the snapshotter's.
    fn compare_layer(&mut self, folder: &Path, blob: &Descriptor) -> Result<std::result::Result<Vec<String>, String>> {
        let root = self.root.join(SNAPSHOTTER_ROOT);
        let Ok(below) = folder.strip_prefix(&root) else { return Ok(Err("not the snapshotter's".to_owned())) };
        let opened = compare::open_folder(&root)
            .and_then(|root| compare::open_below(root.as_fd(), below, compare::FOLDER).map_err(Into::into));
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let mut tar = self.archive.section(blob)?;
        let compared = layer::read(&mut tar).and_then(|layer| compare::compare(opened.as_fd(), &layer, &mut tar));
        compared.map(Ok).map_err(|source| self.archive.failed(source))
    }

    /// Takes its names and blobs away.
    async fn forget(&self) -> Result<()> {
        let store = Store::new(self.channel);
        store.forget(self.image, self.reference).await?;
        store.clear(self.image, self.root).await
    }

    /// Makes what is missing. Under a lease the garbage collector leaves alone what no image refers to yet. Its id is the
    /// image's, so that an import that was cut off is taken up, and its lease ended, by the next boot's.
    async fn make(&mut self, collect: bool) -> Result<()> {
        let id = format!("orlop-import-{}", self.image.manifest.digest.replace(':', "-"));
        let lease = Lease::new(self.channel, &id);
        lease.begin().await?;
        let leased = self.channel.with_lease(&id);
        let snapshots = Snapshots::new(&leased, self.image);
        if !snapshots.clear().await? {
            // Nothing refers to them any more.
            Lease::new(self.channel, "orlop-collect").collect().await?;
        }
        let store = Store::new(&leased);
        for blob in self.image.blobs() {
            lease.keep(&blob.digest).await?;
            store.write_missing(self.archive, self.image, blob).await?;
        }
        snapshots.unpack().await?;
        store.record(self.image, self.reference).await?;
        store.await_known(self.image, self.reference).await?;
        lease.end(collect).await
    }
}
