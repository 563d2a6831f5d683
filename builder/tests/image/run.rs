//! `orlop run` on real boots: by firmware with a disk that is kept, stopped by a signal, too late, and refused.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use orlop_chain::device::ReadAt;
use orlop_machine::image::Image;
use orlop_machine::{turn, until, within};

use crate::support::{Desk, Outcome, cluster_image, image, names, orlop, run, verify_as_built};

/// A copy of the built image; holes stay holes.
fn copy(desk: &Desk) -> PathBuf {
    let raw = desk.path("copy.raw");
    let copied = Command::new("cp").arg("--sparse=always").arg(image()).arg(&raw).status().unwrap();
    assert!(copied.success());
    raw
}

/// `orlop run` with a folder of its own for temporary files.
fn boot(desk: &Desk) -> Command {
    let mut command = orlop();
    fs::create_dir_all(desk.path("tmp")).unwrap();
    command.arg("run").env("TMPDIR", desk.path("tmp")).args(["--timeout", &within(300).as_secs().to_string()]);
    command
}

/// Runs it, and sends it a signal once it says this.
fn stopped_at(command: &mut Command, says: &str, signal: Signal) -> Outcome {
    stopped_after(command, says, signal, || {})
}

/// The same, and before the signal this.
fn stopped_after(command: &mut Command, says: &str, signal: Signal, then: impl FnOnce()) -> Outcome {
    let mut then = Some(then);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = String::new();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    while lines.read_line(&mut stderr).unwrap() > 0 {
        if stderr.lines().next_back().is_some_and(|line| line.contains(says)) {
            then.take().into_iter().for_each(|then| then());
            // A process that is not waited for yet keeps its number.
            kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
            break;
        }
    }
    lines.read_to_string(&mut stderr).unwrap();
    let output = child.wait_with_output().unwrap();
    Outcome { status: output.status.code(), stdout: String::from_utf8(output.stdout).unwrap(), stderr }
}

#[test]
fn an_interrupt_powers_a_kept_machine_off_properly() {
    let _turn = turn::take().unwrap();
    let desk = Desk::new();
    let (raw, log) = (copy(&desk), desk.path("serial.log"));
    let mut command = boot(&desk);
    command.args(["--persist", "--disk-size", "4GiB", "--json", "--serial-log"]).arg(&log).arg(&raw);
    let outcome = stopped_at(&mut command, "kubelet healthy", Signal::SIGINT);
    assert_eq!(outcome.status, Some(1), "{}", outcome.stderr);
    for part in ["powering the machine off", "stopped by a signal while waiting for power off"] {
        assert!(outcome.stderr.contains(part), "`{part}` is not in: {}", outcome.stderr);
    }
    let console = String::from_utf8_lossy(&fs::read(&log).unwrap()).into_owned();
    assert!(console.contains("orlop: state: unmounted clean=true"), "{console}");
    assert_eq!(fs::metadata(&raw).unwrap().len(), 4 << 30);
    assert_eq!(names(&desk.path("tmp")), Vec::<String>::new());

    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((&report["boot"], &report["name"]), (&"firmware".into(), &"standalone".into()), "{report}");
    assert_eq!(report["development"], true, "{report}");
    assert!(report["version"].is_string() && report["healthy_ms"].is_u64(), "{report}");
    assert!(report["root_hash"].as_str().is_some_and(|hash| hash.len() == 64), "{report}");
}

#[test]
fn a_signal_ends_a_machine_and_leaves_no_file() {
    let _turn = turn::take().unwrap();
    let desk = Desk::new();
    let outcome = stopped_at(boot(&desk).arg(image()), " runs on ", Signal::SIGTERM);
    outcome.fails(1, &["stopped by a signal while waiting for power off"]);
    assert_eq!(names(&desk.path("tmp")), Vec::<String>::new());
}

#[test]
fn a_boot_that_is_late_is_a_failure_that_keeps_its_log() {
    let _turn = turn::take().unwrap();
    let desk = Desk::new();
    let mut command = orlop();
    command.env("TMPDIR", desk.path("keys")).args(["run", "--until", "healthy", "--timeout", "1"]).arg(image());
    run(&mut command).fails(1, &["no healthy kubelet within 1 s", "whole serial log: ", "keys/orlop-machine-"]);
    let kept = names(&desk.path("keys")).into_iter().filter(|name| name.starts_with("orlop-machine-"));
    assert!(kept.collect::<Vec<_>>().iter().all(|name| name.ends_with(".serial.log")));
}

#[test]
fn a_boot_that_is_refused_is_status_3_at_the_stage_that_verify_names() {
    let _turn = turn::take().unwrap();
    let desk = Desk::new();
    let raw = copy(&desk);
    let partition = Image::open(&raw).unwrap().partition("root-a-verity-sig").unwrap().clone();
    let file = File::options().read(true).write(true).open(&raw).unwrap();
    let text = file.bytes_at(partition.offset, 4096).unwrap();
    let key = b"orlopBootSignature\":\"";
    let at = text.windows(key.len()).position(|window| window == key).unwrap() + key.len() + 10;
    let other = if text[at] == b'A' { b'B' } else { b'A' };
    file.write_all_at(&[other], partition.offset + at as u64).unwrap();

    let document = |outcome: &Outcome| -> serde_json::Value {
        assert_eq!(outcome.status, Some(3), "{}", outcome.stderr);
        serde_json::from_str(&outcome.stdout).unwrap()
    };
    let mut verify = verify_as_built(&raw);
    verify.args(["--json", "--image-only"]);
    let verdict = document(&run(&mut verify));
    assert!(verdict["passed"].as_array().unwrap().iter().any(|passed| passed["stage"] == "gpt"), "{verdict}");

    let report = document(&run(boot(&desk).arg(&raw).args(["--direct", "--json", "--until", "healthy"])));
    assert_eq!(report["refused"]["stage"], verdict["refused"]["stage"], "{report}");
    assert_eq!(report["healthy_ms"], serde_json::Value::Null);
}

/// A node config with an API server where nobody listens. The cluster's network is QEMU's own. With a certificate of its
/// own kubelet waits for nobody's answer.
fn node_config(desk: &Desk) -> PathBuf {
    let (key, certificate) = (desk.path("node.key"), desk.path("node.crt"));
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "3650",
    ]);
    openssl.args(["-subj", "/O=system:nodes/CN=system:node:one", "-keyout"]).arg(&key).arg("-out").arg(&certificate);
    run(&mut openssl).done();
    let [key, certificate] = [key, certificate].map(|path| fs::read_to_string(path).unwrap());
    desk.file(
        "node.toml",
        format!(
            "version = 1\nhostname = \"one\"\n[cluster]\nserver = \"https://127.0.0.1:1\"\nca = '''\n{certificate}'''\n\
             client_certificate = '''\n{certificate}'''\nclient_key = '''\n{key}'''\n\
             networks = [\"10.0.2.0/24\"]\n"
        ),
    )
}

#[test]
fn a_forwarded_port_is_the_machines() {
    let _turn = turn::take().unwrap();
    let desk = Desk::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = boot(&desk);
    command.arg("--direct").arg(cluster_image()).arg("--node-config").arg(node_config(&desk));
    command.args(["--forward", &format!("{port}:10250")]);
    // What kubelet answers to somebody who speaks plain HTTP. It listens there a moment after it calls itself healthy; until
    // then QEMU takes the connection, and ends it.
    let mut answer = String::new();
    let outcome = stopped_after(&mut command, "kubelet healthy", Signal::SIGTERM, || {
        // The assertion below has what became of the machine, too.
        let _ = until("answer of kubelet", within(60), || {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.set_read_timeout(Some(within(60))).unwrap();
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
            let _ = stream.read_to_string(&mut answer);
            Ok((!answer.is_empty()).then_some(()))
        });
    });
    let note = format!("127.0.0.1:{port} leads to port 10250 of the machine");
    assert!(outcome.stderr.contains(&note), "{}", outcome.stderr);
    assert!(answer.contains("HTTP request to an HTTPS server"), "`{answer}` of {}", outcome.stderr);
}
