//! Does what a command asks, and says how it went: `{"reply": NAME, "ok": true, …}` or with `"ok": false, "reason"`.

use crate::command::Command;
use crate::report::process;
use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::signal::{Signal, kill};
use nix::sys::statvfs::fstatvfs;
use nix::unistd::{Pid, sync};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// How much of a file's beginning is sent.
const HEAD: usize = 512;
/// The smallest piece of a disk that `fill` still takes.
const SMALLEST_PIECE: u64 = 4096;

/// Does it.
pub fn act(command: &Command) -> Value {
    let (name, done) = match command {
        Command::Report => ("report", Ok(json!({}))),
        Command::Read { path } => ("read", read(path)),
        Command::Write { path, text } => ("write", fs::write(path, text).map(|()| json!({}))),
        Command::Kill { comm, signal } => ("kill", send(comm, *signal)),
        Command::Pids { comm } => ("pids", Ok(json!({"pids": process::named(comm)}))),
        Command::Fill { path, leave_bytes } => ("fill", fill(path, *leave_bytes)),
        Command::Unfill { path } => ("unfill", fs::remove_file(path).map(|()| json!({}))),
        Command::DropCaches {} => ("drop-caches", drop_caches()),
    };
    match done {
        Ok(mut value) => {
            value["reply"] = name.into();
            value["ok"] = true.into();
            value
        }
        Err(error) => failed(name, &error.to_string()),
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
    fn nobody_of_that_name_is_no_error() {
        let killed = act(&Command::Kill { comm: "no-such-program".into(), signal: 9 });
        assert_eq!(killed, json!({"reply": "kill", "ok": true, "pids": []}));
        assert_eq!(act(&Command::Kill { comm: "x".into(), signal: 4096 })["ok"], false);
    }
}
