//! containerd's blobs and image names.

use crate::archive::{Archive, Descriptor, Image};
use crate::channel::Channel;
use crate::import::Findings;
use crate::proto::content::content_client::ContentClient;
use crate::proto::content::{
    DeleteContentRequest, Info, InfoRequest, ReadContentRequest, UpdateRequest, WriteAction, WriteContentRequest,
};
use crate::proto::images::images_client::ImagesClient;
use crate::proto::images::{
    CreateImageRequest, DeleteImageRequest, GetImageRequest, Image as Record, UpdateImageRequest,
};
use crate::proto::runtime::image_service_client::ImageServiceClient;
use crate::proto::runtime::{ImageSpec, ImageStatusRequest, RemoveImageRequest};
use crate::proto::types;
use crate::snapshots::SNAPSHOTTER;
use crate::{Error, Result, compare, unless};
use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

/// Makes it an image of containerd's CRI plugin, and one that kubelet never removes.
const LABELS: [(&str, &str); 2] = [("io.cri-containerd.image", "managed"), ("io.cri-containerd.pinned", "pinned")];
/// Bytes in one message; containerd takes 16 MiB, and twice this much is in memory at once.
const CHUNK: u64 = 1 << 20;
/// Where the blobs lie under containerd's root.
const BLOBS: &str = "io.containerd.content.v1.content/blobs/sha256";
/// How often CRI is asked whether it has heard of a name, and for how long. There is no event for it.
const PAUSE: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(60);

/// containerd's stores, of blobs and of image names, and what its CRI plugin remembers of them.
pub struct Store {
    content: ContentClient<Channel>,
    images: ImagesClient<Channel>,
    cri: ImageServiceClient<Channel>,
    blobs: PathBuf,
}

impl Store {
    /// Those behind the channel, of the containerd whose root is `root`.
    pub fn new(channel: &Channel, root: &Path) -> Self {
        Self {
            content: ContentClient::with_origin(channel.clone(), Channel::origin()),
            images: ImagesClient::with_origin(channel.clone(), Channel::origin()),
            cri: ImageServiceClient::with_origin(channel.clone(), Channel::origin()),
            blobs: root.join(BLOBS),
        }
    }

    /// Compares the name and every blob with the archive's.
    pub async fn compare<R: Read + Seek>(
        &self,
        archive: &mut Archive<R>,
        image: &Image,
        reference: &str,
    ) -> Result<Findings> {
        let mut found = Findings::default();
        match self.image(reference).await? {
            None => found.is_missing = true,
            Some(record) => {
                let target = record.target.map(|target| target.digest).unwrap_or_default();
                let known = self.known(reference).await?;
                if target != image.manifest.digest {
                    found.differs(format!("its name points to {target}"));
                } else if record.labels != name_labels() {
                    found.differs("its name has other labels");
                } else if known.as_ref() != Some(&image.config.digest) {
                    found.differs(format!("it stands for {}", known.as_deref().unwrap_or("nothing")));
                }
            }
        }
        for blob in image.blobs() {
            match self.info(&blob.digest).await? {
                None => found.is_missing = true,
                Some(info) => {
                    found.is_missing |= !holds(&info.labels, &image.labels(blob, SNAPSHOTTER));
                    if let Some(what) = self.compare_blob(archive, blob).await? {
                        found.differs(format!("blob {}: {what}", blob.digest));
                    }
                }
            }
        }
        Ok(found)
    }

    /// What differs in a blob. What containerd cannot read differs too. It opens whatever lies there: a pipe would never
    /// be answered, and behind a link or a second name somebody could write to it later.
    async fn compare_blob<R: Read + Seek>(
        &self,
        archive: &mut Archive<R>,
        blob: &Descriptor,
    ) -> Result<Option<String>> {
        match compare::file(&self.blobs, file_name(blob), blob.size) {
            Ok(None) => {}
            Ok(what) => return Ok(what),
            Err(error) => return Ok(Some(format!("cannot be read: {error}"))),
        }
        let request = ReadContentRequest { digest: blob.digest.clone(), offset: 0, size: 0 };
        let unreadable = |status: Status| Ok(Some(format!("cannot be read: {}", status.message())));
        let mut parts = match self.content.clone().read(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return unreadable(status),
        };
        let mut at = 0;
        loop {
            match parts.message().await {
                Ok(Some(part)) => {
                    let length = part.data.len() as u64;
                    if archive.chunk(blob, at, length)? != part.data {
                        return Ok(Some("content".to_owned()));
                    }
                    at += length;
                }
                Ok(None) if Ok(at) == u64::try_from(blob.size) => return Ok(None),
                Ok(None) => return Ok(Some(format!("{at} bytes"))),
                Err(status) => return unreadable(status),
            }
        }
    }

    /// The image that CRI takes a name or an id for. It remembers an image's configuration from when it first saw it.
    async fn known(&self, name: &str) -> Result<Option<String>> {
        let request = ImageStatusRequest { image: Some(ImageSpec { image: name.to_owned() }) };
        let status = self.cri.clone().image_status(request).await;
        let status = status.map_err(Error::call(format!("image {name} of CRI")))?;
        Ok(status.into_inner().image.map(|image| image.id))
    }

    /// Waits until CRI takes the name for this image: it hears of names a moment after they were made.
    pub async fn await_known(&self, image: &Image, reference: &str) -> Result<()> {
        let known = async {
            while self.known(reference).await?.as_ref() != Some(&image.config.digest) {
                tokio::time::sleep(PAUSE).await;
            }
            Ok(())
        };
        let silent = |_| Error::Silent { what: "image that was made" };
        tokio::time::timeout(PATIENCE, known).await.map_err(silent)?
    }

    /// Has CRI forget the name, the image and every name of it, its own memory included.
    pub async fn forget(&self, reference: &str, image: Option<&Image>) -> Result<()> {
        for name in std::iter::once(reference).chain(image.map(|image| image.config.digest.as_str())) {
            let failed = || Error::call(format!("removing image {name}"));
            let request = RemoveImageRequest { image: Some(ImageSpec { image: name.to_owned() }) };
            self.cri.clone().remove_image(request).await.map_err(failed())?;
            // Of a name that it has not heard of, CRI says that it is gone.
            let request = DeleteImageRequest { name: name.to_owned(), sync: false };
            unless(Code::NotFound, self.images.clone().delete(request).await).map_err(failed())?;
        }
        match self.known(reference).await? {
            None => Ok(()),
            Some(_) => Err(Error::Known { reference: reference.to_owned() }),
        }
    }

    /// Takes all blobs away: from containerd's book, and from the disk, so that none can be taken up again unread.
    pub async fn clear(&self, image: &Image) -> Result<()> {
        for blob in image.blobs() {
            let request = DeleteContentRequest { digest: blob.digest.clone() };
            let deleted = self.content.clone().delete(request).await;
            unless(Code::NotFound, deleted).map_err(Error::call(format!("removing blob {}", blob.digest)))?;
            let name = file_name(blob);
            let unlinked = compare::unlink(&self.blobs, name);
            unlinked.map_err(|source| Error::State { path: self.blobs.join(name), source })?;
        }
        Ok(())
    }

    async fn image(&self, reference: &str) -> Result<Option<Record>> {
        let request = GetImageRequest { name: reference.to_owned() };
        let got = self.images.clone().get(request).await;
        unless(Code::NotFound, got)
            .map(|answer| answer.and_then(|answer| answer.into_inner().image))
            .map_err(Error::call(format!("image {reference}")))
    }

    async fn info(&self, digest: &str) -> Result<Option<Info>> {
        let request = InfoRequest { digest: digest.to_owned() };
        let got = self.content.clone().info(request).await;
        unless(Code::NotFound, got)
            .map(|answer| answer.and_then(|answer| answer.into_inner().info))
            .map_err(Error::call(format!("blob {digest}")))
    }

    /// Writes the blob unless it is there; it has its labels afterwards, whoever wrote it.
    pub async fn write_missing<R: Read + Seek>(
        &self,
        archive: &mut Archive<R>,
        image: &Image,
        blob: &Descriptor,
    ) -> Result<()> {
        let labels = image.labels(blob, SNAPSHOTTER);
        match self.info(&blob.digest).await? {
            None => {
                archive.check(blob)?;
                self.write(archive, blob, labels).await
            }
            Some(info) if !holds(&info.labels, &labels) => self.label(blob, labels).await,
            Some(_) => Ok(()),
        }
    }

    /// One stream: chunks, then the commit, of which containerd checks digest and size once more.
    async fn write<R: Read + Seek>(
        &self,
        archive: &mut Archive<R>,
        blob: &Descriptor,
        labels: BTreeMap<String, String>,
    ) -> Result<()> {
        let (sender, receiver) = mpsc::channel(1);
        let mut client = self.content.clone();
        let writing = tokio::spawn(async move { finish(client.write(ReceiverStream::new(receiver)).await).await });
        let mut at = 0;
        loop {
            let data = archive.chunk(blob, at, CHUNK)?;
            let is_end = data.is_empty();
            let length = data.len() as u64;
            let request = WriteContentRequest {
                action: if is_end { WriteAction::Commit } else { WriteAction::Write } as i32,
                r#ref: format!("orlop-import-{}", blob.digest),
                total: blob.size,
                expected: blob.digest.clone(),
                offset: i64::try_from(at).unwrap_or(i64::MAX),
                data,
                labels: if is_end { labels.clone().into_iter().collect() } else { HashMap::new() },
            };
            // A refused write closes the channel: the stream's own error says more than this one.
            if sender.send(request).await.is_err() || is_end {
                break;
            }
            at += length;
        }
        drop(sender);
        let written = writing.await.unwrap_or_else(|error| Err(Status::internal(error.to_string())));
        unless(Code::AlreadyExists, written).map(drop).map_err(Error::call(format!("writing blob {}", blob.digest)))
    }

    async fn label(&self, blob: &Descriptor, labels: BTreeMap<String, String>) -> Result<()> {
        let paths = labels.keys().map(|key| format!("labels.{key}")).collect();
        let request = UpdateRequest {
            info: Some(Info { digest: blob.digest.clone(), size: blob.size, labels: labels.into_iter().collect() }),
            update_mask: Some(prost_types::FieldMask { paths }),
        };
        let updated = self.content.clone().update(request).await;
        updated.map(drop).map_err(Error::call(format!("labels of blob {}", blob.digest)))
    }

    /// Makes the name point to the manifest; a name that points elsewhere (an older release's image) is moved.
    pub async fn record(&self, image: &Image, reference: &str) -> Result<()> {
        let record = Record {
            name: reference.to_owned(),
            labels: name_labels(),
            target: Some(types::Descriptor {
                media_type: image.manifest.media_type.clone(),
                digest: image.manifest.digest.clone(),
                size: image.manifest.size,
                annotations: HashMap::new(),
            }),
        };
        let request = CreateImageRequest { image: Some(record.clone()) };
        let created = self.images.clone().create(request).await;
        let created = unless(Code::AlreadyExists, created).map_err(Error::call(format!("making image {reference}")))?;
        if created.is_some() {
            return Ok(());
        }
        let request = UpdateImageRequest { image: Some(record), update_mask: None };
        let updated = self.images.clone().update(request).await;
        updated.map(drop).map_err(Error::call(format!("moving image {reference}")))
    }
}

/// Reads the answers to the end: the last one comes when the blob is committed.
async fn finish(
    answers: std::result::Result<
        tonic::Response<tonic::Streaming<crate::proto::content::WriteContentResponse>>,
        Status,
    >,
) -> std::result::Result<(), Status> {
    let mut answers = answers?.into_inner();
    while answers.message().await?.is_some() {}
    Ok(())
}

/// A blob's name on the disk.
fn file_name(blob: &Descriptor) -> &str {
    blob.digest.trim_start_matches("sha256:")
}

fn name_labels() -> HashMap<String, String> {
    LABELS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn holds(labels: &HashMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key).is_some_and(|label| label == value))
}
