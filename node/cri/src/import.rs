//! `import`: a carried image becomes one of containerd's, pinned, so that neither kubelet's image collection nor
//! containerd's garbage collection takes it away.
//!
//! The second boot is the common case, and quick: two kinds of questions, no writes.

use crate::archive::{Archive, Descriptor, Image};
use crate::channel::Channel;
use crate::proto::content::content_client::ContentClient;
use crate::proto::content::{Info, InfoRequest, UpdateRequest, WriteAction, WriteContentRequest};
use crate::proto::images::images_client::ImagesClient;
use crate::proto::images::{CreateImageRequest, GetImageRequest, Image as Record, UpdateImageRequest};
use crate::proto::leases::leases_client::LeasesClient;
use crate::proto::leases::{AddResourceRequest, CreateRequest, DeleteRequest, Resource};
use crate::proto::types;
use crate::{Error, Result};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{Read, Seek};
use std::path::Path;
use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

/// Makes it an image of containerd's CRI plugin, and one that kubelet never removes.
const LABELS: [(&str, &str); 2] = [("io.cri-containerd.image", "managed"), ("io.cri-containerd.pinned", "pinned")];
/// Bytes in one message; containerd takes 16 MiB, and twice this much is in memory at once.
const CHUNK: u64 = 1 << 20;

/// What an import found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The image was there already, whole and with its labels.
    Present,
    /// It was made, or made whole.
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

/// Imports the archive's image under the name `reference`.
pub async fn import(channel: &Channel, file: &Path, reference: &str) -> Result<Outcome> {
    let mut archive = Archive::open(file)?;
    let image = archive.image(reference)?;
    let store = Store::new(channel);
    if store.is_present(&image, reference).await? {
        return Ok(Outcome::Present);
    }

    // Under a lease the garbage collector leaves alone what no image refers to yet. Its id is the image's, so that an
    // import that was cut off is taken up, and its lease ended, by the next boot's.
    let lease = format!("orlop-import-{}", image.manifest.digest.replace(':', "-"));
    let leases = Leases::new(channel, &lease);
    leases.begin().await?;
    let leased = Store::new(&channel.with_lease(&lease));
    for blob in image.blobs() {
        leases.keep(&blob.digest).await?;
        leased.write_missing(&mut archive, &image, blob).await?;
    }
    leased.record(&image, reference).await?;
    leases.end().await?;
    Ok(Outcome::Imported)
}

/// The lease of one import.
struct Leases<'a> {
    client: LeasesClient<Channel>,
    id: &'a str,
}

impl<'a> Leases<'a> {
    fn new(channel: &Channel, id: &'a str) -> Self {
        Self { client: LeasesClient::with_origin(channel.clone(), Channel::origin()), id }
    }

    async fn begin(&self) -> Result<()> {
        let request = CreateRequest { id: self.id.to_owned(), labels: HashMap::new() };
        let made = self.client.clone().create(request).await;
        unless(Code::AlreadyExists, made).map(drop).map_err(Error::call(format!("lease {}", self.id)))
    }

    /// A blob that is there already is under the lease from before it is looked for: it cannot go in between.
    async fn keep(&self, digest: &str) -> Result<()> {
        let request = AddResourceRequest {
            id: self.id.to_owned(),
            resource: Some(Resource { id: digest.to_owned(), r#type: "content".to_owned() }),
        };
        let added = self.client.clone().add_resource(request).await;
        unless(Code::AlreadyExists, added).map(drop).map_err(Error::call(format!("lease {} for {digest}", self.id)))
    }

    async fn end(&self) -> Result<()> {
        let request = DeleteRequest { id: self.id.to_owned(), sync: false };
        let ended = self.client.clone().delete(request).await;
        unless(Code::NotFound, ended).map(drop).map_err(Error::call(format!("end of lease {}", self.id)))
    }
}

/// containerd's two stores, of blobs and of image names.
struct Store {
    content: ContentClient<Channel>,
    images: ImagesClient<Channel>,
}

impl Store {
    fn new(channel: &Channel) -> Self {
        Self {
            content: ContentClient::with_origin(channel.clone(), Channel::origin()),
            images: ImagesClient::with_origin(channel.clone(), Channel::origin()),
        }
    }

    /// Whether the name, its labels and every blob are there.
    async fn is_present(&self, image: &Image, reference: &str) -> Result<bool> {
        let Some(record) = self.image(reference).await? else {
            return Ok(false);
        };
        let same = record.target.is_some_and(|target| target.digest == image.manifest.digest);
        let labelled = LABELS.iter().all(|(key, value)| record.labels.get(*key).is_some_and(|label| label == value));
        if !same || !labelled {
            return Ok(false);
        }
        for blob in image.blobs() {
            let Some(info) = self.info(&blob.digest).await? else {
                return Ok(false);
            };
            if blob == &image.manifest && !holds(&info.labels, &image.manifest_labels()) {
                return Ok(false);
            }
        }
        Ok(true)
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

    /// Writes the blob unless it is there; the manifest has its labels afterwards, whoever wrote it.
    async fn write_missing<R: Read + Seek>(
        &self,
        archive: &mut Archive<R>,
        image: &Image,
        blob: &Descriptor,
    ) -> Result<()> {
        let labels = if blob == &image.manifest { image.manifest_labels() } else { BTreeMap::new() };
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
    async fn record(&self, image: &Image, reference: &str) -> Result<()> {
        let record = Record {
            name: reference.to_owned(),
            labels: LABELS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
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

/// `Ok(None)` where the answer is the expected "no".
fn unless<T>(expected: Code, answer: std::result::Result<T, Status>) -> std::result::Result<Option<T>, Status> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(status) if status.code() == expected => Ok(None),
        Err(status) => Err(status),
    }
}

fn holds(labels: &HashMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key).is_some_and(|label| label == value))
}
