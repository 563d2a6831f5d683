//! A segment in namespaces: this process stands at its one end, with real servers; the program at the other end.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub mod disks;

use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const INSIDE: &str = "ORLOP_NET_LAB";
/// What is awaited comes within this, or the test fails.
const PATIENCE: Duration = Duration::from_secs(40);
/// When the image was built, after 1970: in 2020.
const BUILT: Duration = Duration::from_secs(1_577_836_800);

/// Runs a test's body in namespaces of its own: where they are not to be had, the test fails and says so.
pub fn inside(test: &str, body: impl FnOnce(Lab)) {
    if std::env::var_os(INSIDE).is_some() {
        return body(Lab::new());
    }
    let exe = std::env::current_exe().expect("this program");
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "--kill-child", "--"])
        .arg(exe)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .expect("`unshare` of util-linux is needed");
    let text = text(&output);
    assert!(!text.contains("unshare failed"), "user and network namespaces are not to be had here: {text}");
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Both ends.
pub struct Lab {
    /// The program's end.
    holder: Holder,
    /// The program's folder, and all files of the servers.
    pub folder: tempfile::TempDir,
    notify: UnixDatagram,
}

impl Lab {
    fn new() -> Self {
        let holder = Holder::new();
        let folder = tempfile::tempdir().expect("a folder");
        let notify = UnixDatagram::bind(folder.path().join("notify")).expect("a socket");
        notify.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let lab = Lab { holder, folder, notify };
        lab.here("ip link set lo up");
        lab.there("ip link set lo up");
        lab
    }

    /// A card `cl{N}` there, whose wire ends here in `srv{N}` with the addresses given.
    pub fn card(&self, number: u8, addresses: &[&str]) {
        let pid = self.holder.id();
        self.here(&format!("ip link add srv{number} type veth peer name cl{number}"));
        self.here(&format!("ip link set cl{number} netns {pid}"));
        for address in addresses {
            self.here(&format!("ip address add {address} dev srv{number} nodad"));
        }
        self.here(&format!("ip link set srv{number} up"));
    }

    /// Runs a command at this end; its output.
    pub fn here(&self, command: &str) -> String {
        run(Command::new("sh").args(["-c", command]), command)
    }

    /// Runs a command at the program's end; its output.
    pub fn there(&self, command: &str) -> String {
        run(self.enter().args(["sh", "-c", command]), command)
    }

    /// Waits until a command's output at the program's end has a text in it.
    pub fn until_there(&self, command: &str, wanted: &str) {
        self.until(|| self.there(command), command, wanted);
    }

    /// The same at this end.
    pub fn until_here(&self, command: &str, wanted: &str) {
        self.until(|| self.here(command), command, wanted);
    }

    /// Waits until a text is gone from a command's output at the program's end.
    pub fn until_gone_there(&self, command: &str, unwanted: &str) {
        let said = || if self.there(command).contains(unwanted) { "there" } else { "gone" }.to_owned();
        self.until(said, command, "gone");
    }

    fn until(&self, output: impl Fn() -> String, command: &str, wanted: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            let text = output();
            if text.contains(wanted) {
                return;
            }
            assert!(Instant::now() < end, "{command} does not say {wanted:?}: {text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts the program.
    pub fn net(&self, arguments: &[&str]) -> Process {
        self.net_through("exec \"$0\" \"$@\"", arguments)
    }

    /// Starts the program through a line of shell, which has it as `"$0" "$@"`.
    pub fn net_through(&self, line: &str, arguments: &[&str]) -> Process {
        let run = self.run();
        let mut command = self.enter();
        command.args(["sh", "-c", line]);
        command.arg(env!("CARGO_BIN_EXE_net")).arg("--leave-clock").arg("--run").arg(run).args(arguments);
        command.env("NOTIFY_SOCKET", self.folder.path().join("notify"));
        Process::start("net", &mut command)
    }

    /// Starts dnsmasq as a DHCP server on `srv{N}`.
    pub fn dnsmasq(&self, number: u8, arguments: &[&str]) -> Process {
        let leases = self.folder.path().join(format!("leases{number}"));
        let mut command = Command::new("dnsmasq");
        command
            .args(["--no-daemon", "--conf-file=/dev/null", "--user=root", "--group=root", "--bind-interfaces"])
            .arg(if arguments.iter().any(|one| one.starts_with("--address")) { "--port=53" } else { "--port=0" })
            .args(["--no-ping", "--pid-file", "--log-dhcp"])
            .arg(format!("--interface=srv{number}"))
            .arg(format!("--dhcp-leasefile={}", leases.display()))
            .args(arguments);
        let mut process = Process::start("dnsmasq (package dnsmasq-base)", &mut command);
        process.says("sockets bound exclusively");
        process
    }

    /// The program's folder.
    pub fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// The settings of an image whose node config comes from these providers; their path.
    pub fn settings(&self, providers: &str) -> String {
        self.settings_with(providers, "{}")
    }

    /// The same, of an image whose firewall has these openings.
    pub fn settings_with(&self, providers: &str, firewall: &str) -> String {
        let path = self.folder.path().join("node.json");
        let text = format!(
            r#"{{"version":1,"image":"i","image_version":"1","class":"public","on_damage":"refuse","sysctls":[],
            "containerd":["/c"],"kubelet":["/k"],
            "node_config":{{"class":"public","providers":[{providers}],"allow":[],"static_pods":[],"firewall":{firewall}}}}}"#
        );
        std::fs::write(&path, text).expect("written");
        // The image was built before the machine started, as its settings' time says; else the clock would be a lost one.
        let file = std::fs::File::options().write(true).open(&path).expect("the settings");
        file.set_modified(std::time::UNIX_EPOCH + BUILT).expect("the time of the build");
        path.to_str().expect("text").to_owned()
    }

    /// A file of the program's folder.
    pub fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.run().join(name)).unwrap_or_default()
    }

    /// Waits until the program says that it is ready.
    pub fn ready(&self, net: &mut Process) {
        let mut text = [0; 64];
        match self.notify.recv(&mut text) {
            Ok(length) => assert_eq!(&text[..length], b"READY=1\n"),
            Err(error) => panic!("the program is not ready: {error}\n{}", net.rest()),
        }
    }

    /// The program has not said that it is ready.
    pub fn not_ready(&self, net: &mut Process) {
        self.notify.set_nonblocking(true).expect("a socket");
        let said = self.notify.recv(&mut [0; 64]);
        self.notify.set_nonblocking(false).expect("a socket");
        let nothing = said.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(nothing, "the program says that it is ready: {said:?}\n{}", net.rest());
    }

    /// A command of the program's end.
    pub fn enter(&self) -> Command {
        self.holder.enter()
    }

    /// A pod of the program's end: a namespace at 10.0.0.2 and 2001:db8:0:10::2, whose router is that end.
    pub fn pod(&self) -> Holder {
        let pod = Holder::new();
        self.there(&format!("ip link add pod0 type veth peer name eth0 netns {}", pod.id()));
        self.there("ip address add 10.0.0.1/24 dev pod0; ip address add 2001:db8:0:10::1/64 dev pod0 nodad");
        self.there("ip link set pod0 up");
        let inside = "ip link set lo up; ip address add 10.0.0.2/24 dev eth0; ip address add 2001:db8:0:10::2/64 dev eth0 nodad; \
            ip link set eth0 up; ip route add default via 10.0.0.1; ip -6 route add default via 2001:db8:0:10::1";
        run(pod.enter().args(["sh", "-c", inside]), inside);
        pod
    }
}

/// A process that holds a network namespace.
pub struct Holder(Child);

impl Holder {
    fn new() -> Self {
        let mut holder = Command::new("unshare")
            .args(["--net", "--", "sh", "-c", "echo there; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare");
        let mut line = [0; 6];
        holder.stdout.as_mut().expect("stdout").read_exact(&mut line).expect("a second network namespace");
        Holder(holder)
    }

    fn id(&self) -> u32 {
        self.0.id()
    }

    /// A command in it.
    pub fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.id().to_string(), "--net", "--"]);
        command
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(command: &mut Command, what: &str) -> String {
    let output = command.output().expect("a command");
    assert!(output.status.success(), "{what}: {}", text(&output));
    text(&output)
}

/// A process whose lines are awaited.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Process {
    /// Starts it.
    pub fn start(name: &str, command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{name} is needed: {error}"));
        let (sender, lines) = channel();
        let out: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("stdout")), Box::new(child.stderr.take().expect("stderr"))];
        for stream in out {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Process { child, lines, said: Vec::new() }
    }

    /// Waits for a line with a text in it, among those that come from now on.
    pub fn says(&mut self, wanted: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if line.contains(wanted) {
                        return line;
                    }
                }
                Err(_) => panic!("it never said {wanted:?}, but\n{}", self.said.join("\n")),
            }
        }
    }

    /// All that it has said.
    pub fn rest(&mut self) -> String {
        self.said.extend(self.lines.try_iter());
        self.said.join("\n")
    }

    /// Ends it as its operator would, so that it can write down what it knows.
    pub fn stop(self) {
        let pid = nix::unistd::Pid::from_raw(self.pid() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("a process of ours");
        self.ends();
    }

    /// Ends it, as a crash would.
    pub fn kill(mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.said.extend(self.lines.iter());
        self.said.join("\n")
    }

    /// What it ended with.
    pub fn ends(mut self) -> (bool, String) {
        let status = self.child.wait().expect("an end");
        self.said.extend(self.lines.iter());
        (status.success(), self.said.join("\n"))
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
