//! Google's metadata: the instance's attribute `orlop-config`.

use super::Fetched;
use super::http::{Request, ask};
use orlop_config::node_config::LARGEST;
use std::net::SocketAddr;

const PATH: &str = "/computeMetadata/v1/instance/attributes/orlop-config";

/// The attribute.
pub fn config(server: SocketAddr) -> Fetched {
    let headers = [("Metadata-Flavor", "Google")];
    let answer = ask(server, &Request { method: "GET", path: PATH, headers: &headers, body: &[], largest: LARGEST })?;
    // What answers without this is not Google's server.
    if answer.header("metadata-flavor") != Some("Google") {
        return Err(format!("{PATH}: the answer does not say Metadata-Flavor: Google"));
    }
    answer.good(PATH)
}
