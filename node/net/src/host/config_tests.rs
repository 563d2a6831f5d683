//! What a restart of the program goes on with: the document, and the report to who gave it.

use super::*;
use crate::providers::http::tests::{http, server};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;

const LEAST: &str = include_str!("../../../../config/tests/node_config/least.toml");
const GOAL: &[u8] = b"<Incarnation>1</Incarnation><ContainerId>c</ContainerId><InstanceId>i</InstanceId>";

/// A machine whose image lets these providers give the document.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new(providers: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            r#"{{"version":1,"image":"i","image_version":"1","class":"public","on_damage":"refuse","sysctls":[],
            "containerd":["/c"],"kubelet":["/k"],
            "node_config":{{"class":"public","providers":[{providers}],"allow":[],"static_pods":[]}}}}"#
        );
        std::fs::write(folder.path().join("node.json"), text).expect("written");
        Machine(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// The program's start, up to where it asks or reports.
    fn start(&self, places: &Places) -> Config {
        let settings = self.path().join("node.json");
        let mut config = Config::open(self.path(), &settings, None, &mut Log::default()).expect("opened");
        config.start(places.clone()).expect("started");
        config
    }
}

/// Takes what the thread says until something is so.
fn until(config: &mut Config, done: impl Fn(&Config) -> bool) {
    let mut log = Log::default();
    while !done(config) {
        let bell = config.fd().expect("the thread goes on");
        let rung = poll(&mut [PollFd::new(bell, PollFlags::POLLIN)], PollTimeout::from(20_000u16));
        assert_eq!(rung, Ok(1), "nothing was said in time");
        config.news(&mut log);
    }
}

fn has_ended(config: &Config) -> bool {
    config.fd().is_none()
}

fn given(provider: Provider, told: bool) -> Option<Given> {
    Some(Given { version: VERSION, provider, told })
}

#[test]
fn azure_hears_that_the_machine_is_ready_though_the_program_was_started_anew() {
    let machine = Machine::new(r#""azure""#);
    let (metadata, _thread) = server(vec![http("200 OK", "", STANDARD.encode(LEAST).as_bytes())]);
    // Nobody is there yet.
    let wireserver = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|one| one.local_addr()).expect("an address");
    let places = Places { metadata, wireserver, ..Places::default() };
    let mut config = machine.start(&places);
    until(&mut config, Config::settled);
    assert_eq!(Given::kept(machine.path()), given(Provider::Azure, false));
    for name in [DOCUMENT, GIVEN] {
        let mode = std::fs::metadata(machine.path().join(name)).expect(name).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    drop(config);

    let (busy, goal) = (http("503 Service Unavailable", "", b""), http("200 OK", "", GOAL));
    let (wireserver, thread) = server(vec![busy.clone(), goal.clone(), busy, goal, http("200 OK", "", b"")]);
    let places = Places { wireserver, ..places };
    let mut config = machine.start(&places);
    assert!(config.settled(), "the document is kept, and nobody is asked for it");
    until(&mut config, has_ended);
    assert_eq!(Given::kept(machine.path()), given(Provider::Azure, true));
    let requests = thread.join().expect("a server");
    let methods: Vec<&str> = requests.iter().map(|one| one.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(methods, ["GET", "GET", "POST", "GET", "POST"]);
    assert!(has_ended(&machine.start(&places)), "who has heard it is not told again");
}

#[test]
fn azure_hears_nothing_of_a_machine_that_another_provider_told() {
    let machine = Machine::new(r#""fw_cfg","azure""#);
    let item = machine.path().join("sys/firmware/qemu_fw_cfg/by_name/opt/orlop/config");
    std::fs::create_dir_all(&item).expect("a folder");
    std::fs::write(item.join("raw"), LEAST).expect("written");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.set_nonblocking(true).expect("a listener");
    let wireserver = listener.local_addr().expect("an address");
    let places = Places { sys: machine.path().join("sys"), metadata: wireserver, wireserver, ..Places::default() };
    let mut config = machine.start(&places);
    until(&mut config, has_ended);
    assert!(config.settled());
    assert_eq!(Given::kept(machine.path()), given(Provider::FwCfg, false));
    assert!(has_ended(&machine.start(&places)), "after a restart neither");
    assert!(listener.accept().is_err(), "nobody asked");
}

#[test]
fn without_knowing_who_gave_the_document_there_is_no_report_and_all_else_goes_on() {
    let machine = Machine::new(r#""azure""#);
    std::fs::write(machine.path().join(DOCUMENT), LEAST).expect("written");
    let known = r#"{"version":1,"provider":"azure","told":false}"#;
    for (text, waits) in [
        (known, true),
        ("", false),
        ("{", false),
        (r#"{"version":2,"provider":"azure","told":false}"#, false),
        (r#"{"version":1,"provider":"cloud","told":false}"#, false),
        (r#"{"version":1,"provider":"azure","told":false,"more":1}"#, false),
    ] {
        std::fs::write(machine.path().join(GIVEN), text).expect("written");
        let settings = machine.path().join("node.json");
        let config = Config::open(machine.path(), &settings, None, &mut Log::default()).expect("opened");
        assert!(config.settled(), "{text}");
        assert_eq!(config.given.is_some_and(Given::waits), waits, "{text}");
    }
}
