//! Starting QEMU: files, sockets, process, and a thread for each of its channels.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use crate::arguments::{self, CONSOLE, CONTROL, Layout};
use crate::firmware::Ovmf;
use crate::program;
use crate::running::{Happening, Parts};
use crate::{Accelerator, Disk, Error, Event, Firmware, Format, Machine, Result, Running, feed::Feed, overlay, qmp};

/// How many happenings a machine's feed keeps: some ten boots' worth of lines.
const KEPT: usize = 64 * 1024;
/// How long QEMU may take until its control socket speaks.
const START: Duration = Duration::from_secs(60);

pub(crate) fn start(machine: &Machine) -> Result<Running> {
    let folder = tempfile::Builder::new()
        .prefix("orlop-machine-")
        .tempdir()
        .map_err(Error::file("making a folder in", &std::env::temp_dir()))?;
    let layout = lay_out(machine, folder.path())?;
    let arguments = arguments::arguments(machine, &layout)?;
    let names = arguments::ports(machine);
    let listen = |name: &str| listen(folder.path(), name);
    let console = listen(CONSOLE)?;
    let ports: Vec<_> = names.iter().map(|(chardev, _)| listen(chardev)).collect::<Result<_>>()?;
    let control = listen(CONTROL)?;

    let log = machine.serial_log.clone().unwrap_or_else(|| folder.path().join("serial.log"));
    let log_file = File::create(&log).map_err(Error::file("creating", &log))?;
    let feed = Feed::new(KEPT);
    let enter = machine.cards.first().map_or(&[][..], |card| &card.enter);
    let mut process = Process::spawn(enter, &arguments, &feed)?;
    let control = process.wait_for_control(control, &arguments::socket(folder.path(), CONTROL))?;

    let console = accept(&console)?;
    let echo = machine.echo;
    read_lines(console, Some(log_file), &feed, move |line| console_line(line, echo));
    let mut writers = Vec::new();
    for (listener, (_, name)) in ports.iter().zip(names) {
        let stream = accept(listener)?;
        writers.push((name.clone(), stream.try_clone().map_err(Error::file("duplicating", folder.path()))?));
        read_lines(stream, None, &feed, move |line| port_line(&name, line));
    }
    let greeted = qmp::Qmp::greet(control, control_listener(&feed));
    // QEMU opens its channels before its disks: what it complains about is said then.
    let qmp = greeted.map_err(|_| process.complaint())?;
    let Process { child, stderr, .. } = process;
    let accelerator = layout.accelerator;
    Ok(Running::new(Parts { child, stderr, qmp, writers, feed, folder, log, accelerator }))
}

fn lay_out(machine: &Machine, folder: &Path) -> Result<Layout> {
    let firmware = match &machine.firmware {
        Firmware::Direct(_) => None,
        Firmware::Ovmf => {
            let found = Ovmf::find()?;
            Some(Ovmf { variables: found.own_variables(folder)?, ..found })
        }
        Firmware::SecureBoot(keys) => {
            let found = Ovmf::find_secure()?;
            Some(Ovmf { variables: found.enroll(folder, keys)?, ..found })
        }
    };
    let accelerator = match (&machine.accelerator, &machine.firmware) {
        (Some(accelerator), _) => accelerator.clone(),
        (None, Firmware::SecureBoot(_)) => Accelerator::Tcg { because: "Secure Boot needs SMM".into() },
        (None, _) => Accelerator::probe()?,
    };
    let disks = machine.disks.iter().enumerate().map(|(number, disk)| disk_file(folder, number, disk));
    let disks = disks.collect::<Result<_>>()?;
    let entries = machine.fw_cfg.iter().enumerate();
    let fw_cfg = entries.map(|(number, (_, bytes))| secret_file(folder, number, bytes)).collect::<Result<_>>()?;
    Ok(Layout { folder: folder.to_owned(), disks, fw_cfg, firmware, accelerator })
}

/// A file that only this user reads: a node config holds secrets.
fn secret_file(folder: &Path, number: usize, bytes: &[u8]) -> Result<PathBuf> {
    let path = folder.join(format!("fw_cfg{number}"));
    let file = File::options().write(true).create_new(true).mode(0o600).open(&path);
    let written = file.and_then(|mut file| file.write_all(bytes));
    written.map_err(Error::file("writing", &path))?;
    Ok(path)
}

fn disk_file(folder: &Path, number: usize, disk: &Disk) -> Result<(PathBuf, Format)> {
    if let Some(log) = &disk.record {
        File::create(log).map_err(Error::file("creating", log))?;
    }
    if !disk.throw_away {
        return Ok((disk.file.clone(), disk.format));
    }
    let file = folder.join(format!("disk{number}.qcow2"));
    overlay::create(&disk.file, &file, disk.size)?;
    Ok((file, Format::Qcow2))
}

fn listen(folder: &Path, channel: &str) -> Result<UnixListener> {
    let path = arguments::socket(folder, channel);
    UnixListener::bind(&path)
        .map_err(Error::file("listening at (a path of at most 107 bytes; set TMPDIR to a short one)", &path))
}

fn accept(listener: &UnixListener) -> Result<UnixStream> {
    let accepted = listener.accept().map(|(stream, _)| stream);
    accepted.map_err(|error| Error::NotStarted(format!("its channel does not open: {error}")))
}

/// A child that is killed and reaped when it is dropped.
#[derive(Debug)]
pub(crate) struct Reaped(pub(crate) Child);

impl Reaped {
    /// Waits for the process; only called when it is known to be gone.
    pub(crate) fn status(&mut self) -> String {
        self.0.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Reaped {
    fn drop(&mut self) {
        self.kill();
    }
}

/// QEMU, of which it is not known yet whether it runs.
struct Process {
    child: Reaped,
    stderr: Arc<Mutex<Vec<u8>>>,
    signs: (mpsc::Sender<Sign>, mpsc::Receiver<Sign>),
}

/// What the starting process may show.
enum Sign {
    Connected(std::io::Result<UnixStream>),
    Gone,
}

impl Process {
    fn spawn(enter: &[OsString], arguments: &[OsString], feed: &Feed<Happening>) -> Result<Process> {
        let mut child = command(enter)?
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // A terminal's Ctrl-C is for whoever runs the machine, who may want to power it off properly.
            .process_group(0)
            .spawn()
            .map_err(|error| Error::NotStarted(error.to_string()))?;
        let stderr = Arc::new(Mutex::new(Vec::new()));
        let signs = mpsc::channel();
        let stream = child.stderr.take();
        let (text, gone, feed) = (Arc::clone(&stderr), signs.0.clone(), feed.clone());
        std::thread::spawn(move || {
            collect(stream, &text);
            // The end of its error output is the end of the process.
            let _ = gone.send(Sign::Gone);
            feed.push(Happening::Gone);
        });
        Ok(Process { child: Reaped(child), stderr, signs })
    }

    /// Waits until QEMU connects to `listener`, or ends.
    fn wait_for_control(&mut self, listener: UnixListener, path: &Path) -> Result<UnixStream> {
        let connected = self.signs.0.clone();
        std::thread::spawn(move || {
            let _ = connected.send(Sign::Connected(listener.accept().map(|(stream, _)| stream)));
        });
        match self.signs.1.recv_timeout(START) {
            Ok(Sign::Connected(Ok(stream))) => Ok(stream),
            Ok(Sign::Connected(Err(error))) => Err(Error::NotStarted(error.to_string())),
            _ => {
                // Frees the thread that still waits for a connection.
                let _ = UnixStream::connect(path);
                Err(self.complaint())
            }
        }
    }

    /// Ends QEMU, and takes what it said for the reason.
    fn complaint(&mut self) -> Error {
        let gone = self.signs.1.recv_timeout(START / 10);
        self.child.kill();
        let said = program::tail(&self.stderr.lock().unwrap_or_else(PoisonError::into_inner));
        Error::NotStarted(match (gone, said.is_empty()) {
            (Err(_), true) => "its control socket is silent".into(),
            (Ok(_), true) => self.child.status(),
            _ => said,
        })
    }
}

/// QEMU, told to die with the thread that started it: a test process that is killed leaves no machine
/// behind. `setpriv` is part of util-linux; without it the promise is a `Drop`'s only. `enter` is what starts a program
/// in the network of the machine's cards, in its own place and not as its child.
fn command(enter: &[OsString]) -> Result<Command> {
    let qemu = program::find(program::QEMU)?;
    let setpriv = program::find(("setpriv", "util-linux")).ok();
    let told = setpriv.into_iter().flat_map(|setpriv| [setpriv.into(), "--pdeathsig".into(), "KILL".into()]);
    let words: Vec<OsString> = enter.iter().cloned().chain(told).chain([qemu.into()]).collect();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    Ok(command)
}

fn collect(stream: Option<impl Read>, text: &Mutex<Vec<u8>>) {
    let Some(mut stream) = stream else { return };
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut piece) {
        text.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..length]);
    }
}

/// Reads a channel line by line until it ends, copying the bytes into `log` as they come.
fn read_lines(
    stream: UnixStream,
    mut log: Option<File>,
    feed: &Feed<Happening>,
    happening: impl Fn(String) -> Happening + Send + 'static,
) {
    let feed = feed.clone();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while let Ok(1..) = reader.read_until(b'\n', &mut line) {
            if let Some(log) = &mut log {
                // A full disk must not stop the machine; the lines are still matched.
                let _ = log.write_all(&line);
            }
            let text = String::from_utf8_lossy(&line);
            feed.push(happening(text.trim_end_matches(['\r', '\n']).to_owned()));
            line.clear();
        }
    });
}

fn console_line(line: String, echo: bool) -> Happening {
    if echo {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
    Happening::Console { event: Event::of_console_line(&line), line }
}

fn port_line(name: &str, line: String) -> Happening {
    let event = if name == "orlop.report" { Event::of_report_line(&line) } else { None };
    Happening::Port { name: name.to_owned(), event, line }
}

fn control_listener(feed: &Feed<Happening>) -> qmp::Listener {
    let feed = feed.clone();
    Box::new(move |event| {
        if let Some(event) = event {
            feed.push(Happening::Control(event));
        }
    })
}
