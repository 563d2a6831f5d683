//! The node config's way: from a provider, or from this program's folder once a provider gave it, to PID 1 and to the
//! plan. A machine does not change who it is while it runs.

use super::files;
use crate::error::{Error, Result};
use crate::log::Log;
use crate::plan::Plan;
use crate::providers::Places;
use crate::providers::fetch::{Fetch, News, Order};
use orlop_config::node::{HAS_CERTIFICATE, NodeConfigPolicy, NodeSettings, Provider};
use orlop_config::node_config::NodeConfig;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

/// The document, once it is taken: on tmpfs, for root only, since it has secrets.
const DOCUMENT: &str = "config.toml";

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
    /// The document that was refused last: its mistakes are said once.
    refused: Vec<u8>,
}

impl Config {
    /// Reads the image's settings, and the document of before this program was started anew.
    pub fn open(run: &Path, settings: &Path, pipe: Option<File>, log: &mut Log) -> Result<Self> {
        let mut config =
            Config { run: run.into(), policy: policy(settings)?, pipe, fetch: None, known: None, refused: Vec::new() };
        let path = run.join(DOCUMENT);
        match (std::fs::read(&path), &config.policy) {
            (Ok(document), Some(policy)) => match NodeConfig::parse(&document, DOCUMENT, policy) {
                Ok(known) => {
                    config.hand_over(&document, log);
                    config.known = Some(known);
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

    /// Starts to ask the providers, if there is something to ask for.
    pub fn start(&mut self, places: Places) -> Result<()> {
        if let (Some(policy), None) = (&self.policy, &self.known) {
            let fetch = Fetch::start(policy.providers.clone(), places);
            self.fetch = Some(fetch.map_err(Error::kernel("a thread for the providers"))?);
        }
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

    /// The network has changed: providers that failed may be reached now.
    pub fn network_changed(&self) {
        if let Some(fetch) = self.fetch.as_ref().filter(|_| self.known.is_none()) {
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
                Some(News::Document(provider, document)) => {
                    match NodeConfig::parse(&document, provider.name(), policy) {
                        Ok(known) => {
                            fetch.tell(Order::Taken);
                            log.say(provider.name(), &format!("gives the node config, {} bytes", document.len()));
                            self.keep(&document, log);
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

    fn keep(&self, document: &[u8], log: &mut Log) {
        if let Err(error) = files::write(&self.run, DOCUMENT, 0o600, document) {
            log.say("config", &format!("{DOCUMENT} cannot be kept: {error}; a restart asks the provider anew"));
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
