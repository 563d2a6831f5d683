//! A containerd in this process, on a Unix socket: it keeps what it is told in a [`World`] that tests look into, and
//! refuses what the real one refuses.
#![allow(dead_code)] // Each test file uses its part.

mod runtime;
mod snapshots;
mod stores;

use orlop_cri::channel::Channel;
use orlop_cri::proto::images::Image;
use orlop_cri::proto::runtime::{Container, ContainerEventResponse, PodSandbox};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Status};

/// The generated server side.
#[allow(missing_docs, clippy::all, unused_qualifications)]
pub mod proto {
    #[rustfmt::skip]
    #[path = "containerd.services.content.v1.rs"]
    pub mod content;
    #[rustfmt::skip]
    #[path = "containerd.services.diff.v1.rs"]
    pub mod diff;
    #[rustfmt::skip]
    #[path = "containerd.services.images.v1.rs"]
    pub mod images;
    #[rustfmt::skip]
    #[path = "containerd.services.leases.v1.rs"]
    pub mod leases;
    #[rustfmt::skip]
    #[path = "containerd.services.snapshots.v1.rs"]
    pub mod snapshots;
    #[rustfmt::skip]
    #[path = "runtime.v1.rs"]
    pub mod runtime;
}

/// A committed blob.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Blob {
    pub size: usize,
    pub labels: HashMap<String, String>,
}

/// An unpacked layer, or what stands on one.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub parent: String,
    pub folder: PathBuf,
}

/// Everything that the fake knows.
#[derive(Default)]
pub struct World {
    pub blobs: BTreeMap<String, Blob>,
    pub images: BTreeMap<String, Image>,
    /// What CRI remembers: name → id.
    pub known: BTreeMap<String, String>,
    pub snapshots: BTreeMap<String, Snapshot>,
    /// Snapshots whose list of children has some who are gone: only the collector takes them.
    pub childless: BTreeSet<String>,
    /// How many there ever were.
    pub made: u32,
    /// A file that unpacking brings along, wrongly.
    pub spoil: Option<String>,
    /// Lease → digests under it.
    pub leases: BTreeMap<String, BTreeSet<String>>,
    pub sandboxes: Vec<PodSandbox>,
    pub containers: Vec<Container>,
    /// Of ended containers.
    pub exit_codes: BTreeMap<String, i32>,
    /// Containers that cannot be stopped, images that cannot be removed.
    pub stuck: BTreeSet<String>,
    /// Containers whose stop, and blobs whose content, is never answered.
    pub silent: BTreeSet<String>,
    /// Whether GetContainerEvents is offered.
    pub offers_events: bool,
    pub listeners: Vec<mpsc::UnboundedSender<Result<ContainerEventResponse, Status>>>,
    /// Calls that change something, in order.
    pub log: Vec<String>,
}

/// The world, and a folder for what lies on the disk, shared by the services and the test.
#[derive(Clone)]
pub struct Fake(Arc<Mutex<World>>, Arc<TempDir>);

impl Default for Fake {
    fn default() -> Self {
        Self(Arc::default(), Arc::new(tempfile::tempdir().expect("a folder")))
    }
}

impl Fake {
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().expect("no test panicked while it held the world")
    }

    /// containerd's root.
    pub fn root(&self) -> PathBuf {
        self.1.path().canonicalize().expect("a path")
    }

    /// Where a blob lies.
    pub fn blob(&self, digest: &str) -> PathBuf {
        let folder = self.root().join("io.containerd.content.v1.content/blobs/sha256");
        std::fs::create_dir_all(&folder).expect("a folder");
        folder.join(digest.trim_start_matches("sha256:"))
    }

    fn is_silent(&self, name: &str) -> bool {
        self.world().silent.contains(name)
    }

    /// Changes the world and tells the listeners of events.
    pub fn happen(&self, change: impl FnOnce(&mut World)) {
        let mut world = self.world();
        change(&mut world);
        for listener in &world.listeners {
            let _ = listener.send(Ok(ContainerEventResponse::default()));
        }
    }
}

/// Serves the fake and runs the test against it, on one thread.
pub fn against<F: Future>(fake: &Fake, test: impl FnOnce(Channel) -> F) -> F::Output {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("socket");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::UnixListener::bind(&socket).expect("a socket");
        let server = tonic::transport::Server::builder()
            .add_service(proto::content::content_server::ContentServer::new(fake.clone()))
            .add_service(proto::diff::diff_server::DiffServer::new(fake.clone()))
            .add_service(proto::snapshots::snapshots_server::SnapshotsServer::new(fake.clone()))
            .add_service(proto::runtime::image_service_server::ImageServiceServer::new(fake.clone()))
            .add_service(proto::images::images_server::ImagesServer::new(fake.clone()))
            .add_service(proto::leases::leases_server::LeasesServer::new(fake.clone()))
            .add_service(proto::runtime::runtime_service_server::RuntimeServiceServer::new(fake.clone()));
        tokio::spawn(server.serve_with_incoming(UnixListenerStream::new(listener)));
        test(Channel::connect(&socket).await.expect("connected")).await
    })
}

/// The call's lease; containerd's own services refuse a call without a namespace.
fn lease<T>(request: &Request<T>) -> Result<Option<String>, Status> {
    let header = |name: &str| {
        let value = request.metadata().get(name)?;
        Some(value.to_str().expect("visible ASCII").to_owned())
    };
    match header("containerd-namespace").as_deref() {
        Some("k8s.io") => Ok(header("containerd-lease")),
        other => Err(Status::failed_precondition(format!("namespace {other:?}"))),
    }
}
