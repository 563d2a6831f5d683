//! QEMU's control socket: one JSON object per line, commands out, answers and events in
//! (QEMU's `docs/interop/qmp-spec`).

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::{Value, json};

use crate::{Error, Result};

/// How long QEMU may take for an answer: it answers at once, unless the host is stuck.
const ANSWER: Duration = Duration::from_secs(30);

/// A conversation with QEMU.
#[derive(Debug)]
pub struct Qmp {
    writer: UnixStream,
    answers: Receiver<Value>,
}

/// What a reader of the socket does with events, and with its end (`None`).
pub type Listener = Box<dyn FnMut(Option<Value>) + Send>;

impl Qmp {
    /// Takes QEMU's greeting, and gives events to `listener` from then on.
    pub fn greet(stream: UnixStream, listener: Listener) -> Result<Qmp> {
        let (sender, answers) = mpsc::channel();
        let reader = stream.try_clone().map_err(|error| broken("greeting", &error))?;
        std::thread::spawn(move || {
            read(reader, &sender, listener);
        });
        let mut qmp = Qmp { writer: stream, answers };
        qmp.answer("greeting")?;
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Runs a command and gives what it returned.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let line = json!({ "execute": command, "arguments": arguments });
        writeln!(self.writer, "{line}").map_err(|error| broken(command, &error))?;
        let mut answer = self.answer(command)?;
        match answer.get_mut("return") {
            Some(value) => Ok(value.take()),
            None => Err(Error::Qmp { command: command.into(), answer: answer["error"].to_string() }),
        }
    }

    fn answer(&self, command: &str) -> Result<Value> {
        self.answers.recv_timeout(ANSWER).map_err(|error| broken(command, &error))
    }
}

fn broken(command: &str, error: &dyn std::fmt::Display) -> Error {
    Error::Qmp { command: command.into(), answer: format!("no answer: {error}") }
}

fn read(stream: UnixStream, answers: &mpsc::Sender<Value>, mut listener: Listener) {
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { break };
        match serde_json::from_str::<Value>(&line) {
            Ok(value) if value.get("event").is_some() => listener(Some(value)),
            // Nobody may be waiting any more: the conversation is over then.
            Ok(value) => drop(answers.send(value)),
            Err(_) => {}
        }
    }
    listener(None);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A QEMU of one thread that plays a script: lines that start with `<` are awaited.
    fn scripted(script: &'static [&'static str], listener: Listener) -> Result<Qmp> {
        let (ours, theirs) = UnixStream::pair().unwrap();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(theirs.try_clone().unwrap()).lines();
            for step in script {
                match step.strip_prefix('<') {
                    Some(wanted) => assert!(lines.next().unwrap().unwrap().contains(wanted)),
                    None => writeln!(&theirs, "{step}").unwrap(),
                }
            }
        });
        Qmp::greet(ours, listener)
    }

    const GREETING: &str = r#"{"QMP": {"version": {}, "capabilities": []}}"#;

    #[test]
    fn events_between_command_and_answer_go_to_the_listener() {
        let (sender, events) = mpsc::channel();
        let listener = Box::new(move |event| sender.send(event).unwrap());
        let script = &[
            GREETING,
            "<qmp_capabilities",
            r#"{"return": {}}"#,
            "<query-status",
            r#"{"event": "STOP"}"#,
            r#"{"return": {"status": "paused"}}"#,
        ];
        let mut qmp = scripted(script, listener).unwrap();
        assert_eq!(qmp.execute("query-status", json!({})).unwrap()["status"], "paused");
        assert_eq!(events.recv().unwrap().unwrap()["event"], "STOP");
        assert_eq!(events.recv().unwrap(), None);
    }

    #[test]
    fn a_refused_command_is_an_error_with_qemus_words() {
        let script = &[
            GREETING,
            "<qmp_capabilities",
            r#"{"return": {}}"#,
            "<no-such",
            r#"{"error": {"class": "CommandNotFound", "desc": "The command no-such has not been found"}}"#,
        ];
        let mut qmp = scripted(script, Box::new(|_| {})).unwrap();
        let error = qmp.execute("no-such", json!({})).unwrap_err().to_string();
        assert!(error.contains("has not been found"), "{error}");
    }

    #[test]
    fn a_socket_that_closes_is_an_error_at_once() {
        let error = scripted(&[], Box::new(|_| {})).unwrap_err().to_string();
        assert!(error.contains("no answer"), "{error}");
    }
}
