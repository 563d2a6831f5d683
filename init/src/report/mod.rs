//! The boot report: lines on every console and in the kernel's log, JSON on a virtio-serial port,
//! and the whole of it in `/run/orlop/boot.json`.

mod console;
mod event;
mod port;
mod record;
mod refusal;

pub use event::{Event, one_line};
pub use refusal::{Refusal, Stop, or_refuse, refuse, refuse_on_panic};

use console::Consoles;
use nix::time::{ClockId, clock_gettime};
use port::Port;
use record::Record;
use std::path::Path;

/// Where the whole report lies.
const DOCUMENT: &str = "/run/orlop/boot.json";

/// Milliseconds since the kernel started.
pub fn now_ms() -> u64 {
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .map_or(0, |time| time.tv_sec() as u64 * 1000 + time.tv_nsec() as u64 / 1_000_000)
}

/// The report of this boot.
#[derive(Debug, Default)]
pub struct Report {
    consoles: Consoles,
    port: Port,
    record: Record,
}

impl Report {
    /// Opens the consoles; the port is looked for when there is something to send.
    pub fn open() -> Self {
        Report { consoles: Consoles::open(), ..Report::default() }
    }

    /// Goes on with the report that lies in `/run`, for who has lost the one at hand.
    pub fn reopen() -> Self {
        Report { record: Record::reopen(Path::new(DOCUMENT)), ..Report::open() }
    }

    /// Tells an event everywhere.
    pub fn tell(&mut self, event: &Event) {
        self.consoles.say(&event.line());
        self.port.send(&event.json().to_string());
        self.keep(event);
    }

    /// Keeps an event that was told before (in the initramfs).
    pub fn keep(&mut self, event: &Event) {
        self.record.add(event);
        self.save();
    }

    /// A phase ended now.
    pub fn phase(&mut self, name: &str) {
        self.tell(&Event::Phase { name: name.to_owned(), ms: now_ms() });
    }

    /// Something worth a line.
    pub fn note(&mut self, about: &str, text: impl Into<String>) {
        self.tell(&Event::Note { about: about.to_owned(), text: text.into() });
    }

    /// Something went wrong and the boot goes on.
    pub fn error(&mut self, about: &str, text: impl Into<String>) {
        let text = text.into();
        self.record.error(&format!("{about}: {}", one_line(&text)));
        self.note(about, text);
    }

    /// The boot is refused.
    pub fn refused(&mut self, refusal: &Refusal) {
        self.record.error(&format!("{}: {}", refusal.stage, one_line(&refusal.reason)));
        self.tell(&Event::Refused { stage: refusal.stage.clone(), reason: refusal.reason.clone() });
        self.send_document();
    }

    /// Something about a service.
    pub fn service(&mut self, name: &str, what: &str, facts: &[(&'static str, String)]) {
        self.tell(&Event::Service { name: name.to_owned(), what: what.to_owned(), facts: facts.to_vec() });
    }

    /// A line for people only, such as the tail of a log.
    pub fn quote(&mut self, line: &str) {
        self.consoles.say(&format!("orlop: | {}", one_line(line)));
    }

    /// Sends the whole document on the port, for who started the machine: nobody can log in to read it.
    pub fn send_document(&mut self) {
        self.port.send(&serde_json::json!({"event": "report", "report": self.record.document()}).to_string());
    }

    /// Sets a field of the document.
    pub fn set(&mut self, key: &str, value: serde_json::Value) {
        self.record.set(key, value);
    }

    /// Sends what waits on the port; whether something still does.
    pub fn flush(&mut self) -> bool {
        self.port.flush();
        self.port.waits()
    }

    fn save(&self) {
        // Before /run is there, and when it is full, the consoles have it all.
        let _ = self.record.write(Path::new(DOCUMENT));
    }
}
