//! Azure's metadata: the machine's user data; and the report to the wireserver that the machine is ready, without which
//! Azure calls its provisioning failed.

use super::http::{Request, ask};
use super::{Fetched, base64};
use orlop_config::node_config::LARGEST;
use std::net::SocketAddr;

const DATA: &str = "/metadata/instance/compute/userData?api-version=2021-01-01&format=text";
const GOAL: &str = "/machine/?comp=goalstate";
const HEALTH: &str = "/machine?comp=health";
const VERSION: (&str, &str) = ("x-ms-version", "2012-11-30");
const LARGEST_GOAL: usize = 64 << 10;

/// The user data, which Azure keeps in base64.
pub fn config(server: SocketAddr) -> Fetched {
    let headers = [("Metadata", "true")];
    let largest = LARGEST * 4 / 3 + 1024;
    let answer = ask(server, &Request { method: "GET", path: DATA, headers: &headers, body: &[], largest })?;
    base64(&answer.good(DATA)?)
}

/// Says that the machine is ready.
pub fn ready(wireserver: SocketAddr) -> Result<(), String> {
    let request = Request { method: "GET", path: GOAL, headers: &[VERSION], body: &[], largest: LARGEST_GOAL };
    let goal = ask(wireserver, &request)?.good(GOAL)?;
    let report = report(&String::from_utf8_lossy(&goal))?;
    let headers = [VERSION, ("Content-Type", "text/xml;charset=utf-8")];
    let request =
        Request { method: "POST", path: HEALTH, headers: &headers, body: report.as_bytes(), largest: LARGEST_GOAL };
    ask(wireserver, &request)?.good(HEALTH).map(|_| ())
}

/// The report for a goal state.
pub fn report(goal: &str) -> Result<String, String> {
    let [incarnation, container, instance] = ["Incarnation", "ContainerId", "InstanceId"]
        .map(|name| element(goal, name).ok_or_else(|| format!("{GOAL}: the goal state has no {name}")));
    Ok(format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Health>\
         <GoalStateIncarnation>{}</GoalStateIncarnation><Container><ContainerId>{}</ContainerId><RoleInstanceList><Role>\
         <InstanceId>{}</InstanceId><Health><State>Ready</State></Health></Role></RoleInstanceList></Container></Health>",
        incarnation?, container?, instance?
    ))
}

/// The text of the first element of a name: a word of what identifiers are made of, so that it can be repeated in XML.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (!text.is_empty() && text.len() <= 128 && text.bytes().all(word)).then_some(text)
}
