//! The loop: it waits for sockets and deadlines, hands what happens to the state machines, and carries out what they want.

use super::config::Config;
use super::desired::{Desired, Until};
use super::files::{self, LEASES};
use super::ipv6;
use super::nics::{Nic, Nics, Wish};
use super::reconcile::{Change, Kernel, changes};
use super::time::Time;
use crate::dhcp4;
use crate::dhcp6;
use crate::error::{Error, Result};
use crate::firewall::Firewall;
use crate::log::{self, Log};
use crate::netlink::address::Told;
use crate::netlink::message::Message;
use crate::netlink::socket::{Events, Requests};
use crate::netlink::{Address, Link, Route, address, link, route};
use crate::options::Options;
use crate::providers::Places;
use crate::ra;
use crate::reads::Reads;
use crate::sandbox::{self, Open};
use crate::sntp::clock;
use crate::time::{Millis, Tick};
use crate::{notify, sys};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use orlop_config::node::RESOLV_CONF;
use orlop_config::node_config::{LONGEST_SEARCH_LIST, MOST_SEARCH_DOMAINS};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

/// A change that the kernel refused is tried again after this.
const RETRY: Millis = Millis::seconds(5);

/// For DHCP, on a node that has an address without it.
const DHCP4: Millis = Millis::seconds(10);
/// Where the kernel has its settings of links.
const NETWORK_SETTINGS: &str = "/proc/sys/net";

/// What the loop works with. The sockets are made before privileges are given up.
#[derive(Debug)]
pub struct Engine {
    options: Options,
    config: Config,
    requests: Requests,
    events: Events,
    dhcp4: dhcp4::socket::Socket,
    dhcp6: dhcp6::socket::Socket,
    /// Keeps the kernel's settings where the sandbox saw them: their folders are made anew when nobody looks.
    _settings: File,
    firewall: Firewall,
    time: Time,
    nics: Nics,
    log: Log,
    /// Until when the addresses were given.
    applied: BTreeMap<Address, Option<Until>>,
    /// What the kernel refused at the last look. It is tried again all the time, and said once.
    refused: BTreeSet<String>,
    /// The files' contents.
    written: BTreeMap<&'static str, Vec<u8>>,
    /// Something happened: the kernel is to be compared with what it should have.
    look: bool,
    /// Something failed: the same, at this time.
    again: Option<Millis>,
    /// Until when DHCP is waited for, where there is another address.
    until: Option<Millis>,
    ready: bool,
}

impl Engine {
    /// Opens the sockets, and takes up the leases and the node config of before. PID 1 may wait for the latter at a pipe.
    pub fn open(options: Options, pipe: Option<File>) -> Result<Self> {
        let run = &options.run;
        std::fs::create_dir_all(run).map_err(Error::file(run))?;
        let mut log = Log::default();
        let config = Config::open(run, &options.settings, pipe, &mut log)?;
        let plan = config.plan(&options.cards);
        let kept = std::fs::read(run.join(LEASES)).map(|bytes| files::parse_leases(&bytes)).unwrap_or_default();
        let time = Time::open(options.clock, clock::earliest(&options.settings), &mut log)?;
        Ok(Engine {
            options,
            config,
            requests: Requests::open().map_err(Error::kernel("netlink"))?,
            events: Events::open().map_err(Error::kernel("netlink's events"))?,
            dhcp4: dhcp4::socket::Socket::open().map_err(Error::kernel("UDP port 68"))?,
            dhcp6: dhcp6::socket::Socket::open().map_err(Error::kernel("UDP port 546"))?,
            _settings: File::open(NETWORK_SETTINGS).map_err(Error::file(NETWORK_SETTINGS))?,
            firewall: Firewall::open().map_err(Error::kernel("netfilter's netlink"))?,
            time,
            nics: Nics::new(plan, kept),
            log,
            applied: BTreeMap::new(),
            refused: BTreeSet::new(),
            written: BTreeMap::new(),
            look: true,
            again: None,
            until: None,
            ready: false,
        })
    }

    /// Never ends but by an error.
    pub fn run(mut self) -> Result<()> {
        let Options { run, sys, dev, .. } = &self.options;
        let places = Places { sys: sys.clone(), dev: dev.clone(), ..Places::default() };
        let open = Open { run, read: self.config.reads(&places), settings: Path::new(NETWORK_SETTINGS) };
        sandbox::enter(&open, &mut self.log).map_err(Error::kernel("giving up privileges"))?;
        self.config.start(places)?;
        self.links(tick()?)?;
        loop {
            self.settle();
            self.wait()?;
            let tick = tick()?;
            // Each reads what there is, which costs a call where there is nothing, but no more than is one turn's.
            self.events(tick)?;
            self.packets(tick)?;
            self.packets6(tick)?;
            if self.config.news(&mut self.log) {
                let wishes = self.nics.set_plan(self.config.plan(&self.options.cards), tick);
                self.look = true;
                self.fulfil(wishes);
            }
            let (wishes, ended) = self.nics.timer(tick);
            self.look |= ended;
            self.fulfil(wishes);
            self.look |= self.time.turn(tick, &mut self.log)?;
            if self.again.is_some_and(|again| again <= tick.now) {
                (self.again, self.look) = (None, true);
            }
        }
    }

    /// Until a socket has something, or a deadline has come.
    fn wait(&self) -> Result<()> {
        let deadline = [self.nics.deadline(), self.time.deadline(), self.again].into_iter().flatten().min();
        // A millisecond more than is left: never a turn too early.
        let left = deadline.map(|deadline| (deadline - sys::now()).0 + 1);
        let timeout = left.map_or(PollTimeout::NONE, |left| PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX));
        let fds: [Option<BorrowedFd<'_>>; 4] =
            [Some(self.events.fd()), Some(self.dhcp4.fd()), self.dhcp6.fd(), self.config.fd()];
        let mut polled: Vec<PollFd<'_>> =
            fds.into_iter().flatten().chain(self.time.fds()).map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match poll(&mut polled, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(error) => Err(Error::kernel("poll")(error)),
        }
    }

    fn events(&mut self, tick: Tick) -> Result<()> {
        let (nics, look) = (&mut self.nics, &mut self.look);
        let mut wishes = Vec::new();
        let all = self.events.read(|message| wishes.extend(happened(nics, look, message, tick)));
        self.fulfil(wishes);
        match all {
            Ok(true) => Ok(()),
            Ok(false) => self.links(tick),
            Err(error) => Err(Error::kernel("netlink's events")(error)),
        }
    }

    /// Asks for all links.
    fn links(&mut self, tick: Tick) -> Result<()> {
        let mut links = Vec::new();
        let asked = self.requests.list(link::dump(), |message| links.extend(Link::parse(message)));
        asked.map_err(Error::kernel("the kernel's list of links"))?;
        let indices: Vec<u32> = links.iter().map(|link| link.index).collect();
        let mut wishes = self.nics.only(&indices);
        wishes.extend(links.into_iter().flat_map(|link| self.nics.link(link, tick)).collect::<Vec<_>>());
        self.look = true;
        self.fulfil(wishes);
        Ok(())
    }

    fn packets(&mut self, tick: Tick) -> Result<()> {
        let mut reads = Reads::default();
        while let Some((index, reply)) = reads.one(|| self.dhcp4.receive()).map_err(Error::kernel("UDP port 68"))? {
            let wishes = self.nics.packet(index, &reply, tick);
            self.fulfil(wishes);
            self.look = true;
        }
        Ok(())
    }

    fn packets6(&mut self, tick: Tick) -> Result<()> {
        let mut reads = Reads::default();
        while let Some((index, packet)) = reads.one(|| self.dhcp6.receive()).map_err(Error::kernel("UDP port 546"))? {
            let wishes = self.nics.packet6(index, &packet, tick);
            self.fulfil(wishes);
            self.look = true;
        }
        Ok(())
    }

    fn fulfil(&mut self, wishes: Vec<Wish>) {
        for wish in wishes {
            self.look = true;
            match wish {
                Wish::Say { name, text } => self.log.say(&name, &text),
                Wish::Send6 { index, query } => {
                    if let Err(error) = self.dhcp6.send(&query.encode(), index) {
                        let name = self.nics.get(index).map_or("DHCPv6", |nic| &nic.link.name).to_owned();
                        self.log.say(&name, &format!("a packet to the DHCPv6 servers cannot be sent: {error}"));
                    }
                }
                Wish::Send { index, query, to } => {
                    // The server is asked again at the state's own deadline.
                    if let Err(error) = self.dhcp4.send(&query.encode(), index, to) {
                        let name = self.nics.get(index).map_or("DHCP", |nic| &nic.link.name).to_owned();
                        self.log.say(&name, &format!("a packet to the DHCP server cannot be sent: {error}"));
                    }
                }
            }
        }
    }

    /// Makes the kernel and the files what they should be, if anything happened since.
    fn settle(&mut self) {
        if !std::mem::take(&mut self.look) {
            return;
        }
        let desired = Desired::of(&self.nics);
        if let Ok(tick) = sys::tick() {
            self.time.set_servers(&desired.ntp, &desired.dns, tick);
        }
        // First: what comes up is closed already.
        if let Err(error) = self.firewall.apply(&self.nics.plan().firewall) {
            self.log.say("firewall", &error.to_string());
            self.again = Some(sys::now() + RETRY);
        }
        let kernel = self.apply(&desired);
        self.write_all(&desired);
        if let Some(kernel) = kernel {
            self.tell(&desired, &kernel);
        }
    }

    /// Makes the kernel what it should be. What it refuses harms itself alone. What it has then; none: it does not say.
    fn apply(&mut self, desired: &Desired) -> Option<Kernel> {
        let mut refused = BTreeSet::new();
        self.prepare(&mut refused);
        let kernel = self.change(desired, &mut refused);
        if let Err(error) = &kernel {
            refused.insert(format!("its addresses and routes are not to be had: {error}"));
        }
        if !refused.is_empty() {
            self.again = Some(sys::now() + RETRY);
        }
        for text in refused.difference(&self.refused) {
            log::line("kernel", &format!("{text}; trying on"));
        }
        self.refused = refused;
        kernel.ok()
    }

    /// Has the kernel do its own part of IPv6, and switches cards on.
    fn prepare(&mut self, refused: &mut BTreeSet<String>) {
        let settings = Path::new(NETWORK_SETTINGS);
        let mut note = |link: &Link, what: &str, error: io::Error| {
            refused.insert(format!("{}: {what}: {error}", link.name));
        };
        for nic in self.nics.all() {
            if let Err(error) = ipv6::apply(settings, nic) {
                note(&nic.link, "its settings of IPv6", error);
            }
        }
        for card in self.nics.left() {
            match ipv6::leave(settings, &card) {
                Ok(()) => self.nics.let_go(card.index),
                Err(error) => note(&card, "its settings of IPv6, which is to hear no more routers", error),
            }
        }
        for nic in self.nics.all().filter(|nic| !nic.link.up) {
            // The kernel answers with an event, which brings the loop here again.
            if let Err(error) = self.requests.ask(link::up(nic.link.index)) {
                note(&nic.link, "it cannot be switched on", error);
            }
        }
    }

    fn change(&mut self, desired: &Desired, refused: &mut BTreeSet<String>) -> io::Result<Kernel> {
        let kernel = self.kernel()?;
        let wanted = changes(desired, &kernel, &self.applied, sys::now());
        self.applied.clone_from(&desired.addresses);
        let mut changed = false;
        for change in wanted {
            match self.requests.ask(change.request()) {
                Ok(()) => changed = true,
                Err(_) if change.removes() => {}
                Err(error) => {
                    if let Change::Address(address, _) = &change {
                        self.applied.remove(address);
                    }
                    let name = self.nics.get(change.index()).map_or("", |nic| &nic.link.name);
                    refused.insert(format!("{name}: {change}: {error}"));
                }
            }
        }
        if !changed {
            return Ok(kernel);
        }
        self.config.network_changed();
        self.time.network_changed(sys::now());
        self.kernel()
    }

    /// What the kernel has on the cards, and what this program made on others: cards that an earlier plan had.
    fn kernel(&mut self) -> io::Result<Kernel> {
        let mut kernel = Kernel::default();
        let nics = &self.nics;
        let known = |index| nics.get(index).is_some();
        self.requests.list(address::dump(), |message| {
            kernel.addresses.extend(Told::parse(message).filter(|told| told.ours || known(told.address.index)));
        })?;
        self.requests.list(route::dump(), |message| {
            if let Some((route, ours)) = Route::parse(message).filter(|(route, ours)| *ours || known(route.index)) {
                kernel.take_up(route, ours);
            }
        })?;
        kernel.mtus = nics.all().map(|nic| (nic.link.index, nic.link.mtu)).collect();
        Ok(kernel)
    }

    /// Writes the files.
    fn write_all(&mut self, desired: &Desired) {
        self.write(LEASES, files::leases(&self.nics));
        let (resolv, left_out) = files::resolv(&desired.dns, &desired.search);
        if left_out > 0 {
            let most = format!("{MOST_SEARCH_DOMAINS} with {LONGEST_SEARCH_LIST} bytes together are the most");
            let text = format!("{left_out} of {} search domains are left out: {most}", desired.search.len());
            self.log.say(RESOLV_CONF, &format!("{text}; name those that count in `network.search`"));
        }
        self.write(RESOLV_CONF, resolv.into_bytes());
    }

    /// Says once that the network is there.
    fn tell(&mut self, desired: &Desired, kernel: &Kernel) {
        let is_of_use = |told: &Told| told.usable && self.nics.get(told.address.index).is_some();
        let address = kernel.addresses.iter().any(is_of_use);
        let there = address && !self.waits_for_dhcp4(address) && desired.is_met(kernel);
        let connected = there && self.config.settled() && self.firewall.is_up();
        if !self.ready && self.time.sane(connected, &mut self.log) && connected {
            match notify::ready() {
                Ok(()) => self.ready = true,
                Err(error) => {
                    self.log.say("NOTIFY_SOCKET", &error.to_string());
                    self.again = Some(sys::now() + RETRY);
                }
            }
        }
    }

    /// An address of IPv6 is often there a moment before that of IPv4, by which others would know the node.
    fn waits_for_dhcp4(&mut self, address: bool) -> bool {
        if self.ready || !address || !self.nics.all().any(Nic::waits_for_dhcp4) {
            return false;
        }
        let until = *self.until.get_or_insert(sys::now() + DHCP4);
        let waits = sys::now() < until;
        if waits {
            self.again = Some(self.again.map_or(until, |again| again.min(until)));
        }
        waits
    }

    fn write(&mut self, name: &'static str, bytes: Vec<u8>) {
        if self.written.get(name) == Some(&bytes) {
            return;
        }
        match files::write(&self.options.run, name, 0o644, &bytes) {
            Ok(()) => {
                self.written.insert(name, bytes);
            }
            Err(error) => {
                self.log.say(name, &format!("cannot be written: {error}"));
                self.again = Some(sys::now() + RETRY);
            }
        }
    }
}

fn tick() -> Result<Tick> {
    sys::tick().map_err(Error::kernel("random numbers"))
}

/// One event of the kernel.
fn happened(nics: &mut Nics, look: &mut bool, message: &Message<'_>, tick: Tick) -> Vec<Wish> {
    match message.kind {
        link::NEW => match Link::parse(message) {
            Some(link) => {
                let before = nics.get(link.index).map(|nic| nic.link.clone());
                let wishes = nics.link(link.clone(), tick);
                // Pods' links come and go all the time.
                *look |= before != nics.get(link.index).map(|nic| nic.link.clone());
                wishes
            }
            None => match Link::router(message) {
                Some((index, managed, other)) => nics.managed(index, managed, other, tick),
                None => Vec::new(),
            },
        },
        // A link that leaves a bridge is told so in the bridge's family.
        link::DELETE if message.body.first() == Some(&0) => {
            *look = true;
            Link::index(message).map(|index| nics.gone(index)).unwrap_or_default()
        }
        ra::NEW => {
            *look |= ra::parse(message).is_some_and(|(index, told)| nics.router(index, told, tick.now));
            Vec::new()
        }
        address::NEW | address::DELETE => {
            *look |= Told::parse(message).is_some_and(|told| nics.get(told.address.index).is_some());
            Told::duplicate(message).map(|address| nics.duplicate(address, tick)).unwrap_or_default()
        }
        route::NEW | route::DELETE => {
            *look |= Route::parse(message).is_some_and(|(route, _)| nics.get(route.index).is_some());
            Vec::new()
        }
        _ => Vec::new(),
    }
}
