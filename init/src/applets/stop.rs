//! `poweroff` and `reboot`: the word to PID 1's own socket.
//!
//! The kernel starts them, as root without capabilities, when somebody outside asks for the machine's end: Hyper-V and Xen
//! (`orderly_poweroff()` and `orderly_reboot()` of `kernel/reboot.c`, which execute `/sbin/poweroff` and `/sbin/reboot`).
//! Where there is no such program, it ends the machine at once, with the state as it is (Hyper-V), or not at all (Xen).

use super::Failure;
use crate::node::CONTROL;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long PID 1 may take to make its socket, or to read what is in it. The kernel does not wait for this program's end.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries, and how long one may take.
const PAUSE: Duration = Duration::from_millis(200);

/// The word, if nothing else is asked for: whoever says `-f` wants another end than PID 1's.
pub fn plan<'a>(name: &'a str, arguments: &[OsString]) -> Result<&'a str, Failure> {
    match arguments {
        [] => Ok(name),
        _ => Err(Failure::Usage(format!("usage: {name}, without arguments"))),
    }
}

/// Tells PID 1.
pub fn execute(word: &str) -> Result<(), Failure> {
    tell(Path::new(CONTROL), word, PATIENCE).map_err(|error| {
        let message = format!("{CONTROL}: {error}: PID 1 was not told; press the power key, or reset the machine");
        // What the kernel started has no other output.
        let line = format!("orlop: {word}: {message}\n");
        let kmsg = OpenOptions::new().write(true).open("/dev/kmsg");
        let _ = kmsg.and_then(|mut kmsg| kmsg.write_all(line.as_bytes()));
        Failure::Unheard(message)
    })
}

fn tell(socket: &Path, word: &str, patience: Duration) -> io::Result<()> {
    let end = Instant::now() + patience;
    let sender = UnixDatagram::unbound()?;
    sender.set_write_timeout(Some(PAUSE))?;
    loop {
        match sender.send_to(word.as_bytes(), socket) {
            Err(error) if may_pass(&error) && Instant::now() < end => std::thread::sleep(PAUSE),
            sent => return sent.map(drop),
        }
    }
}

/// PID 1 has not bound its socket yet, or has not read what others sent.
fn may_pass(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, NotFound, WouldBlock};
    matches!(error.kind(), ConnectionRefused | NotFound | WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_the_name_and_nothing_else_is_understood() {
        assert_eq!(plan("reboot", &[]), Ok("reboot"));
        assert!(matches!(plan("reboot", &["-f".into()]), Err(Failure::Usage(_))));
    }

    #[test]
    fn the_word_waits_for_its_reader() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("control");
        let none = tell(&path, "reboot", Duration::ZERO).expect_err("nobody is there");
        assert_eq!(none.kind(), io::ErrorKind::NotFound);
        let late = path.clone();
        let reader = std::thread::spawn(move || {
            std::thread::sleep(PAUSE);
            let socket = UnixDatagram::bind(late).expect("a socket");
            let mut text = [0; 16];
            let length = socket.recv(&mut text).expect("a datagram");
            text[..length].to_vec()
        });
        tell(&path, "reboot", PATIENCE).expect("told");
        assert_eq!(reader.join().expect("what was read"), b"reboot");
    }
}
