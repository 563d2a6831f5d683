//! What a document has in it for nobody else: in which files of a node it lies, and that nobody says it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orlop_machine::within;
use serde_json::{Value, json};

use crate::segment::one;

/// Where a node has what it is told, and kubelet its keys.
const FOLDERS: [&str; 5] =
    ["/etc/containerd/certs.d", "/etc/kubernetes", "/run/etc", "/run/orlop", "/var/lib/kubelet/pki"];
/// kubelet keeps the certificate that it is given, and renews it: with its key, on the state partition.
const KUBELETS: &str = FOLDERS[4];
const LOGS: &str = "/var/log";
/// A pod sees all of them below this.
pub const HOST: &str = "/host";
/// The pod says this before each file's mode, owner and path.
const MARK: &str = "=== file ";
/// Less of a key than this is none of it.
const LEAST: usize = 16;

/// What [`SAYS`] calls a machine's console.
pub const CONSOLE: &str = "console";
/// What is read, each with what surely stands in it: of a log that is empty nothing would be shown.
const SAYS: [(&str, &str); 4] = [
    (CONSOLE, "orlop: phase=config"),
    ("/var/log/containerd.log", "starting containerd"),
    ("/var/log/kubelet.log", "Successfully registered node"),
    ("/var/log/net.log", "gives the node config"),
];

/// One secret of a document.
pub struct Secret {
    what: &'static str,
    /// As it stands in the document, and as it is written elsewhere.
    forms: Vec<String>,
}

impl Secret {
    /// The secret part of a bootstrap token.
    pub fn token(what: &'static str, token: &str) -> Result<Secret> {
        let (_, secret) = token.split_once('.').context("a token has two parts")?;
        Ok(Secret { what, forms: vec![secret.into()] })
    }

    /// Of a name and a password: the latter, and both as HTTP's headers have them.
    pub fn password(what: &'static str, name: &str, password: &str) -> Secret {
        Secret { what, forms: vec![password.into(), STANDARD.encode(format!("{name}:{password}"))] }
    }

    /// Each line of a key in PEM, and the whole as a kubeconfig has it.
    pub fn key(what: &'static str, pem: &str) -> Secret {
        let lines = pem.lines().filter(|line| !line.starts_with("-----") && line.len() >= LEAST);
        Secret { what, forms: lines.map(str::to_owned).chain([STANDARD.encode(pem)]).collect() }
    }

    fn is_in(&self, text: &str) -> bool {
        self.forms.iter().any(|form| text.contains(form))
    }
}

/// What a line of shell says in a pod that has [`volumes`].
pub type Seen<'s> = &'s dyn Fn(&str) -> Result<String>;

/// The volumes of a pod that looks at its node's files.
pub fn volumes() -> Value {
    let volume = |(number, path): (usize, &str)| json!({"name": format!("host-{number}"), "hostPath": {"path": path}});
    FOLDERS.into_iter().chain([LOGS]).enumerate().map(volume).collect()
}

/// Where its container has them.
pub fn mounts() -> Value {
    let mount = |(number, path): (usize, &str)| {
        let (name, at) = (format!("host-{number}"), format!("{HOST}{path}"));
        json!({"name": name, "mountPath": at, "readOnly": true})
    };
    FOLDERS.into_iter().chain([LOGS]).enumerate().map(mount).collect()
}

/// A file of the node, or what it says elsewhere.
struct File {
    path: String,
    /// Mode and owner.
    access: String,
    text: String,
}

/// The files that a line of shell lists.
fn files(seen: Seen<'_>, list: &str) -> Result<Vec<File>> {
    let show = format!("do echo \"{MARK}$(stat -c '%a %u' $file) $file\"; cat $file; echo; done");
    let said = seen(&format!("{list} | while read -r file; {show}"))?;
    let mut files: Vec<File> = Vec::new();
    for line in said.lines() {
        if let Some(begins) = line.strip_prefix(MARK) {
            let (access, path) = begins.rsplit_once(' ').context("mode, owner and path")?;
            let path = path.strip_prefix(HOST).unwrap_or(path);
            files.push(File { path: path.into(), access: access.into(), text: String::new() });
        } else if let Some(file) = files.last_mut() {
            file.text.extend([line, "\n"]);
        }
    }
    Ok(files)
}

/// Each secret lies in these files and in no others, with root alone and on tmpfs; and so do keys, but for kubelet's own.
pub fn lie_with_root_alone(seen: Seen<'_>, secrets: &[Secret], holders: &[(String, &str)]) -> Result<()> {
    let folders = FOLDERS.map(|folder| format!("{HOST}{folder}")).join(" ");
    let files = files(seen, &format!("find {folders} -type f"))?;
    let mounts = seen("cat /proc/mounts")?;
    let is_key = |file: &File| file.text.contains("PRIVATE KEY-----");
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    for file in &files {
        let held: Vec<&str> = secrets.iter().filter(|one| one.is_in(&file.text)).map(|one| one.what).collect();
        if held.is_empty() && !is_key(file) {
            continue;
        }
        if file.access != "600 0" {
            wrong.push(format!("{}: its mode and owner are {}", file.path, file.access));
        }
        if file.path.starts_with(KUBELETS) {
            continue;
        }
        let kind = filesystem(&mounts, &file.path);
        if kind != Some("tmpfs") {
            wrong.push(format!("{}: it lies on {}", file.path, kind.unwrap_or("nothing")));
        }
        found.extend(held.into_iter().map(|what| (file.path.clone(), what)));
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut expected = holders.to_vec();
    expected.sort();
    found.sort();
    ensure!(found == expected, "they lie in\n{found:?}\nand not in\n{expected:?}");
    let kubelets = |file: &File| file.path.starts_with(KUBELETS) && is_key(file);
    ensure!(files.iter().any(kubelets), "no key of kubelet's was seen in {KUBELETS}");
    Ok(())
}

/// The kind of the filesystem that a path of the node lies on.
fn filesystem<'m>(mounts: &'m str, path: &str) -> Option<&'m str> {
    let path = format!("{HOST}{path}");
    let fields = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let above = fields.filter(|(at, _)| Path::new(&path).starts_with(at));
    above.max_by_key(|(at, _)| at.len()).map(|(_, kind)| kind)
}

/// None of the secrets stands in what the machine says outside, which is given, nor in its services' logs.
pub fn stand_in_no_log(seen: Seen<'_>, secrets: &[Secret], said: Vec<(&str, String)>) -> Result<()> {
    let mut logs = files(seen, &format!("ls {HOST}{LOGS}/*.log*"))?;
    let outside = said.into_iter().map(|(name, text)| File { path: name.into(), access: String::new(), text });
    logs.extend(outside);
    for (name, says) in SAYS {
        let read = logs.iter().any(|log| log.path == name && log.text.contains(says));
        ensure!(read, "{name} was not read: it has no `{says}`");
    }
    let told = logs.iter().flat_map(|log| {
        let stands = secrets.iter().filter(move |secret| secret.is_in(&log.text));
        stands.map(move |secret| format!("{} has {}", log.path, secret.what))
    });
    let told: Vec<String> = told.collect();
    ensure!(told.is_empty(), "{}", told.join("\n"));
    Ok(())
}

/// What the node `one` joined by, which that of the other test has not.
#[test]
fn a_token_lies_with_root_alone_and_nobody_says_it() -> Result<()> {
    const TOKEN: &str = "the token";
    let segment = one()?.segment;
    let kubectl = &segment.kubectl;
    segment.approver.approved("one", within(60))?;
    let container = json!({"name": "it", "image": segment.busybox.digest, "command": ["/bin/sleep", "1000000"],
        "volumeMounts": mounts()});
    let spec = json!({"nodeName": "one", "terminationGracePeriodSeconds": 1, "containers": [container],
        "volumes": volumes()});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "looks"}, "spec": spec});
    kubectl.apply(&pod.to_string())?;
    kubectl.wait("pod/looks", "condition=Ready", within(180))?;
    let seen = |line: &str| -> Result<String> { Ok(kubectl.run(&["exec", "looks", "--", "/bin/sh", "-c", line])?) };
    let token = segment.plane().token.text();
    let secrets = [Secret::token(TOKEN, &token)?];
    let holders = ["/etc/kubernetes/bootstrap-kubelet.conf", "/run/orlop/net/config.toml"];
    lie_with_root_alone(&seen, &secrets, &holders.map(|path| (path.to_owned(), TOKEN)))?;
    let console = std::fs::read(segment.lab.folder.join("one.console.log"))?;
    stand_in_no_log(&seen, &secrets, vec![(CONSOLE, String::from_utf8_lossy(&console).into_owned())])?;
    kubectl.run(&["delete", "pod", "looks", "--wait=false"])?;
    Ok(())
}
