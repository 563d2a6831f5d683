//! The thread that asks the providers, in the order of the signed image, again and again until one has a document that
//! is taken.

use super::{Places, ask, azure};
use orlop_config::node::Provider;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Waits between rounds: doubled from the first to the last.
const FIRST: Duration = Duration::from_millis(250);
const LAST: Duration = Duration::from_secs(15);

/// What the thread says.
#[derive(Debug)]
pub enum News {
    /// A document; an [`Order`] has to come for it.
    Document(Provider, Vec<u8>),
    /// A line about a provider.
    Line(Provider, String),
    /// The provider has heard that the machine is ready. Nothing comes after this.
    Told(Provider),
}

/// What the thread is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The network has changed: now is a good time to ask.
    Now,
    /// The document is good.
    Taken,
    /// It is not: it may be another one next time.
    Refused,
}

/// The thread's other end.
#[derive(Debug)]
pub struct Fetch {
    news: Receiver<News>,
    orders: Sender<Order>,
    /// The thread rings it; none: the thread has ended.
    bell: Option<UnixStream>,
}

impl Fetch {
    /// Starts the thread.
    pub fn start(providers: Vec<Provider>, places: Places) -> std::io::Result<Self> {
        Self::thread(Worker::run, providers, places)
    }

    /// Starts it for the report alone: the document is known, and the program that was to report it has ended.
    pub fn report(places: Places) -> std::io::Result<Self> {
        Self::thread(Worker::report, Vec::new(), places)
    }

    fn thread(work: fn(Worker), providers: Vec<Provider>, places: Places) -> std::io::Result<Self> {
        let (bell, ring) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        let (out, news) = channel();
        let (orders, order) = channel();
        let worker = Worker { providers, places, out, order, ring };
        std::thread::Builder::new().name("providers".into()).spawn(move || work(worker))?;
        Ok(Fetch { news, orders, bell: Some(bell) })
    }

    /// What to poll for.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.bell.as_ref().map(|bell| bell.as_fd())
    }

    /// The next news, if there are any.
    pub fn news(&mut self) -> Option<News> {
        let mut rung = [0; 64];
        while let Some(length) = self.bell.as_mut().and_then(|bell| bell.read(&mut rung).ok()) {
            if length == 0 {
                // The other end is closed, which would be news for ever.
                self.bell = None;
            }
        }
        self.news.try_recv().ok()
    }

    /// Tells the thread something; one that has ended needs nothing.
    pub fn tell(&self, order: Order) {
        let _ = self.orders.send(order);
    }
}

/// Whether a provider that gave the document wants to hear that the machine is ready.
pub fn wants_report(provider: Provider) -> bool {
    provider == Provider::Azure
}

struct Worker {
    providers: Vec<Provider>,
    places: Places,
    out: Sender<News>,
    order: Receiver<Order>,
    ring: UnixStream,
}

impl Worker {
    fn run(mut self) {
        let mut wait = FIRST;
        loop {
            for provider in self.providers.clone() {
                match ask(provider, &self.places) {
                    Ok(document) => {
                        self.say(News::Document(provider, document));
                        match self.verdict() {
                            Some(true) if wants_report(provider) => return self.report(),
                            Some(true) | None => return,
                            // Whoever comes next is not asked: the machine's own document is this one.
                            Some(false) => break,
                        }
                    }
                    Err(line) => self.say(News::Line(provider, line)),
                }
            }
            if !self.pause(&mut wait) {
                return;
            }
        }
    }

    /// Waits before the next try, or until the network changes; `false`: nobody is there any more.
    fn pause(&self, wait: &mut Duration) -> bool {
        match self.order.recv_timeout(*wait) {
            Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => *wait = (*wait * 2).min(LAST),
            // Several changes are one.
            Ok(_) => while self.order.try_recv().is_ok() {},
        }
        true
    }

    /// Whether the document was taken; none: nobody is there any more.
    fn verdict(&self) -> Option<bool> {
        loop {
            match self.order.recv().ok()? {
                Order::Now => {}
                Order::Taken => return Some(true),
                Order::Refused => return Some(false),
            }
        }
    }

    /// Azure wants to hear it; what fails is tried again.
    fn report(mut self) {
        let mut wait = FIRST;
        while let Err(line) = azure::ready(self.places.wireserver) {
            self.say(News::Line(Provider::Azure, format!("the report that the machine is ready: {line}")));
            if !self.pause(&mut wait) {
                return;
            }
        }
        self.say(News::Told(Provider::Azure));
    }

    fn say(&mut self, news: News) {
        // The other end is gone: so is this program.
        let _ = self.out.send(news);
        let _ = self.ring.write_all(&[1]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::http::tests::{http, server};
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::net::{Ipv4Addr, TcpListener};
    use std::time::Instant;

    const GOAL: &[u8] = b"<Incarnation>1</Incarnation><ContainerId>c</ContainerId><InstanceId>i</InstanceId>";

    fn awaited(fetch: &mut Fetch) -> News {
        loop {
            if let Some(news) = fetch.news() {
                return news;
            }
            rung(fetch);
        }
    }

    /// The thread has nothing more to say, and ends.
    fn ended(fetch: &mut Fetch) {
        while fetch.fd().is_some() {
            rung(fetch);
            if let Some(news) = fetch.news() {
                panic!("{news:?}");
            }
        }
    }

    fn rung(fetch: &Fetch) {
        let bell = fetch.fd().expect("the thread goes on");
        let rung = poll(&mut [PollFd::new(bell, PollFlags::POLLIN)], PollTimeout::from(20_000u16));
        assert_eq!(rung, Ok(1), "nothing was said in time");
    }

    #[test]
    fn it_asks_until_a_document_is_taken_and_then_is_silent() {
        let folder = tempfile::tempdir().expect("a folder");
        let places = Places { sys: folder.path().into(), ..Places::default() };
        let mut fetch = Fetch::start(vec![Provider::Smbios, Provider::FwCfg], places).expect("a thread");
        assert!(matches!(awaited(&mut fetch), News::Line(Provider::Smbios, _)));
        assert!(matches!(awaited(&mut fetch), News::Line(Provider::FwCfg, _)));
        let item = folder.path().join("firmware/qemu_fw_cfg/by_name/opt/orlop/config");
        std::fs::create_dir_all(&item).expect("a folder");
        std::fs::write(item.join("raw"), "one").expect("written");
        while !matches!(awaited(&mut fetch), News::Document(Provider::FwCfg, bytes) if bytes == b"one") {}
        std::fs::write(item.join("raw"), "two").expect("written");
        fetch.tell(Order::Refused);
        fetch.tell(Order::Now);
        while !matches!(awaited(&mut fetch), News::Document(_, bytes) if bytes == b"two") {}
        fetch.tell(Order::Taken);
        ended(&mut fetch);
    }

    #[test]
    fn azures_report_is_tried_until_it_is_taken() {
        let (metadata, _thread) = server(vec![http("200 OK", "", b"dmVyc2lvbiA9IDEK")]);
        let busy = http("503 Service Unavailable", "", b"");
        let goal = http("200 OK", "", GOAL);
        let (wireserver, thread) = server(vec![busy.clone(), goal.clone(), busy, goal, http("200 OK", "", b"")]);
        let places = Places { metadata, wireserver, ..Places::default() };
        let mut fetch = Fetch::start(vec![Provider::Azure], places).expect("a thread");
        assert!(matches!(awaited(&mut fetch), News::Document(Provider::Azure, bytes) if bytes == b"version = 1\n"));
        fetch.tell(Order::Taken);
        for why in ["/machine/?comp=goalstate: status 503", "/machine?comp=health: status 503"] {
            let news = awaited(&mut fetch);
            assert!(matches!(&news, News::Line(Provider::Azure, line) if line.ends_with(why)), "{news:?}");
        }
        let news = awaited(&mut fetch);
        assert!(matches!(news, News::Told(Provider::Azure)), "{news:?}");
        ended(&mut fetch);
        let requests = thread.join().expect("a server");
        let asked: Vec<&str> = requests.iter().map(|one| one.split(" HTTP/").next().unwrap_or_default()).collect();
        let (goal, health) = ("GET /machine/?comp=goalstate", "POST /machine?comp=health");
        assert_eq!(asked, [goal, goal, health, goal, health]);
    }

    /// By themselves five waits take eight seconds.
    #[test]
    fn a_change_of_the_network_ends_the_wait_before_the_next_report() {
        let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|one| one.local_addr()).expect("an address");
        let mut fetch = Fetch::report(Places { wireserver: nobody, ..Places::default() }).expect("a thread");
        let start = Instant::now();
        for _ in 0..5 {
            let news = awaited(&mut fetch);
            assert!(matches!(news, News::Line(Provider::Azure, _)), "{news:?}");
            fetch.tell(Order::Now);
        }
        awaited(&mut fetch);
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }
}
