//! One HTTP/2 connection over a Unix socket, as small as tonic's clients allow.
//!
//! tonic's own `Channel` brings pools, balancing and reconnection: half a megabyte that a program which makes ten
//! calls and ends has no use for.

use crate::{Error, Result};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::http::{HeaderValue, Request, Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::net::UnixStream;
use tonic::body::Body;
use tonic::codegen::Service;

/// Where containerd listens on the node.
pub const SOCKET: &str = "/run/containerd/containerd.sock";
/// The namespace that containerd's CRI plugin keeps its images and content in.
const NAMESPACE: HeaderValue = HeaderValue::from_static("k8s.io");
/// HTTP/2 wants an authority; on a Unix socket nobody reads it.
const ORIGIN: &str = "http://localhost";
/// Answers are lists of everything that runs: tonic's 4 MiB would be too few on a full node.
pub const LARGEST_ANSWER: usize = 64 << 20;

/// The connection; clones share it.
#[derive(Clone)]
pub struct Channel {
    requests: http2::SendRequest<Body>,
    lease: Option<HeaderValue>,
}

impl Channel {
    /// Connects, once.
    pub async fn connect(socket: &Path) -> Result<Self> {
        let failed = |reason: String| Error::Connect { socket: socket.to_owned(), reason };
        let stream = UnixStream::connect(socket).await.map_err(|error| failed(error.to_string()))?;
        let (requests, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .map_err(|error| failed(error.to_string()))?;
        // Ends when the last clone is dropped; what breaks it is reported by the calls that it breaks.
        tokio::spawn(connection);
        Ok(Self { requests, lease: None })
    }

    /// The same connection, whose calls keep what they make alive under the lease. The id must be visible ASCII.
    pub fn with_lease(&self, id: &str) -> Self {
        Self { requests: self.requests.clone(), lease: HeaderValue::from_str(id).ok() }
    }

    /// The address that clients are made with.
    pub fn origin() -> Uri {
        Uri::from_static(ORIGIN)
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.requests.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let headers = request.headers_mut();
        headers.insert("containerd-namespace", NAMESPACE);
        if let Some(lease) = &self.lease {
            headers.insert("containerd-lease", lease.clone());
        }
        Box::pin(self.requests.send_request(request))
    }
}
