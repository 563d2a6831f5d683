//! containerd's unpacked layers.

use crate::archive::{Descriptor, Image};
use crate::channel::Channel;
use crate::proto::diff::ApplyRequest;
use crate::proto::diff::diff_client::DiffClient;
use crate::proto::snapshots::snapshots_client::SnapshotsClient;
use crate::proto::snapshots::{
    CommitSnapshotRequest, ListSnapshotsRequest, PrepareSnapshotRequest, RemoveSnapshotRequest, ViewSnapshotRequest,
};
use crate::proto::types::{self, Mount};
use crate::{Error, Result, unless};
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use tonic::Code;

/// The only one that containerd's configuration leaves on.
pub const SNAPSHOTTER: &str = "overlayfs";

/// The snapshots of one image.
pub struct Snapshots<'a> {
    client: SnapshotsClient<Channel>,
    diff: DiffClient<Channel>,
    image: &'a Image,
}

impl<'a> Snapshots<'a> {
    /// Those of the image.
    pub fn new(channel: &Channel, image: &'a Image) -> Self {
        Self {
            client: SnapshotsClient::with_origin(channel.clone(), Channel::origin()),
            diff: DiffClient::with_origin(channel.clone(), Channel::origin()),
            image,
        }
    }

    /// Where the layers lie that a container of this image would be started on, lowest first: asked for as containerd's
    /// CRI does, by the image's chain. Nothing where the chain is not there.
    pub async fn folders(&self) -> Result<Option<Vec<PathBuf>>> {
        let Some(top) = self.image.chain().pop() else { return Ok(Some(Vec::new())) };
        let key = format!("orlop-compare-{}", self.image.manifest.digest);
        // Left by a boot that was cut off, or planted: only one that was made now says what a container would get.
        self.remove(&key).await?;
        let request = ViewSnapshotRequest { snapshotter: SNAPSHOTTER.into(), key: key.clone(), parent: top.clone() };
        let viewed = unless(Code::NotFound, self.client.clone().view(request).await);
        let Some(answer) = viewed.map_err(Error::call(format!("snapshot {top}")))? else { return Ok(None) };
        self.remove(&key).await?;
        Ok(Some(layers(&answer.into_inner().mounts)))
    }

    /// Unpacks layer by layer; what is there already stays, and is compared afterwards.
    pub async fn unpack(&self) -> Result<()> {
        let mut below = String::new();
        for (layer, name) in self.image.layers.iter().zip(self.image.chain()) {
            self.unpack_one(layer, &name, std::mem::replace(&mut below, name.clone())).await?;
        }
        Ok(())
    }

    async fn unpack_one(&self, layer: &Descriptor, name: &str, below: String) -> Result<()> {
        let key = format!("orlop-unpack-{}-{name}", self.image.manifest.digest);
        self.remove(&key).await?;
        let request = PrepareSnapshotRequest { snapshotter: SNAPSHOTTER.into(), key: key.clone(), parent: below };
        let prepared = self.client.clone().prepare(request).await;
        let mounts = prepared.map_err(Error::call(format!("folder for layer {}", layer.digest)))?.into_inner().mounts;
        let diff = types::Descriptor {
            media_type: layer.media_type.clone(),
            digest: layer.digest.clone(),
            size: layer.size,
            annotations: HashMap::new(),
        };
        let applied = self.diff.clone().apply(ApplyRequest { diff: Some(diff), mounts, sync_fs: false }).await;
        applied.map_err(Error::call(format!("unpacking layer {}", layer.digest)))?;
        let request =
            CommitSnapshotRequest { snapshotter: SNAPSHOTTER.into(), name: name.to_owned(), key: key.clone() };
        let committed = self.client.clone().commit(request).await;
        match unless(Code::AlreadyExists, committed).map_err(Error::call(format!("snapshot {name}")))? {
            Some(_) => Ok(()),
            None => self.remove(&key).await,
        }
    }

    /// Takes the layers away and all that was started on them: of an earlier boot, for nothing runs yet. Whether nothing of
    /// them is left: the garbage collector takes a snapshot without striking it from its parent's list of children, and
    /// such a parent can be taken by the collector alone.
    pub async fn clear(&self) -> Result<bool> {
        let mut list = Vec::new();
        let request = ListSnapshotsRequest { snapshotter: SNAPSHOTTER.into(), filters: Vec::new() };
        let listed = async {
            let mut parts = self.client.clone().list(request).await?.into_inner();
            while let Some(part) = parts.message().await? {
                list.extend(part.info);
            }
            Ok(())
        };
        listed.await.map_err(Error::call("list of snapshots"))?;
        let mut doomed: Vec<String> = self.image.chain();
        let mut known: BTreeSet<String> = doomed.iter().cloned().collect();
        let mut at = 0;
        while let Some(parent) = doomed.get(at).cloned() {
            let children = list.iter().filter(|info| info.parent == parent).map(|info| info.name.clone());
            doomed.extend(children.filter(|child| known.insert(child.clone())).collect::<Vec<_>>());
            at += 1;
        }
        // The chain begins with the lowest, and what stands on it comes after it.
        let mut is_clear = true;
        for name in doomed.iter().rev() {
            match self.remove(name).await {
                Err(Error::Call { status, .. }) if status.code() == Code::FailedPrecondition => is_clear = false,
                removed => removed?,
            }
        }
        Ok(is_clear)
    }

    async fn remove(&self, key: &str) -> Result<()> {
        let request = RemoveSnapshotRequest { snapshotter: SNAPSHOTTER.into(), key: key.to_owned() };
        let removed = self.client.clone().remove(request).await;
        unless(Code::NotFound, removed).map(drop).map_err(Error::call(format!("removing snapshot {key}")))
    }
}

/// The folders that a mount shows, lowest first.
fn layers(mounts: &[Mount]) -> Vec<PathBuf> {
    let of = |mount: &Mount| match mount.r#type.as_str() {
        "overlay" => {
            let lower = mount.options.iter().find_map(|option| option.strip_prefix("lowerdir="));
            lower.unwrap_or_default().split(':').rev().map(PathBuf::from).collect::<Vec<_>>()
        }
        _ => vec![PathBuf::from(&mount.source)],
    };
    mounts.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_layer_comes_first() {
        let mount = |kind: &str, source: &str, options: &[&str]| Mount {
            r#type: kind.into(),
            source: source.into(),
            target: String::new(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
        };
        assert_eq!(layers(&[mount("bind", "/s/1/fs", &["ro", "rbind"])]), [PathBuf::from("/s/1/fs")]);
        let two = layers(&[mount("overlay", "overlay", &["index=off", "lowerdir=/s/2/fs:/s/1/fs"])]);
        assert_eq!(two, [PathBuf::from("/s/1/fs"), PathBuf::from("/s/2/fs")]);
    }
}
