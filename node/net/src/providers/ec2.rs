//! EC2's metadata, version 2: a token first, then the instance's user data. Version 1 is not asked.

use super::Fetched;
use super::http::{Request, ask};
use orlop_config::node_config::LARGEST;
use std::net::SocketAddr;

const TOKEN: &str = "/latest/api/token";
const DATA: &str = "/latest/user-data";
/// Tokens have 56 characters.
const LARGEST_TOKEN: usize = 1024;
/// Of the token: for one question.
const SECONDS: &str = "60";

/// The user data.
pub fn config(server: SocketAddr) -> Fetched {
    let ttl = [("X-aws-ec2-metadata-token-ttl-seconds", SECONDS)];
    let request = Request { method: "PUT", path: TOKEN, headers: &ttl, body: &[], largest: LARGEST_TOKEN };
    let token = ask(server, &request)?.good(TOKEN)?;
    // It goes into a header line: nothing else may be in it.
    let token = String::from_utf8(token).ok().filter(|token| token.bytes().all(|byte| byte.is_ascii_graphic()));
    let token = token.filter(|token| !token.is_empty()).ok_or("the token is no word")?;
    let headers = [("X-aws-ec2-metadata-token", token.as_str())];
    let request = Request { method: "GET", path: DATA, headers: &headers, body: &[], largest: LARGEST };
    ask(server, &request)?.good(DATA)
}
