//! A real browser without a window: Chromium, by its DevTools protocol over two pipes (`--remote-debugging-pipe`: file
//! descriptors 3 and 4, JSON with a NUL behind each message). No port is opened, and nobody sleeps: answers and events
//! come in one order, and are waited for with a deadline.
//!
//! <https://chromedevtools.github.io/devtools-protocol/>

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// What the program may be called.
const NAMES: [&str; 4] = ["chromium", "chromium-headless-shell", "chromium-browser", "google-chrome"];
/// Its sandbox does not start as root, and the page is ours; the rest is what would fetch something by itself, or ask.
const ARGUMENTS: [&str; 14] = [
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--password-store=basic",
];
/// Standard input and output become descriptors 3 and 4: who starts a program can give it no others.
const PIPES: &str = "exec \"$@\" 3<&0 4>&1 </dev/null >&2";

/// A browser with one page. It ends when it goes out of scope.
pub struct Browser {
    program: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    /// All that was heard, answers and events.
    heard: Vec<Value>,
    /// The page; `None` before there is one.
    session: Option<String>,
    asked: u64,
    folder: TempDir,
}

impl Browser {
    /// Starts it, with a blank page. A machine without Chromium fails the test.
    pub fn start() -> Browser {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", PIPES, "sh"]).arg(program()).args(ARGUMENTS);
        command.arg(format!("--user-data-dir={}", folder.path().join("profile").display())).arg("about:blank");
        command.env("HOME", folder.path()).current_dir(folder.path());
        let errors = File::create(folder.path().join("errors.log")).unwrap();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut program = command.spawn().unwrap();
        let (commands, answers) = (program.stdin.take().unwrap(), program.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            // Ends with the pipe, or when nobody listens any more.
            for message in BufReader::new(answers).split(0).map_while(Result::ok) {
                let message = serde_json::from_slice::<Value>(&message).unwrap();
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let mut browser = Browser { program, commands, messages, heard: Vec::new(), session: None, asked: 0, folder };
        let page = browser.ask("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = browser.ask("Target.attachToTarget", json!({"targetId": page, "flatten": true}));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.ask(&format!("{domain}.enable"), json!({}));
        }
        browser.ask("Page.setLifecycleEventsEnabled", json!({"enabled": true}));
        let screen = json!({"width": 1200, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        browser.ask("Emulation.setDeviceMetricsOverride", screen);
        browser.ask("Emulation.setFocusEmulationEnabled", json!({"enabled": true}));
        browser
    }

    /// Opens an address anew, and waits until it is loaded.
    pub fn open(&mut self, address: &str) {
        // From a page to another place of the same page nothing would be loaded.
        for address in ["about:blank", address] {
            let since = self.heard.len();
            let answer = self.ask("Page.navigate", json!({"url": address}));
            assert!(answer.get("errorText").is_none(), "{address}: {answer}");
            // Of this very load: an earlier page's event may come late.
            let loaded = |message: &Value| {
                message["method"] == "Page.lifecycleEvent"
                    && message["params"]["name"] == "load"
                    && message["params"]["loaderId"] == answer["loaderId"]
            };
            self.wait(since, address, loaded);
        }
    }

    /// The value of an expression of JavaScript; of a promise, what it comes to.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let question = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.ask("Runtime.evaluate", question);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Presses a key by its name and its virtual key code.
    pub fn press(&mut self, key: &str, code: u32) {
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
            self.ask("Input.dispatchKeyEvent", event);
        }
    }

    /// Writes into the field that has the focus, as a keyboard does.
    pub fn write(&mut self, text: &str) {
        self.ask("Input.insertText", json!({"text": text}));
    }

    /// A command of the protocol: its result.
    pub fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.asked += 1;
        let (since, number) = (self.heard.len(), self.asked);
        let mut message = json!({"id": number, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let sent = self.commands.write_all(format!("{message}\0").as_bytes()).and_then(|()| self.commands.flush());
        if let Err(error) = sent {
            panic!("{method}: {error}; the browser said:\n{}", self.errors());
        }
        let answer = self.wait(since, method, |message| message["id"] == number);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// What the page, or the browser about it, complained of: errors and warnings of the console, exceptions, violations of
    /// the page's policy.
    pub fn complaints(&self) -> Vec<String> {
        self.heard.iter().filter(|message| is_complaint(message)).map(Value::to_string).collect()
    }

    /// Waits until it has complained of this.
    pub fn complains(&mut self, of: &str) {
        self.wait(0, of, |message| is_complaint(message) && message.to_string().contains(of));
    }

    /// What was asked for since the start, by its address.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.heard.iter().filter(|message| message["method"] == "Network.requestWillBeSent");
        requests.map(|message| message["params"]["request"]["url"].as_str().unwrap().to_owned()).collect()
    }

    /// The first message as wanted, of those heard since then and those to come.
    fn wait(&mut self, since: usize, awaited: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(message) = self.heard[since..].iter().find(|message| wanted(message)) {
            return message.clone();
        }
        let deadline = Instant::now() + orlop_machine::within(60);
        loop {
            match self.messages.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(message) => {
                    self.heard.push(message.clone());
                    if wanted(&message) {
                        return message;
                    }
                }
                Err(error) => panic!("{awaited}: {error}; the browser said:\n{}", self.errors()),
            }
        }
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.folder.path().join("errors.log")).unwrap_or_default()
    }
}

impl Drop for Browser {
    /// Asked to end, it takes its helpers with it; the pipe ends with it.
    fn drop(&mut self) {
        if self.commands.write_all(b"{\"id\": 0, \"method\": \"Browser.close\"}\0").is_ok() {
            while self.messages.recv_timeout(Duration::from_secs(10)).is_ok() {}
        }
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn is_complaint(message: &Value) -> bool {
    let bad = |level: &Value| level == "error" || level == "warning" || level == "assert";
    match message["method"].as_str() {
        Some("Runtime.exceptionThrown") => true,
        Some("Runtime.consoleAPICalled") => bad(&message["params"]["type"]),
        Some("Log.entryAdded") => bad(&message["params"]["entry"]["level"]),
        _ => false,
    }
}

/// The address of a file.
pub fn address(file: &Path) -> String {
    format!("file://{}", file.canonicalize().unwrap().display())
}

fn program() -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut places = NAMES.iter().flat_map(|name| std::env::split_paths(&folders).map(move |folder| folder.join(name)));
    let found = places.find(|place| place.is_file());
    found.expect(
        "Chromium is not installed: `make witnesses` installs the package `chromium` (apt-get install chromium)",
    )
}
