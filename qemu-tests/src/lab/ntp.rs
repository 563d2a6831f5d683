//! Time: a small SNTP server (RFC 4330), whose clock may be as wrong as a test wants.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Lab;
use super::network::host;
use crate::feed::{Feed, Mark};
use crate::{Error, Result};

/// Between two looks whether it shall end.
const LOOK: Duration = Duration::from_millis(200);
/// Seconds from 1900, where NTP's time begins, to 1970.
const TO_1970: u64 = 2_208_988_800;
const LENGTH: usize = 48;
/// What it needs for an answer, by its own words: a real server's two times are never the same.
const NEEDED: Duration = Duration::from_micros(50);
/// How many questions are remembered.
const KEPT: usize = 1024;

/// A time server. It is gone when this is dropped.
#[derive(Debug)]
pub struct TimeServer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ended: AtomicBool,
    silent: AtomicBool,
    /// Clients that get no answer.
    deaf_to: Mutex<BTreeSet<IpAddr>>,
    wrong_by: AtomicI64,
    answers: AtomicU64,
    asked: Feed<SocketAddr>,
}

impl Default for Shared {
    fn default() -> Self {
        Shared {
            ended: AtomicBool::new(false),
            silent: AtomicBool::new(false),
            deaf_to: Mutex::default(),
            wrong_by: AtomicI64::new(0),
            answers: AtomicU64::new(0),
            asked: Feed::new(KEPT),
        }
    }
}

impl TimeServer {
    /// Starts it at the lab's host, with this machine's time.
    pub fn start(lab: &Lab) -> Result<TimeServer> {
        TimeServer::start_at(lab, SocketAddr::new(host(), 123))
    }

    /// Starts it at another address of the lab.
    pub fn start_at(lab: &Lab, address: SocketAddr) -> Result<TimeServer> {
        TimeServer::serving(lab.namespace.udp(address)?)
    }

    fn serving(socket: UdpSocket) -> Result<TimeServer> {
        socket.set_read_timeout(Some(LOOK)).map_err(|error| Error::Lab(format!("the time server: {error}")))?;
        let shared = Arc::new(Shared::default());
        let ours = Arc::clone(&shared);
        std::thread::spawn(move || serve(&socket, &ours));
        Ok(TimeServer { shared })
    }

    /// Makes its clock wrong by so many seconds.
    pub fn wrong_by(&self, seconds: i64) {
        self.shared.wrong_by.store(seconds, Ordering::Relaxed);
    }

    /// Whether it answers nothing from now on.
    pub fn silent(&self, silent: bool) {
        self.shared.silent.store(silent, Ordering::Relaxed);
    }

    /// From now on it answers nothing to this client.
    pub fn deaf_to(&self, client: IpAddr) {
        self.shared.deaf_to.lock().unwrap_or_else(PoisonError::into_inner).insert(client);
    }

    /// The position behind the questions so far.
    #[must_use]
    pub fn mark(&self) -> Mark {
        self.shared.asked.mark()
    }

    /// Waits for a question since `mark`, whether it is answered or not; the position behind it.
    pub fn wait_asked(&self, mark: Mark, limit: Duration) -> Result<Mark> {
        let asked = self.shared.asked.wait(mark, limit, |from| Some(*from));
        let none = || Error::Lab(format!("nobody asked the time server within {} s", limit.as_secs_f32()));
        asked.map(|_| self.mark()).ok_or_else(none)
    }

    /// How many answers it has given.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.shared.answers.load(Ordering::Relaxed)
    }
}

impl Drop for TimeServer {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
    }
}

fn serve(socket: &UdpSocket, shared: &Shared) {
    let mut request = [0; 512];
    while !shared.ended.load(Ordering::Relaxed) {
        let Ok((LENGTH.., from)) = socket.recv_from(&mut request) else { continue };
        shared.asked.push(from);
        let deaf = shared.deaf_to.lock().unwrap_or_else(PoisonError::into_inner).contains(&from.ip());
        if deaf || shared.silent.load(Ordering::Relaxed) {
            continue;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let answer = answer(&request[..LENGTH], now, shared.wrong_by.load(Ordering::Relaxed));
        if socket.send_to(&answer, from).is_ok() {
            shared.answers.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The answer to a client: version 4, a server of stratum 2.
fn answer(request: &[u8], now: Duration, wrong_by: i64) -> [u8; LENGTH] {
    let mut answer = [0; LENGTH];
    let version = request[0] & 0b0011_1000;
    answer[0] = version | 4;
    answer[1] = 2;
    answer[2] = request[2];
    // 2^-20 s.
    answer[3] = (-20i8).to_be_bytes()[0];
    answer[12..16].copy_from_slice(b"LAB\0");
    let stamp = |time: Duration| {
        let seconds = time.as_secs().wrapping_add(TO_1970).wrapping_add_signed(wrong_by);
        // The era is what fits into 32 bits.
        let fraction = (u64::from(time.subsec_nanos()) << 32) / 1_000_000_000;
        ((seconds & 0xffff_ffff) << 32 | fraction).to_be_bytes()
    };
    answer[16..24].copy_from_slice(&stamp(now));
    // What the client calls its own time comes back as it was.
    answer[24..32].copy_from_slice(&request[40..48]);
    answer[32..40].copy_from_slice(&stamp(now));
    answer[40..48].copy_from_slice(&stamp(now + NEEDED));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_to_have_no_answer_has_none_and_the_next_one_has() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let server = TimeServer::serving(socket).unwrap();
        let [left, heard] = ["127.0.0.2:0", "127.0.0.1:0"].map(|from| UdpSocket::bind(from).unwrap());
        server.deaf_to(left.local_addr().unwrap().ip());
        for client in [&left, &heard] {
            client.send_to(&[0; LENGTH], address).unwrap();
        }
        heard.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        assert_eq!(heard.recv(&mut [0; LENGTH]).unwrap(), LENGTH);
        left.set_nonblocking(true).unwrap();
        assert!(left.recv(&mut [0; LENGTH]).is_err(), "it asked first");
    }

    #[test]
    fn an_answer_has_the_clients_time_and_a_clock_that_is_wrong_by_a_day() {
        let mut request = [0u8; LENGTH];
        request[0] = 0b0010_0011;
        request[40..48].copy_from_slice(b"clients!");
        let now = Duration::new(1_800_000_000, 500_000_000);
        let answer = answer(&request, now, 86_400);
        assert_eq!((answer[0], &answer[24..32]), (0b0010_0100, &b"clients!"[..]));
        let seconds = u32::from_be_bytes(answer[40..44].try_into().unwrap());
        assert_eq!(u64::from(seconds), (1_800_000_000 + TO_1970 + 86_400) & 0xffff_ffff);
        assert_eq!(answer[36..40], [0x80, 0, 0, 0]);
        assert_eq!(answer[44..48], [0x80, 0x03, 0x46, 0xdc], "50 µs later");
    }
}
