//! Content, images, leases.

use super::proto::content::content_server::Content;
use super::proto::images::images_server::Images;
use super::proto::leases::leases_server::Leases;
use super::{Blob, Fake, World, lease};
use orlop_cri::proto::content::*;
use orlop_cri::proto::images::*;
use orlop_cri::proto::leases::{AddResourceRequest, CreateRequest, CreateResponse, DeleteRequest, Lease};
use sha2::{Digest, Sha256};
use std::collections::btree_map::Entry;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use tonic::codegen::tokio_stream::{self, Iter};
use tonic::{Request, Response, Status, Streaming};

fn info_of(world: &World, digest: &str) -> Result<Info, Status> {
    let blob = world.blobs.get(digest).ok_or_else(|| Status::not_found(digest))?;
    Ok(Info { digest: digest.to_owned(), size: blob.size as i64, labels: blob.labels.clone() })
}

#[tonic::async_trait]
impl Content for Fake {
    async fn info(&self, request: Request<InfoRequest>) -> Result<Response<InfoResponse>, Status> {
        lease(&request)?;
        let info = info_of(&self.world(), &request.get_ref().digest)?;
        Ok(Response::new(InfoResponse { info: Some(info) }))
    }

    async fn update(&self, request: Request<UpdateRequest>) -> Result<Response<UpdateResponse>, Status> {
        lease(&request)?;
        let UpdateRequest { info, update_mask } = request.into_inner();
        let info = info.ok_or_else(|| Status::invalid_argument("no info"))?;
        let mut world = self.world();
        let blob = world.blobs.get_mut(&info.digest).ok_or_else(|| Status::not_found(&info.digest))?;
        for path in update_mask.unwrap_or_default().paths {
            let key = path.strip_prefix("labels.").ok_or_else(|| Status::invalid_argument(&path))?;
            let value = info.labels.get(key).ok_or_else(|| Status::invalid_argument(key))?;
            blob.labels.insert(key.to_owned(), value.clone());
        }
        world.log.push(format!("label {}", info.digest));
        Ok(Response::new(UpdateResponse { info: None }))
    }

    async fn delete(&self, request: Request<DeleteContentRequest>) -> Result<Response<()>, Status> {
        lease(&request)?;
        let digest = &request.get_ref().digest;
        self.world().blobs.remove(digest).ok_or_else(|| Status::not_found(digest))?;
        Ok(Response::new(()))
    }

    type ReadStream = Iter<std::vec::IntoIter<Result<ReadContentResponse, Status>>>;

    async fn read(&self, request: Request<ReadContentRequest>) -> Result<Response<Self::ReadStream>, Status> {
        lease(&request)?;
        let digest = &request.get_ref().digest;
        info_of(&self.world(), digest)?;
        // As containerd does, which opens whatever lies there.
        let is_pipe = fs::symlink_metadata(self.blob(digest)).is_ok_and(|data| data.file_type().is_fifo());
        if is_pipe || self.is_silent(digest) {
            std::future::pending::<()>().await;
        }
        let data = fs::read(self.blob(digest)).map_err(|error| Status::not_found(error.to_string()))?;
        let parts: Vec<_> =
            data.chunks(1000).map(|part| Ok(ReadContentResponse { offset: 0, data: part.to_vec() })).collect();
        Ok(Response::new(tokio_stream::iter(parts)))
    }

    type WriteStream = Iter<std::vec::IntoIter<Result<WriteContentResponse, Status>>>;

    async fn write(
        &self,
        request: Request<Streaming<WriteContentRequest>>,
    ) -> Result<Response<Self::WriteStream>, Status> {
        let lease = lease(&request)?;
        let mut messages = request.into_inner();
        let mut data = Vec::new();
        while let Some(message) = messages.message().await? {
            if message.offset != 0 && message.offset as usize != data.len() {
                return Err(Status::out_of_range(format!("{} is not {}", message.offset, data.len())));
            }
            data.extend_from_slice(&message.data);
            if message.action() == WriteAction::Commit {
                let answer = commit(self, lease, message, &data)?;
                return Ok(Response::new(tokio_stream::iter(vec![Ok(answer)])));
            }
        }
        Err(Status::aborted("no commit"))
    }
}

fn commit(
    fake: &Fake,
    lease: Option<String>,
    message: WriteContentRequest,
    data: &[u8],
) -> Result<WriteContentResponse, Status> {
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(data)));
    if digest != message.expected || message.total as usize != data.len() {
        return Err(Status::failed_precondition("unexpected commit digest or size"));
    }
    let mut world = fake.world();
    let protected = lease.and_then(|lease| world.leases.get(&lease)).is_some_and(|blobs| blobs.contains(&digest));
    if !protected {
        return Err(Status::failed_precondition(format!("{digest} is not under a lease: it would be collected")));
    }
    world.log.push(format!("write {digest}"));
    world.blobs.insert(digest.clone(), Blob { size: data.len(), labels: message.labels });
    // As containerd does: what its book does not have and the disk has is taken up unread.
    if !fake.blob(&digest).exists() {
        fs::write(fake.blob(&digest), data).expect("written");
    }
    Ok(WriteContentResponse { digest, ..WriteContentResponse::default() })
}

impl Fake {
    /// An image's id is its configuration's digest.
    fn id(&self, image: &Image) -> String {
        let target = image.target.as_ref().expect("a target");
        let manifest = fs::read(self.blob(&target.digest)).expect("its manifest");
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
        manifest["config"]["digest"].as_str().expect("a digest").to_owned()
    }
}

#[tonic::async_trait]
impl Images for Fake {
    async fn get(&self, request: Request<GetImageRequest>) -> Result<Response<GetImageResponse>, Status> {
        lease(&request)?;
        let name = &request.get_ref().name;
        let image = self.world().images.get(name).cloned().ok_or_else(|| Status::not_found(name))?;
        Ok(Response::new(GetImageResponse { image: Some(image) }))
    }

    async fn create(&self, request: Request<CreateImageRequest>) -> Result<Response<CreateImageResponse>, Status> {
        lease(&request)?;
        let image = request.into_inner().image.ok_or_else(|| Status::invalid_argument("no image"))?;
        let mut world = self.world();
        world.log.push(format!("create {}", image.name));
        let id = self.id(&image);
        match world.images.entry(image.name.clone()) {
            Entry::Occupied(_) => Err(Status::already_exists(image.name)),
            Entry::Vacant(place) => {
                place.insert(image.clone());
                world.known.insert(image.name, id);
                Ok(Response::new(CreateImageResponse { image: None }))
            }
        }
    }

    async fn update(&self, request: Request<UpdateImageRequest>) -> Result<Response<UpdateImageResponse>, Status> {
        lease(&request)?;
        let image = request.into_inner().image.ok_or_else(|| Status::invalid_argument("no image"))?;
        let mut world = self.world();
        world.log.push(format!("update {}", image.name));
        let id = self.id(&image);
        world.known.insert(image.name.clone(), id);
        let old = world.images.get_mut(&image.name).ok_or_else(|| Status::not_found(&image.name))?;
        *old = image;
        Ok(Response::new(UpdateImageResponse { image: None }))
    }

    async fn delete(&self, request: Request<DeleteImageRequest>) -> Result<Response<()>, Status> {
        lease(&request)?;
        let name = &request.get_ref().name;
        let mut world = self.world();
        world.images.remove(name).ok_or_else(|| Status::not_found(name))?;
        world.known.remove(name);
        Ok(Response::new(()))
    }
}

#[tonic::async_trait]
impl Leases for Fake {
    async fn create(&self, request: Request<CreateRequest>) -> Result<Response<CreateResponse>, Status> {
        lease(&request)?;
        let id = request.into_inner().id;
        match self.world().leases.entry(id.clone()) {
            Entry::Occupied(_) => Err(Status::already_exists(id)),
            Entry::Vacant(place) => {
                place.insert(Default::default());
                Ok(Response::new(CreateResponse { lease: Some(Lease { id }) }))
            }
        }
    }

    async fn delete(&self, request: Request<DeleteRequest>) -> Result<Response<()>, Status> {
        lease(&request)?;
        let DeleteRequest { id, sync } = request.into_inner();
        let mut world = self.world();
        world.leases.remove(&id).ok_or_else(|| Status::not_found(&id))?;
        if sync {
            for name in std::mem::take(&mut world.childless) {
                world.snapshots.remove(&name);
            }
        }
        Ok(Response::new(()))
    }

    async fn add_resource(&self, request: Request<AddResourceRequest>) -> Result<Response<()>, Status> {
        lease(&request)?;
        let AddResourceRequest { id, resource } = request.into_inner();
        let resource = resource.ok_or_else(|| Status::invalid_argument("no resource"))?;
        let mut world = self.world();
        let blobs = world.leases.get_mut(&id).ok_or_else(|| Status::not_found(&id))?;
        blobs.insert(resource.id);
        Ok(Response::new(()))
    }
}
