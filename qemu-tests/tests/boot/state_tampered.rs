//! The state partition, altered while the power was off by somebody who knows what lies on it: without effect, or said
//! and made anew.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use orlop_machine::{Disk, Format};
use serde_json::{Value, json};

use crate::altered::{Altered, DIGEST, IMAGES, PIPE, PLANTED};
use crate::bench::{Bench, Built, debugfs_read, debugfs_write, fsck, put_partition, take_partition};
use crate::probe::Probed;

const SNAPSHOTS: &str = "/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots";
const BLOBS: &str = "/lib/containerd/io.containerd.content.v1.content/blobs/sha256";
/// What would run where the host believed the state.
const EVIL: &str = "#!/evil\n";

#[test]
fn what_was_altered_is_made_anew_or_without_effect() -> Result<()> {
    let bench = Bench::new(Built::Probe)?;
    let kept = bench.kept("first.qcow2", None)?;
    let node = Probed::boot(bench.machine(kept.clone()))?;
    node.0.healthy_with_pod("hello")?;
    let pause = program(&node, "pause")?;
    node.0.power_off()?;
    drop(node);

    let disk = bench.flatten(&kept, "first.raw")?;
    let state = State { file: bench.file("state.ext4"), evil: bench.file("evil") };
    take_partition(&disk, "state", &state.file)?;
    fsck(&state.file)?;
    std::fs::write(&state.evil, EVIL)?;
    the_code_of_the_pause_image(&state)?;
    mode_and_number_of_files(&state)?;
    let blob = the_entrypoint_of_the_probe_image(&state, &bench.file("blob"))?;
    let pipe = a_pipe_for_the_layer_of_the_hello_image(&state, &bench.file("blob"))?;
    configuration_that_the_host_does_not_read(&state)?;
    state.write("rm /log/kubelet.log")?;
    state.write("symlink /log/kubelet.log /run/orlop/planted")?;
    put_partition(&disk, "state", &state.file)?;

    let node = Probed::boot(bench.machine(Disk::kept(&disk, Format::Raw)))?;
    node.0.healthy_with_pod("hello")?;
    let report = node.topic("boot")?;
    for Altered { image, says, .. } in &IMAGES {
        let what = says.replace(DIGEST, &blob).replace(PIPE, &pipe);
        let line = format!("preload: {image} differed: {what}; it is unpacked anew");
        assert!(node.0.said(&format!("orlop: {line}")), "{line}");
        assert!(report.to_string().contains(&format!("{image} differed: {what}")), "{report}");
    }
    assert!(node.0.said(&format!("orlop: state: blob sha256:{pipe} was no regular file; it is removed")));
    assert_eq!(program(&node, "pause")?, pause, "pause is the root's again");
    nothing_planted_is_used(&node)?;
    the_log_is_a_file(&node)
}

/// The state's filesystem, taken out of its disk.
struct State {
    file: PathBuf,
    evil: PathBuf,
}

impl State {
    fn write(&self, command: &str) -> Result<()> {
        debugfs_write(&self.file, command)
    }

    fn plant(&self, path: &str) -> Result<()> {
        let mut folder = String::new();
        let (above, _) = path.rsplit_once('/').context("a path")?;
        for part in above.split('/').skip(1) {
            folder = format!("{folder}/{part}");
            // A folder that is there is an error.
            let _ = self.write(&format!("mkdir {folder}"));
        }
        self.write(&format!("write {} {path}", self.evil.display()))
    }

    fn names(&self, folder: &str) -> Result<Vec<String>> {
        let list = debugfs_read(&self.file, &format!("ls -p {folder}"))?;
        let name = |line: &str| line.split('/').nth(5).map(str::to_owned);
        Ok(list.lines().filter_map(name).filter(|name| !name.starts_with('.')).collect())
    }

    /// The folder that a layer is unpacked to which has this file.
    fn unpacked(&self, file: &str) -> Result<String> {
        for id in self.names(SNAPSHOTS)? {
            let folder = format!("{SNAPSHOTS}/{id}/fs");
            if self.names(&folder)?.iter().any(|name| name == file) {
                return Ok(folder);
            }
        }
        anyhow::bail!("no snapshot has {file}")
    }
}

/// Of the same size, mode and owner.
fn the_code_of_the_pause_image(state: &State) -> Result<()> {
    let pause = format!("{}/pause", state.unpacked("pause")?);
    let file = state.file.with_file_name("pause");
    debugfs_read(&state.file, &format!("dump {pause} {}", file.display()))?;
    let mut code = std::fs::read(&file)?;
    let middle = code.len() / 2;
    code[middle] ^= 1;
    std::fs::write(&file, code)?;
    state.write(&format!("rm {pause}"))?;
    state.write(&format!("write {} {pause}", file.display()))?;
    state.write(&format!("set_inode_field {pause} mode 0100755"))?;
    state.write(&format!("set_inode_field {pause} uid 0"))?;
    state.write(&format!("set_inode_field {pause} gid 0"))
}

fn mode_and_number_of_files(state: &State) -> Result<()> {
    let folder = state.unpacked("hello")?;
    state.write(&format!("set_inode_field {folder}/hello mode 0104755"))?;
    state.plant(&format!("{folder}/planted"))
}

/// CRI reads an image's configuration when containerd starts, before anybody compares it. Its blob's digest.
fn the_entrypoint_of_the_probe_image(state: &State, file: &Path) -> Result<String> {
    for name in state.names(BLOBS)? {
        debugfs_read(&state.file, &format!("dump {BLOBS}/{name} {}", file.display()))?;
        let bytes = std::fs::read(file)?;
        let Ok(mut text) = String::from_utf8(bytes) else { continue };
        if let Some(at) = text.find(r#""Entrypoint":["/probe"]"#) {
            text.replace_range(at..at + 23, r#""Entrypoint":["/evil!"]"#);
            std::fs::write(file, text)?;
            state.write(&format!("rm {BLOBS}/{name}"))?;
            state.write(&format!("write {} {BLOBS}/{name}", file.display()))?;
            return Ok(name);
        }
    }
    anyhow::bail!("no blob is the probe image's configuration")
}

/// CRI hangs at its start on what lies in place of a blob and never ends. The blob's digest.
fn a_pipe_for_the_layer_of_the_hello_image(state: &State, file: &Path) -> Result<String> {
    for name in state.names(BLOBS)? {
        debugfs_read(&state.file, &format!("dump {BLOBS}/{name} {}", file.display()))?;
        let bytes = std::fs::read(file)?;
        if bytes.starts_with(b"hello\0") && bytes.get(257..262) == Some(b"ustar") {
            std::fs::write(file, "")?;
            state.write(&format!("rm {BLOBS}/{name}"))?;
            state.write(&format!("write {} {BLOBS}/{name}", file.display()))?;
            state.write(&format!("set_inode_field {BLOBS}/{name} mode 0010644"))?;
            return Ok(name);
        }
    }
    anyhow::bail!("no blob is the hello image's layer")
}

fn configuration_that_the_host_does_not_read(state: &State) -> Result<()> {
    PLANTED.iter().flat_map(|(_, paths)| *paths).try_for_each(|path| state.plant(path))?;
    // A folder in place of the link to `/run`, as CDI's specifications are looked for below it.
    state.write("rm /run")?;
    state.plant("/run/cdi/evil.json")
}

fn nothing_planted_is_used(node: &Probed) -> Result<()> {
    for (service, file) in [("kubelet", "/etc/kubernetes/kubelet.yaml"), ("containerd", "/etc/containerd/config.toml")]
    {
        let processes = node.topic("processes")?;
        let found = processes.as_array().into_iter().flatten().find(|process| process["comm"] == service);
        let words = found.context(service)?["command"].to_string();
        assert!(words.contains(file), "{words}");
    }
    let names = |path: &str| node.ask(json!({ "do": "list", "path": path })).map(|mut answer| answer["names"].take());
    let processes = node.topic("processes")?;
    let stranger =
        processes.as_array().into_iter().flatten().find(|process| {
            process["exe"].as_str().is_some_and(|exe| exe.starts_with("/var/") || exe.contains("evil"))
        });
    assert_eq!(stranger, None);
    assert!(!names("/host/etc/cni/net.d")?.to_string().contains("evil"));
    assert_eq!(names("/host/opt/cni/bin")?, json!([]));
    let run = node.ask_for_any(&json!({ "do": "list", "path": "/host/run/cdi" }))?;
    assert_eq!(run["ok"], false, "{run}");
    // kubelet is healthy on the port of the root's configuration, which the boot waited for; it runs the root's pods only.
    let pods = names("/host/var/log/pods")?.to_string();
    assert!(pods.contains("hello") && pods.contains("probe") && !pods.contains("evil"), "{pods}");
    Ok(())
}

fn the_log_is_a_file(node: &Probed) -> Result<()> {
    let list = node.ask(json!({ "do": "list", "path": "/host/var/log" }))?["names"].to_string();
    assert!(list.contains("kubelet.log.aside"), "{list}");
    let planted = node.ask_for_any(&json!({ "do": "read", "path": "/host/run/orlop/planted" }))?;
    assert_eq!(planted["ok"], false, "the link was followed: {planted}");
    let log = node.ask(json!({ "do": "read", "path": "/host/var/log/kubelet.log" }))?;
    ensure!(log["size"].as_u64() > Some(0), "{log}");
    Ok(())
}

/// The digest of the program that a process runs.
fn program(node: &Probed, name: &str) -> Result<Value> {
    let answer = node.ask(json!({ "do": "pids", "comm": name }))?;
    let pid = answer["pids"][0].as_i64().with_context(|| format!("{name} runs"))?;
    Ok(node.ask(json!({ "do": "read", "path": format!("/proc/{pid}/exe") }))?["sha256"].take())
}
