//! The program itself: it prints, answers, and says goodbye on SIGTERM.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

#[test]
fn prints_answers_and_says_goodbye() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hello"))
        .arg("127.0.0.1:0")
        .stdout(Stdio::piped())
        .spawn()
        .expect("hello starts");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
    let mut line = || lines.next().expect("one more line").expect("text");

    let first = line();
    let address = first.strip_prefix("hello: listens on ").expect("an address");
    assert_eq!(line(), "hello n=0");

    let mut connection = TcpStream::connect(address).expect("it listens");
    connection.write_all(b"GET / HTTP/1.1\r\nHost: hello\r\n\r\n").expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\n\r\nhello n="), "{answer}");

    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).expect("signal sent");
    let last = std::iter::from_fn(|| lines.next()).map(|line| line.expect("text")).last().expect("a last line");
    assert_eq!(last, "hello: terminated by SIGTERM");
    assert_eq!(child.wait().expect("ended").code(), Some(0));
}
