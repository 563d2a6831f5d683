//! TLS before a server that speaks none: each connection is decrypted and forwarded.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

use super::Namespace;
use super::accepting::Accepting;
use super::pki::Pair;
use crate::{Error, Result};

/// How long the server behind may take to take a connection.
const CONNECT: Duration = Duration::from_secs(10);
const PIECE: usize = 16 * 1024;

/// Connections to a listener, decrypted and forwarded to an address of the lab, until this is dropped.
#[derive(Debug)]
pub(super) struct Tls {
    _accepting: Accepting,
}

impl Tls {
    pub(super) fn start(
        listener: TcpListener,
        pair: &Pair,
        namespace: &Namespace,
        target: std::net::SocketAddr,
    ) -> Result<Tls> {
        let config = Arc::new(config(pair)?);
        let namespace = namespace.downgrade();
        let accepting = Accepting::start(listener, move |client| {
            let Some(namespace) = namespace.upgrade() else { return };
            let Ok(Ok(server)) = namespace.connect(target, CONNECT) else { return };
            drop(namespace);
            // A client that does not trust the certificate ends here, and says why at its own end.
            let _ = serve(client, server, Arc::clone(&config));
        })?;
        Ok(Tls { _accepting: accepting })
    }
}

fn config(pair: &Pair) -> Result<ServerConfig> {
    let unreadable = |path: &Path, error: &dyn std::fmt::Display| Error::Lab(format!("{}: {error}", path.display()));
    let certificate =
        CertificateDer::from_pem_file(&pair.certificate).map_err(|error| unreadable(&pair.certificate, &error))?;
    let key = PrivateKeyDer::from_pem_file(&pair.key).map_err(|error| unreadable(&pair.key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_no_client_auth())
        .and_then(|builder| builder.with_single_cert(vec![certificate], key))
        .map_err(|error| Error::Lab(format!("TLS: {error}")))
}

/// Waits for what can be read, on either side; what is written is waited for where it stands.
fn serve(mut client: TcpStream, mut server: TcpStream, config: Arc<ServerConfig>) -> io::Result<()> {
    let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut piece = [0; PIECE];
    loop {
        let mut ready = [PollFd::new(&client, PollFlags::IN), PollFd::new(&server, PollFlags::IN)];
        poll(&mut ready, None)?;
        let [from_client, from_server] = ready.map(|fd| !fd.revents().is_empty());
        if from_client {
            if tls.read_tls(&mut client)? == 0 {
                return server.shutdown(Shutdown::Write);
            }
            let state = tls.process_new_packets().map_err(io::Error::other);
            flush(&mut tls, &mut client)?;
            let mut left = state?.plaintext_bytes_to_read();
            while left > 0 {
                let count = tls.reader().read(&mut piece)?;
                server.write_all(&piece[..count])?;
                left -= count;
            }
        }
        if from_server {
            let count = server.read(&mut piece)?;
            if count == 0 {
                tls.send_close_notify();
                return flush(&mut tls, &mut client);
            }
            tls.writer().write_all(&piece[..count])?;
            flush(&mut tls, &mut client)?;
        }
    }
}

fn flush(tls: &mut ServerConnection, client: &mut TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(client)?;
    }
    Ok(())
}
