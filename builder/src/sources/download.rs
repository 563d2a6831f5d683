//! Downloads: resumed, repeated with growing pauses, hashed as they arrive.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::http::{Response, StatusCode};

use super::cache::{Cache, hash};
use super::error::{At, Error, relock};
use super::progress::Report;

/// Attempts at one file; with pauses of 0.5, 1, 2 and 4 s a short outage is waited for.
const ATTEMPTS: u32 = 5;
/// Nothing that a definition names is bigger; a server that sends without end is stopped here.
const MAX_BYTES: u64 = 8 << 30;

/// Fetches files into a cache.
#[derive(Debug)]
pub struct Downloader {
    agent: ureq::Agent,
    pause: Duration,
    authorization: Option<Hidden>,
    /// Whether what turns out bigger than expected is given up at once. Elsewhere it may be what replaced a file, and its
    /// digest is told.
    is_bounded: bool,
}

/// What may be sent, and never shown.
#[derive(Clone)]
pub struct Hidden(pub String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("********")
    }
}

/// How long is waited for what.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Before the second attempt; doubled before each further one.
    pub pause: Duration,
    /// For the next bytes of a file: a connection that stands still is given up, and the rest asked for anew.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { pause: Duration::from_millis(500), silence: Duration::from_secs(60) }
    }
}

/// One file to fetch.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The input's name, for messages.
    pub input: String,
    /// Where it is.
    pub url: String,
    /// What it must be; absent for what is verified otherwise (a signed index).
    pub sha256: Option<String>,
    /// How big it is, where that is known.
    pub size: Option<u64>,
}

impl Wanted {
    /// The step that fetches it: under this name its bytes are reported.
    pub fn step(&self) -> String {
        format!("fetch {}", self.input)
    }
}

/// Why one attempt failed.
pub enum Failure {
    /// Worth another attempt.
    Passing(String),
    /// Not.
    Final(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Final(error)
    }
}

/// Of a request that brought no answer. A circle of redirections stays one.
pub fn unanswered(url: &str, error: &ureq::Error) -> Failure {
    let reason = error.to_string();
    match error {
        ureq::Error::TooManyRedirects | ureq::Error::RedirectFailed | ureq::Error::RequireHttpsOnly(_) => {
            Failure::Final(Error::Network { url: url.into(), reason })
        }
        _ => Failure::Passing(reason),
    }
}

/// Tries again, with growing pauses, as long as what failed may pass. `kept` is said of the last failure.
pub fn patiently<T>(
    url: &str,
    mut pause: Duration,
    kept: &str,
    mut attempt: impl FnMut() -> Result<T, Failure>,
) -> Result<T, Error> {
    let mut last = String::new();
    for number in 1..=ATTEMPTS {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Passing(reason)) => last = reason,
        }
        if number < ATTEMPTS {
            std::thread::sleep(pause);
            pause *= 2;
        }
    }
    Err(Error::Network { url: url.into(), reason: format!("{last} (after {ATTEMPTS} attempts{kept})") })
}

/// What speaks HTTP, with the machine's proxies (`http_proxy` and so on) and certificate authorities.
pub fn agent(silence: Duration, https_only: bool) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .https_only(https_only)
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_per_read(Some(silence))
        .user_agent(concat!("orlop/", env!("CARGO_PKG_VERSION")))
        .tls_config(ureq::tls::TlsConfig::builder().root_certs(roots()).build())
        .build();
    config.into()
}

impl Downloader {
    /// A downloader with the machine's proxies (`http_proxy` and so on) and certificate authorities.
    pub fn new() -> Downloader {
        Downloader::with_patience(Patience::default())
    }

    /// The same with another patience.
    pub fn with_patience(Patience { pause, silence }: Patience) -> Downloader {
        Downloader { agent: agent(silence, false), pause, authorization: None, is_bounded: false }
    }

    /// One that says who asks; a server that it is sent on to is not told.
    pub fn authorized(agent: ureq::Agent, pause: Duration, authorization: Option<Hidden>) -> Downloader {
        Downloader { agent, pause, authorization, is_bounded: true }
    }

    /// Fetches a file into the cache, unless it is there. Gives its SHA-256.
    pub fn fetch(&self, cache: &Cache, wanted: &Wanted, report: &dyn Report) -> Result<String, Error> {
        if let Some(sha256) = wanted.sha256.as_ref().filter(|sha256| cache.has(sha256, wanted.size)) {
            return Ok(sha256.clone());
        }
        let name = wanted.sha256.clone().unwrap_or_else(|| hash(wanted.url.as_bytes()));
        let _guard = cache.lock(&format!("download-{name}"))?;
        if let Some(sha256) = wanted.sha256.as_ref().filter(|sha256| cache.has(sha256, wanted.size)) {
            return Ok(sha256.clone());
        }
        let partial = Partial::new(cache.folder("partial")?.join(name));
        self.attempts(cache, wanted, &partial, report)
    }

    fn attempts(
        &self,
        cache: &Cache,
        wanted: &Wanted,
        partial: &Partial,
        report: &dyn Report,
    ) -> Result<String, Error> {
        let kept = "; what arrived is kept, and the next run goes on from there";
        patiently(&wanted.url, self.pause, kept, || {
            self.attempt(wanted, partial, report).and_then(|got| settle(cache, wanted, partial, got))
        })
    }

    /// One attempt: asks for what is missing, appends it, and hashes all of it.
    fn attempt(&self, wanted: &Wanted, partial: &Partial, report: &dyn Report) -> Result<Arrived, Failure> {
        let start = partial.resumable();
        let mut request = self.agent.get(&wanted.url);
        if let Some((bytes, validator)) = &start {
            request = request.header("Range", format!("bytes={bytes}-")).header("If-Range", validator);
        }
        if let Some(Hidden(authorization)) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let mut response = request.call().map_err(|error| unanswered(&wanted.url, &error))?;
        let resumed = self.judge(&response, wanted, start.as_ref().map_or(0, |(bytes, _)| *bytes), partial)?;
        let mut file = partial.open(resumed, validator(&response))?;
        let mut hash = Sha256::new();
        let mut done = if resumed { partial.hash_into(&mut hash)? } else { 0 };
        let mut body = response.body_mut().with_config().limit(MAX_BYTES).reader();
        let mut buffer = vec![0; 1 << 16];
        let step = wanted.step();
        loop {
            let n = body.read(&mut buffer).map_err(|error| Failure::Passing(format!("after {done} bytes: {error}")))?;
            if n == 0 {
                break;
            }
            file.write_all(&buffer[..n]).at(partial.file.display())?;
            hash.update(&buffer[..n]);
            done += n as u64;
            if let Some(size) = wanted.size.filter(|size| self.is_bounded && done > *size) {
                partial.forget();
                let reason = format!("it sends more than the {size} bytes that were expected; nothing was kept");
                return Err(Failure::Final(Error::Network { url: wanted.url.clone(), reason }));
            }
            report.bytes(&step, done, wanted.size);
        }
        if wanted.size.is_some_and(|size| done < size) {
            return Err(Failure::Passing(format!("the connection ended after {done} bytes")));
        }
        Ok(Arrived { sha256: hex::encode(hash.finalize()), resumed })
    }

    /// Whether the answer goes on where we are (true) or starts anew (false).
    fn judge(
        &self,
        response: &Response<ureq::Body>,
        wanted: &Wanted,
        have: u64,
        partial: &Partial,
    ) -> Result<bool, Failure> {
        let status = response.status();
        match status {
            StatusCode::OK => Ok(false),
            StatusCode::PARTIAL_CONTENT => {
                let range = header(response, "content-range").unwrap_or_default();
                if have > 0 && range.starts_with(&format!("bytes {have}-")) {
                    return Ok(true);
                }
                partial.forget();
                Err(Failure::Passing(format!("asked for the rest from byte {have}, was offered `{range}`")))
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                partial.forget();
                Err(Failure::Passing("the file became shorter meanwhile".into()))
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                partial.forget();
                Err(Failure::Final(Error::NotFound { url: wanted.url.clone(), status: status.as_u16() }))
            }
            status if status.is_server_error() || matches!(status.as_u16(), 408 | 429) => {
                Err(Failure::Passing(format!("HTTP status {status}")))
            }
            status => {
                let reason = format!("HTTP status {status}");
                Err(Failure::Final(Error::Network { url: wanted.url.clone(), reason }))
            }
        }
    }
}

impl Default for Downloader {
    fn default() -> Self {
        Downloader::new()
    }
}

struct Arrived {
    sha256: String,
    resumed: bool,
}

/// Puts a whole file into the cache, or throws away a wrong one.
fn settle(cache: &Cache, wanted: &Wanted, partial: &Partial, got: Arrived) -> Result<String, Failure> {
    match &wanted.sha256 {
        Some(expected) if *expected != got.sha256 => {
            partial.forget();
            if got.resumed {
                return Err(Failure::Passing("the parts of a resumed download do not fit together".into()));
            }
            Err(Failure::Final(Error::WrongHash {
                input: wanted.input.clone(),
                expected: expected.clone(),
                got: got.sha256,
                from: wanted.url.clone(),
                next: relock(&wanted.input),
            }))
        }
        _ => {
            cache.adopt(&partial.file, &got.sha256)?;
            partial.forget();
            Ok(got.sha256)
        }
    }
}

/// What arrived so far, and the validator (ETag or date) under which the rest may be asked for.
struct Partial {
    file: PathBuf,
    validator: PathBuf,
}

impl Partial {
    fn new(file: PathBuf) -> Partial {
        let validator = file.with_extension("validator");
        Partial { file, validator }
    }

    fn resumable(&self) -> Option<(u64, String)> {
        let bytes = fs::metadata(&self.file).ok()?.len();
        let validator = fs::read_to_string(&self.validator).ok()?;
        (bytes > 0 && !validator.is_empty()).then_some((bytes, validator))
    }

    fn open(&self, resumed: bool, validator: Option<String>) -> Result<File, Error> {
        if resumed {
            return File::options().append(true).open(&self.file).at(self.file.display());
        }
        let file = File::create(&self.file).at(self.file.display())?;
        fs::write(&self.validator, validator.unwrap_or_default()).at(self.validator.display())?;
        Ok(file)
    }

    fn hash_into(&self, hash: &mut Sha256) -> Result<u64, Error> {
        let mut file = File::open(&self.file).at(self.file.display())?;
        let mut buffer = vec![0; 1 << 16];
        let mut done = 0;
        loop {
            let n = file.read(&mut buffer).at(self.file.display())?;
            if n == 0 {
                return Ok(done);
            }
            hash.update(&buffer[..n]);
            done += n as u64;
        }
    }

    fn forget(&self) {
        let _ = fs::remove_file(&self.file);
        let _ = fs::remove_file(&self.validator);
    }
}

pub fn header(response: &Response<ureq::Body>, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_string())
}

/// A strong ETag, else the date of the last change.
fn validator(response: &Response<ureq::Body>) -> Option<String> {
    header(response, "etag").filter(|tag| !tag.starts_with("W/")).or_else(|| header(response, "last-modified"))
}

/// The machine's certificate authorities where it has a bundle (it may have a proxy's own), else built-in ones.
fn roots() -> ureq::tls::RootCerts {
    let bundle = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let path = bundle.as_deref().unwrap_or(Path::new("/etc/ssl/certs/ca-certificates.crt"));
    let Ok(pem) = fs::read(path) else { return ureq::tls::RootCerts::WebPki };
    let certificates: Vec<_> = ureq::tls::parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(ureq::tls::PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() { ureq::tls::RootCerts::WebPki } else { ureq::tls::RootCerts::from(certificates) }
}

/// Fetches many files, `jobs` at a time. Gives every result, in order.
pub fn fetch_all(
    downloader: &Downloader,
    cache: &Cache,
    wanted: &[Wanted],
    jobs: usize,
    report: &dyn Report,
) -> Vec<Result<String, Error>> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let results: Vec<_> = wanted.iter().map(|_| std::sync::OnceLock::new()).collect();
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, wanted.len().max(1)) {
            scope.spawn(|| {
                while let Some(i) = Some(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    let Some(file) = wanted.get(i) else { break };
                    let fetched = super::progress::step(report, &file.step(), || {
                        downloader.fetch(cache, file, report).map(|sha256| (sha256, describe(file)))
                    });
                    let _ = results[i].set(fetched);
                }
            });
        }
    });
    results.into_iter().filter_map(std::sync::OnceLock::into_inner).collect()
}

fn describe(wanted: &Wanted) -> String {
    wanted.size.map_or(String::new(), |size| format!("{:.1} MB", size as f64 / 1e6))
}

#[cfg(test)]
mod tests;
