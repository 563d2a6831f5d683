//! Does what a command asks, and says how it went: `{"reply": NAME, "ok": true, …}` or with `"ok": false, "reason"`.

use crate::command::Command;
use crate::report::process;
use crate::{attack, workload};
use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::signal::{Signal, kill};
use nix::sys::statvfs::fstatvfs;
use nix::unistd::{Pid, sync};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

/// How much of a file's beginning is sent.
const HEAD: usize = 512;
/// How often is looked whether a process is still there.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(30);
/// No more of a server's answer is read.
const LONGEST_ANSWER: u64 = 64 << 10;
/// The smallest piece of a disk that `fill` still takes.
const SMALLEST_PIECE: u64 = 4096;

/// Does it.
pub fn act(command: &Command) -> Value {
    let (name, done) = match command {
        Command::Report => ("report", Ok(json!({}))),
        Command::Read { path } => ("read", read(path)),
        Command::Write { path, text } => ("write", fs::write(path, text).map(|()| json!({}))),
        Command::Kill { comm, signal } => ("kill", send(comm, *signal)),
        Command::Signal { pid, signal } => ("signal", send_one(*pid, *signal)),
        Command::AwaitEnd { pid, seconds } => ("await-end", await_end(*pid, Duration::from_secs(*seconds))),
        Command::Pids { comm } => ("pids", Ok(json!({"pids": process::named(comm)}))),
        Command::List { path } => ("list", list(path)),
        Command::Datagram { path, text } => ("datagram", datagram(path, text)),
        Command::Fetch { address } => ("fetch", fetch(*address)),
        Command::Fill { path, leave_bytes } => ("fill", fill(path, *leave_bytes)),
        Command::Unfill { path } => ("unfill", fs::remove_file(path).map(|()| json!({}))),
        Command::DropCaches {} => ("drop-caches", drop_caches()),
        Command::AwaitText { path, text, seconds } => {
            ("await-text", await_text(path, text, Duration::from_secs(*seconds)))
        }
        Command::Workload {} => ("workload", Ok(json!({"workload": workload::all()}))),
        Command::Attack { attack, on_host: false } => ("attack", attack::attack(attack)),
        Command::Attack { attack, on_host: true } => match attack::on_host(attack) {
            Ok(answer) => return answer,
            failed => ("attack", failed),
        },
    };
    answer(name, done)
}

/// The answer of something that was done, or not.
pub fn answer(name: &str, done: io::Result<Value>) -> Value {
    match done {
        Ok(mut value) => {
            value["reply"] = name.into();
            value["ok"] = true.into();
            value
        }
        Err(error) => {
            let mut value = failed(name, &error.to_string());
            value["errno"] = error.raw_os_error().into();
            value
        }
    }
}

/// The answer of something that was not done.
pub fn failed(name: &str, reason: &str) -> Value {
    json!({"reply": name, "ok": false, "reason": reason})
}

fn read(path: &Path) -> io::Result<Value> {
    let mut file = File::open(path)?;
    let (mut hash, mut head, mut size) = (Sha256::new(), Vec::new(), 0u64);
    let mut part = vec![0; 64 << 10];
    loop {
        let n = file.read(&mut part)?;
        if n == 0 {
            break;
        }
        hash.update(&part[..n]);
        let wanted = HEAD.saturating_sub(head.len()).min(n);
        head.extend_from_slice(&part[..wanted]);
        size += n as u64;
    }
    Ok(json!({
        "path": path,
        "size": size,
        "sha256": hex::encode(hash.finalize()),
        "head": String::from_utf8_lossy(&head),
    }))
}

fn send(comm: &str, signal: i32) -> io::Result<Value> {
    let signal = Signal::try_from(signal)?;
    let pids = process::named(comm);
    for pid in &pids {
        kill(Pid::from_raw(*pid), signal)?;
    }
    Ok(json!({"pids": pids}))
}

fn send_one(pid: i32, signal: i32) -> io::Result<Value> {
    // Zero and below are groups of processes.
    if pid < 1 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{pid} is no process")));
    }
    kill(Pid::from_raw(pid), Signal::try_from(signal)?)?;
    Ok(json!({}))
}

/// A process that ended and was not reaped is still in `/proc`.
fn await_end(pid: i32, limit: Duration) -> io::Result<Value> {
    let begun = Instant::now();
    while Path::new(&format!("/proc/{pid}")).exists() {
        if begun.elapsed() > limit {
            let state = process::one(pid)["state"].take();
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("process {pid} is still there, state {state}"),
            ));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(json!({}))
}

/// Waits for a line that has this; the last one. The file may not be there yet, and a line not whole.
fn await_text(path: &Path, text: &str, limit: Duration) -> io::Result<Value> {
    let begun = Instant::now();
    loop {
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            bytes => bytes?,
        };
        let all = String::from_utf8_lossy(&bytes);
        let whole = all.rsplit_once('\n').map_or("", |(whole, _)| whole);
        if let Some(line) = whole.lines().rfind(|line| line.contains(text)) {
            return Ok(json!({"line": line}));
        }
        if begun.elapsed() > limit {
            let reason = format!("{}: no line has `{text}`", path.display());
            return Err(io::Error::new(io::ErrorKind::TimedOut, reason));
        }
        std::thread::sleep(PAUSE);
    }
}

fn list(path: &Path) -> io::Result<Value> {
    let entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    let mut names: Vec<String> = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(json!({"names": names}))
}

/// Sends it.
fn datagram(path: &Path, text: &str) -> io::Result<Value> {
    UnixDatagram::unbound()?.send_to(text.as_bytes(), path).map(|_| json!({}))
}

/// The server's whole answer; it is asked to close afterwards.
fn fetch(address: SocketAddr) -> io::Result<Value> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // In one write: a server that answers the first piece and closes would reset the connection under the others.
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Ok(json!({"head": head, "body": body}))
}

/// Takes pieces, each as big as there is room for, halved where there is not.
fn fill(path: &Path, leave: u64) -> io::Result<Value> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    let mut piece = u64::MAX;
    loop {
        // Free blocks, not available ones: this process may use what is kept for root.
        let free = free_bytes(&file)?;
        piece = piece.min(free.saturating_sub(leave));
        if piece < SMALLEST_PIECE {
            return Ok(json!({"taken": file.metadata()?.len(), "free": free}));
        }
        let (from, length) = (file.metadata()?.len(), piece.min(i64::MAX as u64));
        match fallocate(&file, FallocateFlags::empty(), from as i64, length as i64) {
            Ok(()) => {}
            Err(Errno::ENOSPC | Errno::EFBIG) => piece = length / 2,
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn free_bytes(file: &File) -> io::Result<u64> {
    let filesystem = fstatvfs(file)?;
    Ok(filesystem.blocks_free() * filesystem.fragment_size())
}

/// Dirty pages are not dropped, so they are written first.
fn drop_caches() -> io::Result<Value> {
    sync();
    fs::write("/proc/sys/vm/drop_caches", "3\n").map(|()| json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_and_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("f");
        let written = act(&Command::Write { path: path.clone(), text: "abc".into() });
        assert_eq!(written, json!({"reply": "write", "ok": true}));
        let read = act(&Command::Read { path: path.clone() });
        assert_eq!((&read["size"], &read["head"]), (&json!(3), &json!("abc")));
        assert_eq!(read["sha256"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(act(&Command::Unfill { path: path.clone() })["ok"], true);
        let missing = act(&Command::Read { path });
        assert_eq!((&missing["reply"], &missing["ok"]), (&json!("read"), &json!(false)));
    }

    #[test]
    fn a_fill_that_leaves_everything_takes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let filled = act(&Command::Fill { path: folder.path().join("f"), leave_bytes: u64::MAX });
        assert_eq!((&filled["ok"], &filled["taken"]), (&json!(true), &json!(0)));
    }

    #[test]
    fn a_process_is_signalled_and_its_end_awaited_until_it_is_reaped() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().expect("a process");
        let pid = child.id() as i32;
        assert_eq!(act(&Command::Signal { pid, signal: 9 })["ok"], true);
        assert_eq!(act(&Command::AwaitEnd { pid, seconds: 0 })["ok"], false, "nobody has reaped it");
        child.wait().expect("its status");
        assert_eq!(act(&Command::AwaitEnd { pid, seconds: 0 })["ok"], true);
        assert_eq!(act(&Command::Signal { pid: -1, signal: 9 })["ok"], false, "that would be everybody");
    }

    #[test]
    fn a_datagram_arrives_and_its_socket_is_listed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("control");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        assert_eq!(act(&Command::Datagram { path, text: "poweroff".into() })["ok"], true);
        let mut text = [0; 16];
        let length = socket.recv(&mut text).expect("a datagram");
        assert_eq!(&text[..length], b"poweroff");
        let listed = act(&Command::List { path: folder.path().to_owned() });
        assert_eq!(listed["names"], json!(["control"]));
    }

    #[test]
    fn a_server_is_asked_and_its_body_given() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = server.local_addr().expect("its address");
        let thread = std::thread::spawn(move || {
            let (mut client, _) = server.accept().expect("a client");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).expect("more of its request");
                request.push(byte[0]);
            }
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\nhello").expect("an answer");
            request.starts_with(b"GET / ")
        });
        assert_eq!(act(&Command::Fetch { address })["body"], "hello");
        assert!(thread.join().expect("the server"));
        assert_eq!(act(&Command::Fetch { address })["ok"], false, "it is gone");
    }

    #[test]
    fn nobody_of_that_name_is_no_error() {
        let killed = act(&Command::Kill { comm: "no-such-program".into(), signal: 9 });
        assert_eq!(killed, json!({"reply": "kill", "ok": true, "pids": []}));
        assert_eq!(act(&Command::Kill { comm: "x".into(), signal: 4096 })["ok"], false);
    }
}
