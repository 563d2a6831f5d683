//! What each cloud answers, as its documentation says.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Cloud;
use super::http::{Request, answer as http};

/// The one token that IMDSv2 hands out here.
const TOKEN: &str = "AQAEAlabtoken==";
/// Azure's IMDS answers no request that does not say the version of its interface.
const API_VERSION: &str = "api-version=";

/// The answer to a request, whose user data are this document.
pub(super) fn answer(cloud: Cloud, request: &Request, document: &[u8]) -> Vec<u8> {
    match cloud {
        Cloud::Ec2 => ec2(request, document),
        Cloud::Gce => gce(request, document),
        Cloud::Azure => azure(request, document),
    }
}

fn ec2(request: &Request, document: &[u8]) -> Vec<u8> {
    // A request that came by way of a proxy gets no token.
    let proxied = request.headers.contains_key("x-forwarded-for");
    match (request.method.as_str(), request.path.as_str()) {
        ("PUT", "/latest/api/token") if proxied => http(403, b""),
        ("PUT", "/latest/api/token") => {
            let seconds = request.header("x-aws-ec2-metadata-token-ttl-seconds").parse::<u32>();
            if seconds.is_ok_and(|seconds| (1..=21_600).contains(&seconds)) {
                http(200, TOKEN.as_bytes())
            } else {
                http(400, b"")
            }
        }
        ("GET", _) if request.header("x-aws-ec2-metadata-token") != TOKEN => http(401, b""),
        ("GET", "/latest/user-data") => http(200, document),
        ("GET", "/latest/meta-data/local-hostname") => http(200, b"ip-192-0-2-11.ec2.internal"),
        ("GET", "/latest/meta-data/instance-id") => http(200, b"i-0123456789abcdef0"),
        _ => http(404, b""),
    }
}

fn gce(request: &Request, document: &[u8]) -> Vec<u8> {
    if request.header("metadata-flavor") != "Google" {
        return http(403, b"Missing required header");
    }
    let path = request.path.split('?').next().unwrap_or_default();
    match path.strip_prefix("/computeMetadata/v1/instance/") {
        Some("attributes/user-data" | "attributes/orlop-config") => http(200, document),
        Some("hostname") => http(200, b"one.c.lab.internal"),
        Some("name") => http(200, b"one"),
        Some("id") => http(200, b"1234567890123456789"),
        _ => http(404, b""),
    }
}

fn azure(request: &Request, document: &[u8]) -> Vec<u8> {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    match (request.method.as_str(), path.trim_end_matches('/')) {
        // The host agent, to which a machine that is never ready is one that failed.
        (_, "/machine") if request.header("x-ms-version").is_empty() => http(400, b""),
        ("GET", "/machine") if query.contains("comp=goalstate") => http(200, GOAL_STATE.as_bytes()),
        ("POST", "/machine") if query.contains("comp=health") => http(200, b""),
        ("GET", _) if request.header("metadata") != "true" || !query.contains(API_VERSION) => http(400, b""),
        ("GET", "/metadata/instance/compute/userData") => http(200, STANDARD.encode(document).as_bytes()),
        ("GET", "/metadata/instance/compute/name") => http(200, b"one"),
        _ => http(404, b""),
    }
}

/// As short as a goal state can be of which the report is made.
const GOAL_STATE: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<GoalState><Version>2012-11-30</Version>\
    <Incarnation>1</Incarnation><Machine><ExpectedState>Started</ExpectedState></Machine>\
    <Container><ContainerId>c0ffee00-0000-4000-8000-000000000001</ContainerId><RoleInstanceList><RoleInstance>\
    <InstanceId>c0ffee00-0000-4000-8000-000000000002._one</InstanceId><State>Started</State></RoleInstance>\
    </RoleInstanceList></Container></GoalState>\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(cloud: Cloud, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let request = Request { method: method.into(), path: path.into(), headers, body: Vec::new() };
        let text = String::from_utf8(answer(cloud, &request, b"version = 1")).unwrap();
        let status = text.split(' ').nth(1).unwrap().to_owned();
        format!("{status} {}", text.split_once("\r\n\r\n").unwrap().1)
    }

    #[test]
    fn ec2_wants_its_token() {
        let of = |method, path, headers: &[(&str, &str)]| asked(Cloud::Ec2, method, path, headers);
        assert_eq!(of("GET", "/latest/user-data", &[]), "401 ");
        assert_eq!(of("PUT", "/latest/api/token", &[]), "400 ");
        let lifetime = ("x-aws-ec2-metadata-token-ttl-seconds", "60");
        assert_eq!(of("PUT", "/latest/api/token", &[lifetime]), format!("200 {TOKEN}"));
        assert_eq!(of("PUT", "/latest/api/token", &[lifetime, ("x-forwarded-for", "a")]), "403 ");
        assert_eq!(of("GET", "/latest/user-data", &[("x-aws-ec2-metadata-token", TOKEN)]), "200 version = 1");
    }

    #[test]
    fn gce_and_azure_want_their_headers() {
        let path = "/computeMetadata/v1/instance/attributes/user-data";
        assert!(asked(Cloud::Gce, "GET", path, &[]).starts_with("403"));
        assert_eq!(asked(Cloud::Gce, "GET", path, &[("metadata-flavor", "Google")]), "200 version = 1");
        let path = "/metadata/instance/compute/userData?api-version=2021-01-01&format=text";
        assert_eq!(asked(Cloud::Azure, "GET", path, &[("metadata", "true")]), "200 dmVyc2lvbiA9IDE=");
        assert_eq!(asked(Cloud::Azure, "GET", path, &[]), "400 ");
        let agent = [("x-ms-version", "2012-11-30")];
        assert!(asked(Cloud::Azure, "GET", "/machine/?comp=goalstate", &agent).contains("<ContainerId>"));
        assert_eq!(asked(Cloud::Azure, "POST", "/machine?comp=health", &agent), "200 ");
    }
}
