//! Snapshots, unpacking, and what CRI remembers of images.

use super::proto::diff::diff_server::Diff;
use super::proto::runtime::image_service_server::ImageService;
use super::proto::snapshots::snapshots_server::Snapshots;
use super::{Fake, Snapshot, World, lease};
use orlop_cri::proto::diff::{ApplyRequest, ApplyResponse};
use orlop_cri::proto::runtime::{
    Image, ImageStatusRequest, ImageStatusResponse, RemoveImageRequest, RemoveImageResponse,
};
use orlop_cri::proto::snapshots::*;
use orlop_cri::proto::types::Mount;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tonic::codegen::tokio_stream::{self, Iter};
use tonic::{Request, Response, Status};

impl Fake {
    fn start(&self, key: String, parent: String) -> Result<Vec<Mount>, Status> {
        let mut world = self.world();
        if world.snapshots.contains_key(&key) {
            return Err(Status::already_exists(key));
        }
        let parents = parents(&world, &parent)?;
        world.log.push(format!("start {key}"));
        world.made += 1;
        let folder = self.root().join(format!("io.containerd.snapshotter.v1.overlayfs/snapshots/{}/fs", world.made));
        fs::create_dir_all(&folder).expect("a folder");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("its mode");
        world.snapshots.insert(key, Snapshot { parent, folder: folder.clone() });
        let text = |path: &std::path::PathBuf| path.display().to_string();
        let bind = |path| Mount { r#type: "bind".into(), source: text(path), ..Mount::default() };
        Ok(vec![match parents.as_slice() {
            [] => bind(&folder),
            [one] => Mount { options: vec![format!("upperdir={}", text(&folder))], ..bind(one) },
            all => {
                let lower = all.iter().map(text).collect::<Vec<_>>().join(":");
                let options = vec![format!("lowerdir={lower}"), format!("upperdir={}", text(&folder))];
                Mount { r#type: "overlay".into(), source: "overlay".into(), options, ..Mount::default() }
            }
        }])
    }
}

/// Folders, highest first.
fn parents(world: &World, name: &str) -> Result<Vec<std::path::PathBuf>, Status> {
    let mut found = Vec::new();
    let mut name = name;
    while !name.is_empty() {
        let snapshot = world.snapshots.get(name).ok_or_else(|| Status::not_found(name))?;
        found.push(snapshot.folder.clone());
        name = &snapshot.parent;
    }
    Ok(found)
}

#[tonic::async_trait]
impl Snapshots for Fake {
    async fn prepare(
        &self,
        request: Request<PrepareSnapshotRequest>,
    ) -> Result<Response<PrepareSnapshotResponse>, Status> {
        lease(&request)?.ok_or_else(|| Status::failed_precondition("no lease: it would be collected"))?;
        let PrepareSnapshotRequest { key, parent, .. } = request.into_inner();
        Ok(Response::new(PrepareSnapshotResponse { mounts: self.start(key, parent)? }))
    }

    async fn view(&self, request: Request<ViewSnapshotRequest>) -> Result<Response<ViewSnapshotResponse>, Status> {
        lease(&request)?;
        let ViewSnapshotRequest { key, parent, .. } = request.into_inner();
        Ok(Response::new(ViewSnapshotResponse { mounts: self.start(key, parent)? }))
    }

    async fn commit(&self, request: Request<CommitSnapshotRequest>) -> Result<Response<()>, Status> {
        let CommitSnapshotRequest { name, key, .. } = request.into_inner();
        let mut world = self.world();
        if world.snapshots.contains_key(&name) {
            return Err(Status::already_exists(name));
        }
        let snapshot = world.snapshots.remove(&key).ok_or_else(|| Status::not_found(key))?;
        world.log.push(format!("commit {name}"));
        world.snapshots.insert(name, snapshot);
        Ok(Response::new(()))
    }

    async fn remove(&self, request: Request<RemoveSnapshotRequest>) -> Result<Response<()>, Status> {
        let key = request.into_inner().key;
        let mut world = self.world();
        let is_parent = world.snapshots.values().any(|snapshot| snapshot.parent == key);
        if is_parent || world.childless.contains(&key) {
            return Err(Status::failed_precondition(format!("{key} has children")));
        }
        let removed = world.snapshots.remove(&key).ok_or_else(|| Status::not_found(key))?;
        fs::remove_dir_all(removed.folder).expect("removed");
        Ok(Response::new(()))
    }

    type ListStream = Iter<std::vec::IntoIter<Result<ListSnapshotsResponse, Status>>>;

    async fn list(&self, _: Request<ListSnapshotsRequest>) -> Result<Response<Self::ListStream>, Status> {
        let world = self.world();
        let info = world.snapshots.iter().map(|(name, it)| Info { name: name.clone(), parent: it.parent.clone() });
        Ok(Response::new(tokio_stream::iter(vec![Ok(ListSnapshotsResponse { info: info.collect() })])))
    }
}

#[tonic::async_trait]
impl Diff for Fake {
    async fn apply(&self, request: Request<ApplyRequest>) -> Result<Response<ApplyResponse>, Status> {
        let ApplyRequest { diff, mounts, .. } = request.into_inner();
        let diff = diff.ok_or_else(|| Status::invalid_argument("no layer"))?;
        let layer = fs::read(self.blob(&diff.digest)).map_err(|error| Status::not_found(error.to_string()))?;
        let upper = mounts[0].options.iter().find_map(|option| option.strip_prefix("upperdir="));
        let mut archive = tar::Archive::new(layer.as_slice());
        archive.set_preserve_permissions(true);
        archive.unpack(upper.unwrap_or(&mounts[0].source)).map_err(|error| Status::internal(error.to_string()))?;
        if let Some(spoil) = &self.world().spoil {
            fs::write(std::path::Path::new(&mounts[0].source).join(spoil), "spoilt").expect("written");
        }
        Ok(Response::new(ApplyResponse { applied: Some(diff) }))
    }
}

#[tonic::async_trait]
impl ImageService for Fake {
    async fn image_status(
        &self,
        request: Request<ImageStatusRequest>,
    ) -> Result<Response<ImageStatusResponse>, Status> {
        let name = request.into_inner().image.unwrap_or_default().image;
        let id = self.world().known.get(&name).cloned();
        Ok(Response::new(ImageStatusResponse { image: id.map(|id| Image { id }) }))
    }

    async fn remove_image(
        &self,
        request: Request<RemoveImageRequest>,
    ) -> Result<Response<RemoveImageResponse>, Status> {
        let name = request.into_inner().image.unwrap_or_default().image;
        let mut world = self.world();
        if world.stuck.contains(&name) {
            return Err(Status::unavailable("it does not go"));
        }
        let id = world.known.get(&name).cloned().unwrap_or(name);
        let names: Vec<String> =
            world.known.iter().filter(|(_, its)| **its == id).map(|(name, _)| name.clone()).collect();
        for name in names {
            world.log.push(format!("forget {name}"));
            world.known.remove(&name);
            world.images.remove(&name);
        }
        Ok(Response::new(RemoveImageResponse {}))
    }
}
