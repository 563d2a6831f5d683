//! A registry, as the Distribution specification (1.1) has it: manifests and blobs by HTTP, and who asks.

use std::cell::{OnceCell, RefCell};

use orlop_config::definition::{ImageReference, split_port};
use serde::Deserialize;
use ureq::Body;
use ureq::http::{Response, StatusCode};

use super::super::Bench;
use super::super::download::{Downloader, Failure, Hidden, Patience, Wanted, agent, header, patiently, unanswered};
use super::super::error::Error;
use super::challenge::Challenge;
use super::credentials::{Credentials, Login};
use super::document::{Descriptor, LARGEST, accepted};

/// Registries that are spoken to without TLS though they are not on this machine: `HOST[:PORT]`, with commas between.
const PLAIN_HTTP: &str = "ORLOP_PLAIN_HTTP_REGISTRIES";
/// No token is longer.
const LARGEST_TOKEN: u64 = 1 << 20;
/// What a server that takes identity tokens calls us; it need not know it (Distribution's `auth/oauth`).
const CLIENT: &str = "orlop";

/// What of the machine's settings matters here.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Registries without TLS.
    pub plain_http: Vec<String>,
    /// Names and passwords.
    pub credentials: Credentials,
    /// How long is waited for what.
    pub patience: Patience,
}

impl Settings {
    /// This machine's.
    pub fn of_this_machine() -> Settings {
        let plain = std::env::var(PLAIN_HTTP).unwrap_or_default();
        let plain = plain.split(',').map(|host| host.trim().to_owned()).filter(|host| !host.is_empty());
        Settings {
            plain_http: plain.collect(),
            credentials: Credentials::of_this_machine(),
            patience: Patience::default(),
        }
    }
}

/// One image's place in a registry.
pub struct Registry<'a> {
    /// The component, for messages.
    component: &'a str,
    reference: &'a ImageReference,
    settings: &'a Settings,
    agent: ureq::Agent,
    is_plain: bool,
    /// Looked for at the first challenge, and once: a helper may ask a person.
    login: OnceCell<Option<Login>>,
    /// What the last challenge was met with.
    authorization: RefCell<Option<Hidden>>,
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
}

impl<'a> Registry<'a> {
    /// The registry of a reference.
    pub fn new(component: &'a str, reference: &'a ImageReference, settings: &'a Settings) -> Registry<'a> {
        let host = &reference.registry;
        let is_plain = is_loopback(host) || settings.plain_http.contains(host);
        let agent = agent(settings.patience.silence, !is_plain);
        let (login, authorization) = (OnceCell::new(), RefCell::new(None));
        Registry { component, reference, settings, agent, is_plain, login, authorization }
    }

    /// A manifest or index by a tag, or by `sha256:…`: its bytes, and what the registry calls it. A digest is not checked
    /// here.
    pub fn document(&self, name: &str) -> Result<(Vec<u8>, Option<String>), Error> {
        let url = self.url(&format!("manifests/{name}"));
        patiently(&url, self.settings.patience.pause, "", || {
            let mut response = self.get(&url)?;
            let served = header(&response, "content-type");
            let bytes = body(&url, &mut response, LARGEST)?;
            Ok((bytes, served))
        })
    }

    /// Fetches a blob into the cache. Blobs may be big, and tokens do not live long: each asks for its own.
    pub fn blob(&self, bench: &Bench<'_>, blob: &Descriptor) -> Result<(), Error> {
        let sha256 = blob.sha256();
        let url = self.url(&format!("blobs/sha256:{sha256}"));
        self.introduce(&url)?;
        let wanted = Wanted { input: self.component.into(), url, sha256: Some(sha256.into()), size: Some(blob.size) };
        let authorization = self.authorization.borrow().clone();
        let downloader = Downloader::authorized(self.agent.clone(), self.settings.patience.pause, authorization);
        let described = |_| ((), format!("{:.1} MB", blob.size as f64 / 1e6));
        let step = format!("{} {}", wanted.step(), &sha256[..12]);
        let fetched = bench.step(&step, || downloader.fetch(bench.cache, &wanted, bench.report).map(described));
        fetched.map_err(|error| match error {
            // What the reference names has no other content: no lock would help.
            Error::WrongHash { input, expected, got, from, .. } => {
                let next = format!("write its new digest into component `{input}` of the definition");
                Error::WrongHash { input, expected, got, from, next }
            }
            other => other,
        })
    }

    fn url(&self, path: &str) -> String {
        let scheme = if self.is_plain { "http" } else { "https" };
        let host = &self.reference.registry;
        let host = if host == super::HUB.0 { super::HUB.1 } else { host };
        format!("{scheme}://{host}/v2/{}/{path}", self.reference.repository)
    }

    /// Meets the challenge that a request would get, if it would.
    fn introduce(&self, url: &str) -> Result<(), Error> {
        patiently(url, self.settings.patience.pause, "", || {
            let request = self.agent.head(url).config().max_redirects(0).max_redirects_will_error(false).build();
            let response = request.call().map_err(|error| unanswered(url, &error))?;
            match response.status() {
                StatusCode::UNAUTHORIZED => self.meet(url, &response),
                // Whatever else is wrong is said when it is fetched.
                _ => Ok(()),
            }
        })
    }

    /// Asks, and asks again with what the registry wants to know.
    fn get(&self, url: &str) -> Result<Response<Body>, Failure> {
        let ask = || {
            let mut request = self.agent.get(url).header("Accept", accepted());
            if let Some(Hidden(authorization)) = &*self.authorization.borrow() {
                request = request.header("Authorization", authorization);
            }
            request.call().map_err(|error| unanswered(url, &error))
        };
        let first = ask()?;
        if first.status() != StatusCode::UNAUTHORIZED {
            return self.judge(url, first);
        }
        self.meet(url, &first)?;
        self.judge(url, ask()?)
    }

    fn judge(&self, url: &str, response: Response<Body>) -> Result<Response<Body>, Failure> {
        let status = response.status();
        match status {
            StatusCode::OK => Ok(response),
            status if status.is_server_error() || matches!(status.as_u16(), 408 | 429) => {
                Err(Failure::Passing(format!("HTTP status {status}")))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Failure::Final(self.refused(url, status))),
            StatusCode::NOT_FOUND => Err(Failure::Final(Error::Unresolved(format!(
                "component `{}`: {url}: not there (HTTP status 404); correct `reference` in the definition, or push the image",
                self.component
            )))),
            other => Err(self.wrong(url, &format!("HTTP status {other}"))),
        }
    }

    fn refused(&self, url: &str, status: StatusCode) -> Error {
        let (registry, places) = (&self.reference.registry, self.settings.credentials.places());
        Error::Unresolved(format!(
            "component `{}`: {url}: HTTP status {status}; log in to {registry}: its name and password are looked for in {places}, \
             and with the credential helpers that these name",
            self.component
        ))
    }

    /// Answers a challenge: what is sent from now on.
    fn meet(&self, url: &str, response: &Response<Body>) -> Result<(), Failure> {
        let headers: Vec<&str> =
            response.headers().get_all("www-authenticate").iter().filter_map(|value| value.to_str().ok()).collect();
        let met = match Challenge::of(&headers) {
            Some(Challenge::Basic) => match self.login()? {
                Some(Login::Basic(basic)) => basic.clone(),
                Some(Login::Identity(_)) => {
                    let reason = "it wants name and password, and there is an identity token for it, which only a token's \
                                  server takes; log in to it with name and password";
                    return Err(self.wrong(url, reason));
                }
                None => return Err(self.refused(url, response.status()).into()),
            },
            Some(Challenge::Bearer { realm, service, scope }) => {
                let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", self.reference.repository));
                self.token(&realm, &[("service", service.unwrap_or_default()), ("scope", scope)])?
            }
            None => return Err(self.wrong(url, "it wants to know who asks, and not by Basic or Bearer")),
        };
        *self.authorization.borrow_mut() = Some(met);
        Ok(())
    }

    fn login(&self) -> Result<Option<&Login>, Error> {
        let login = match self.login.get() {
            Some(login) => login,
            None => {
                let found = self.settings.credentials.login(self.reference)?;
                self.login.get_or_init(|| found)
            }
        };
        Ok(login.as_ref())
    }

    fn token(&self, realm: &str, query: &[(&str, String)]) -> Result<Hidden, Failure> {
        if !self.may_know(realm) {
            return Err(self.wrong(realm, "a token's server must be asked by https: what is sent to it is secret"));
        }
        let login = self.login()?;
        let query = query.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (*name, value.as_str()));
        let asked = match login {
            Some(Login::Identity(Hidden(token))) => {
                let form = [("grant_type", "refresh_token"), ("client_id", CLIENT), ("refresh_token", token.as_str())];
                self.agent.post(realm).send_form(form.into_iter().chain(query))
            }
            Some(Login::Basic(Hidden(basic))) => {
                self.agent.get(realm).query_pairs(query).header("Authorization", basic).call()
            }
            None => self.agent.get(realm).query_pairs(query).call(),
        };
        let response = asked.map_err(|error| unanswered(realm, &error))?;
        // So a server answers to an identity token that it does not take any more (RFC 6749 §5.2).
        if matches!(login, Some(Login::Identity(_))) && response.status() == StatusCode::BAD_REQUEST {
            return Err(self.refused(realm, response.status()).into());
        }
        let mut response = self.judge(realm, response)?;
        let bytes = body(realm, &mut response, LARGEST_TOKEN)?;
        // What was read may be a token: it is not quoted.
        let read: Token = serde_json::from_slice(&bytes).map_err(|_| self.wrong(realm, "it gives out no token"))?;
        let token = if read.token.is_empty() { read.access_token } else { read.token };
        let good = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        if good { Ok(Hidden(format!("Bearer {token}"))) } else { Err(self.wrong(realm, "it gives out no token")) }
    }

    /// Whether a server may be told who asks.
    fn may_know(&self, realm: &str) -> bool {
        let host = realm.strip_prefix("http://").map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
        match host {
            Some(host) => {
                self.is_plain && (is_loopback(host) || self.settings.plain_http.iter().any(|one| one == host))
            }
            None => realm.starts_with("https://"),
        }
    }

    fn wrong(&self, url: &str, reason: &str) -> Failure {
        Failure::Final(Error::Unresolved(format!("component `{}`: {url}: {reason}", self.component)))
    }
}

/// A body that is not larger.
fn body(url: &str, response: &mut Response<Body>, largest: u64) -> Result<Vec<u8>, Failure> {
    match response.body_mut().with_config().limit(largest).read_to_vec() {
        Ok(bytes) => Ok(bytes),
        Err(ureq::Error::BodyExceedsLimit(_)) => {
            Err(Error::format(url, format!("it sends more than {largest} bytes, which no such document has")).into())
        }
        Err(error) => Err(Failure::Passing(error.to_string())),
    }
}

/// Whether what is sent stays on this machine.
fn is_loopback(host: &str) -> bool {
    let (name, _) = split_port(host);
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod loopback {
    use super::is_loopback;

    #[test]
    fn only_this_machine_is_spoken_to_in_the_open() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.1.2.3", "[::1]:5000", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example", "registry.example:5000", "10.0.0.1", "127.0.0.1.example", "[::2]:1"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
