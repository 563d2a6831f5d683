//! The node config's way: from a provider, or from this program's folder once a provider gave it, to PID 1 and to the
//! plan. A machine does not change who it is while it runs.

use super::files;
use crate::error::{Error, Result};
use crate::log::Log;
use crate::plan::Plan;
use crate::providers::Places;
use crate::providers::fetch::{Fetch, News, Order, wants_report};
use orlop_config::node::{HAS_CERTIFICATE, NodeConfigPolicy, NodeSettings, Provider};
use orlop_config::node_config::NodeConfig;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

/// The document, once it is taken: on tmpfs, for root only, since it has secrets.
const DOCUMENT: &str = "config.toml";
/// Beside it: whose it is. A report that was not made is made after a restart.
const GIVEN: &str = "provider.json";
const VERSION: u32 = 1;

/// Who gave the document, and whether he has heard that the machine is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    version: u32,
    provider: Provider,
    told: bool,
}

impl Given {
    /// What the folder has; a file that is damaged is none: without it there is no report, and all else goes on.
    fn kept(run: &Path) -> Option<Self> {
        let given: Given = serde_json::from_slice(&std::fs::read(run.join(GIVEN)).ok()?).ok()?;
        Some(given).filter(|given| given.version == VERSION)
    }

    /// Whether he waits for the report.
    fn waits(self) -> bool {
        wants_report(self.provider) && !self.told
    }

    fn keep(self, run: &Path) -> std::io::Result<()> {
        files::write(run, GIVEN, 0o600, &serde_json::to_vec(&self)?)
    }
}

/// Where the document stands.
#[derive(Debug)]
pub struct Config {
    run: PathBuf,
    /// What the signed image lets it be; none: there is none.
    policy: Option<NodeConfigPolicy>,
    /// PID 1 waits at its other end.
    pipe: Option<File>,
    fetch: Option<Fetch>,
    known: Option<NodeConfig>,
    /// Whose it is; none: nobody knows any more.
    given: Option<Given>,
    /// The document that was refused last: its mistakes are said once.
    refused: Vec<u8>,
}

impl Config {
    /// Reads the image's settings, and the document of before this program was started anew.
    pub fn open(run: &Path, settings: &Path, pipe: Option<File>, log: &mut Log) -> Result<Self> {
        let policy = policy(settings)?;
        let mut config =
            Config { run: run.into(), policy, pipe, fetch: None, known: None, given: None, refused: Vec::new() };
        let path = run.join(DOCUMENT);
        match (std::fs::read(&path), &config.policy) {
            (Ok(document), Some(policy)) => match NodeConfig::parse(&document, DOCUMENT, policy) {
                Ok(known) => {
                    config.hand_over(&document, log);
                    config.known = Some(known);
                    config.given = Given::kept(run);
                }
                Err(problems) => {
                    problems.0.iter().for_each(|problem| crate::log::line("config", &problem.to_string()));
                    log.say("config", &format!("{} is not taken any more; asking anew", path.display()));
                }
            },
            (Err(error), Some(_)) if error.kind() != ErrorKind::NotFound => return Err(Error::file(path)(error)),
            _ => {}
        }
        if config.policy.is_none() {
            // Nobody has to wait.
            config.pipe = None;
        }
        Ok(config)
    }

    /// Starts to ask the providers, if there is something to ask for; or to report to the one that still waits for it.
    pub fn start(&mut self, places: Places) -> Result<()> {
        let fetch = match (&self.policy, &self.known) {
            (Some(policy), None) => Fetch::start(policy.providers.clone(), places),
            (Some(_), Some(_)) if self.given.is_some_and(Given::waits) => Fetch::report(places),
            _ => return Ok(()),
        };
        self.fetch = Some(fetch.map_err(Error::kernel("a thread for the providers"))?);
        Ok(())
    }

    /// What the providers still have to read.
    pub fn reads(&self, places: &Places) -> Vec<PathBuf> {
        let providers = self.policy.iter().filter(|_| self.known.is_none()).flat_map(|policy| &policy.providers);
        let of = |provider: &Provider| match provider {
            Provider::FwCfg | Provider::Smbios => vec![places.sys.join("firmware")],
            Provider::Nocloud | Provider::Esp => {
                vec![places.sys.join("class/block"), places.sys.join("devices"), places.dev.clone()]
            }
            Provider::Ec2 | Provider::Gce | Provider::Azure => Vec::new(),
        };
        providers.flat_map(of).collect()
    }

    /// What to poll for.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fetch.as_ref().and_then(Fetch::fd)
    }

    /// What the network should be: by the document, or as long as there is none.
    pub fn plan(&self, cards: &[String]) -> Plan {
        match (&self.known, &self.policy) {
            (Some(known), Some(policy)) => Plan::of(known, &policy.firewall, cards),
            _ => Plan::automatic(cards),
        }
    }

    /// The document is there, or none is to be.
    pub fn settled(&self) -> bool {
        self.policy.is_none() || self.known.is_some()
    }

    /// The network has changed: providers that failed, and who waits for a report, may be reached now.
    pub fn network_changed(&self) {
        if let Some(fetch) = &self.fetch {
            fetch.tell(Order::Now);
        }
    }

    /// Takes what the providers gave; `true`: there is a document now.
    pub fn news(&mut self, log: &mut Log) -> bool {
        let mut taken = false;
        while let (Some(fetch), Some(policy)) = (self.fetch.as_mut(), &self.policy) {
            match fetch.news() {
                None => break,
                Some(News::Line(provider, line)) => log.say(provider.name(), &line),
                Some(News::Told(provider)) => {
                    log.say(provider.name(), "told that the machine is ready");
                    self.told(provider, log);
                }
                Some(News::Document(provider, document)) => {
                    match NodeConfig::parse(&document, provider.name(), policy) {
                        Ok(known) => {
                            fetch.tell(Order::Taken);
                            log.say(provider.name(), &format!("gives the node config, {} bytes", document.len()));
                            self.keep(provider, &document, log);
                            self.hand_over(&document, log);
                            self.known = Some(known);
                            taken = true;
                        }
                        Err(problems) => {
                            fetch.tell(Order::Refused);
                            if self.refused != document {
                                problems.0.iter().for_each(|problem| crate::log::line("config", &problem.to_string()));
                                self.refused = document;
                            }
                        }
                    }
                }
            }
        }
        taken
    }

    /// Whose it is comes first: of a document that stands there it is known.
    fn keep(&mut self, provider: Provider, document: &[u8], log: &mut Log) {
        let given = Given { version: VERSION, provider, told: false };
        self.given = Some(given);
        let kept = given.keep(&self.run).and_then(|()| files::write(&self.run, DOCUMENT, 0o600, document));
        if let Err(error) = kept {
            log.say("config", &format!("{DOCUMENT} cannot be kept: {error}; a restart asks the provider anew"));
        }
    }

    fn told(&mut self, provider: Provider, log: &mut Log) {
        let given = Given { version: VERSION, provider, told: true };
        self.given = Some(given);
        if let Err(error) = given.keep(&self.run) {
            log.say("config", &format!("{GIVEN} cannot be kept: {error}; a restart reports anew"));
        }
    }

    /// PID 1 gets their number, 32 bits, the highest first, then the bytes, so that it never takes a part for the whole.
    fn hand_over(&mut self, document: &[u8], log: &mut Log) {
        if let Some(mut pipe) = self.pipe.take()
            && let Err(error) = pipe.write_all(&framed(document))
        {
            log.say("config", &format!("PID 1 does not take the document: {error}"));
        }
    }
}

fn framed(document: &[u8]) -> Vec<u8> {
    // No provider gives more than 64 KiB.
    let length = u32::try_from(document.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), document].concat()
}

fn policy(settings: &Path) -> Result<Option<NodeConfigPolicy>> {
    let bytes = match std::fs::read(settings) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(Error::file(settings))?,
    };
    let read: std::result::Result<NodeSettings, _> = serde_json::from_slice(&bytes);
    let content = |error: serde_json::Error| Error::Content { path: settings.into(), reason: error.to_string() };
    let mut policy = read.map_err(content)?.node_config;
    if let Some(policy) = &mut policy {
        policy.has_certificate = std::env::var_os(HAS_CERTIFICATE).is_some();
    }
    Ok(policy)
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
