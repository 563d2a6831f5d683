//! A definition in a folder of somebody's own, with files and programs of their own and an image of a registry, built by
//! an `orlop` that was installed away from this repository.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use orlop_machine::{turn, within};

use crate::hostile;
use crate::registry::Registry;
use crate::support::{Desk, copy_folder, program, run, workspace};

const DEFINITION: &str = r#"
extends = "orlop:standalone"
name = "mine"
version = "7.1"
class = "internal"

[components.mine]
source.file = { path = "files", version = "1.2" }
allow = ["/opt/mine/*"]
install = { "/opt/mine/" = "." }

[preload."localhost/mine:1"]
component = "mine"
files = { "/mine" = "program" }
entrypoint = ["/mine"]

[components.theirs]
source.oci.reference = "REFERENCE"

[preload."registry.example/team/theirs:1"]
component = "theirs"

[static_pods]
mine = "mine.yaml"
"#;

const POD: &str = "
apiVersion: v1
kind: Pod
metadata:
  name: mine
  namespace: default
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  dnsPolicy: Default
  terminationGracePeriodSeconds: 1
  containers:
    - name: mine
      image: localhost/mine:1
      imagePullPolicy: Never
      securityContext:
        allowPrivilegeEscalation: false
        runAsNonRoot: true
        runAsUser: 65535
    - name: theirs
      image: registry.example/team/theirs:1
      imagePullPolicy: Never
";

const LINE: &[u8] = b"mine: I run\n";

/// The smallest static program that a pod can run: it writes its line and waits for ever.
fn static_program() -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let mut code = vec![0xb8, 1, 0, 0, 0]; // mov eax, write
    code.extend([0xbf, 1, 0, 0, 0]); // mov edi, stdout
    code.extend([0x48, 0x8d, 0x35, 16, 0, 0, 0]); // lea rsi, [LINE]
    code.extend([0xba, LINE.len() as u8, 0, 0, 0]); // mov edx, its length
    code.extend([0x0f, 0x05]); // syscall
    code.extend([0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7]); // loop: pause
    code.extend(LINE);
    let length = HEADERS + code.len() as u64;
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    elf.extend([2, 0, 62, 0, 1, 0, 0, 0]); // an executable for x86-64
    for word in [BASE + HEADERS, 64, 0] {
        elf.extend(u64::to_le_bytes(word));
    }
    elf.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0]);
    elf.extend([1, 0, 0, 0, 5, 0, 0, 0]); // one segment, to be read and executed
    for word in [0, BASE, BASE, length, length, 4096] {
        elf.extend(u64::to_le_bytes(word));
    }
    elf.extend(code);
    elf
}

/// Somebody's folder, and the program, copied away.
struct Outside {
    desk: Desk,
    orlop: PathBuf,
}

impl Outside {
    fn new() -> Outside {
        let desk = Desk::new();
        let orlop = desk.path("bin/orlop");
        fs::create_dir_all(desk.path("bin")).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_orlop"), &orlop).unwrap();
        desk.file("mine/mine.yaml", POD);
        desk.file("mine/files/motd", "this is mine\n");
        let program = desk.file("mine/files/program", static_program());
        fs::set_permissions(program, Permissions::from_mode(0o755)).unwrap();
        hostile::bring(&desk, "mine/files");
        // What the shipped definition was locked to is where this one starts.
        fs::copy(workspace().join("images/standalone.lock"), desk.path("mine/mine.lock")).unwrap();
        copy_folder(&workspace().join("images/standalone.go"), &desk.path("mine/mine.go"));
        Outside { desk, orlop }
    }

    fn define(&self, reference: &str) {
        self.desk.file("mine/mine.toml", DEFINITION.replace("REFERENCE", reference));
    }

    /// Pushes the program as an image, and locks it: by its tag that is refused, with the digest that is to be written.
    fn push_and_lock(&self, registry: &Registry) {
        let mut layer = tar::Builder::new(Vec::new());
        layer.append_path_with_name(self.desk.path("mine/files/program"), "theirs").unwrap();
        let layer = self.desk.file("layer.tar", layer.into_inner().unwrap());
        registry.push("theirs:1", &layer, "/theirs");
        let tag = format!("{}/theirs:1", registry.host);
        self.define(&tag);
        let refused = run(self.orlop().args(["lock", "mine.toml"]));
        refused.fails(1, &["component `theirs`", &tag, "names no digest", "write what it is now"]);
        let reference = refused.stderr.split("reference = \"").nth(1).and_then(|rest| rest.split('"').next());
        self.define(reference.expect("what to write"));
        run(self.orlop().args(["lock", "mine.toml", "--fetch"])).done();
    }

    fn orlop(&self) -> Command {
        let mut command = program(&self.orlop);
        command.current_dir(self.desk.path("mine"));
        command
    }
}

#[test]
fn somebodys_own_definition_is_locked_built_verified_and_booted() {
    let outside = Outside::new();
    outside.define("registry.example/theirs:1");
    // The lockfile of another definition is not this one's.
    let build = || {
        let mut command = outside.orlop();
        command.args(["build", "mine.toml", "--out", "made", "--keys"]).arg(outside.desk.keys());
        command
    };
    run(&mut build()).fails(1, &["mine.lock", "not `mine`", "orlop lock"]);
    let registry = Registry::start();
    outside.push_and_lock(&registry);
    let host = registry.host.clone();
    drop(registry);
    let lock = fs::read_to_string(outside.desk.path("mine/mine.lock")).unwrap();
    assert!(lock.contains("definition = \"mine\"") && lock.contains("[inputs.mine]"), "{lock}");
    assert!(
        lock.contains(&format!("[inputs.theirs]\nkind = \"oci\"\nname = \"{host}/theirs\"\nversion = \"1\"\n")),
        "{lock}"
    );
    // Nobody listens there any more: all of it is in the cache.
    run(build().arg("--offline")).done();
    let raw = outside.desk.path("mine/made/mine.raw");

    let inspection = run(outside.orlop().args(["inspect", "--json"]).arg(&raw)).json();
    let files = inspection["files"].as_array().unwrap();
    let mode = |path: &str| files.iter().find(|file| file["path"] == path).map(|file| file["mode"].as_u64().unwrap());
    assert_eq!((mode("/opt/mine/motd"), mode("/opt/mine/program")), (Some(0o644), Some(0o755)));
    assert!(mode("/etc/kubernetes/manifests/mine.yaml").is_some());
    let manifest = &inspection["boot_manifest"];
    assert_eq!((&manifest["image"], &manifest["class"]), (&"mine".into(), &"internal".into()));
    assert_eq!(inspection["release_manifest"]["components"]["mine"], "1.2");

    run(&mut outside.desk.verify(&raw)).done();
    hostile::is_named_by_every_verb(&outside.desk, &raw);

    // Files that changed since they were locked are not built; what was built before stays as it is.
    outside.desk.file("mine/files/motd", "this is altered\n");
    run(&mut build()).fails(1, &["input `mine`", "expected SHA-256", "orlop lock DEFINITION --update mine"]);
    run(&mut outside.desk.verify(&raw)).done();

    let _turn = turn::take().unwrap();
    let seconds = within(240).as_secs().to_string();
    let until = ["--direct", "--json", "--until", "pod", "mine", "--timeout", &seconds];
    let report = run(outside.orlop().arg("run").arg(&raw).args(until)).json();
    assert_eq!(report["pods"]["mine"]["state"], "running", "{report}");
}
