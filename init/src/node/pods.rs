//! What the root brings for pods: preload images, which are imported, and static pods, which are waited for. Both are
//! folders of the verified root.

use super::Node;
use crate::report::{Event, Refusal, Report, now_ms, or_refuse};
use crate::services::{Purpose, Task};
use orlop_config::node::{PRELOAD, STATIC_PODS, preload_reference};
use std::io::{self, ErrorKind};

/// Has the preload images imported.
pub fn start_preload(node: &mut Node) -> Result<(), Refusal> {
    for file in or_refuse(names(PRELOAD), "preload", PRELOAD)? {
        let Some(reference) = preload_reference(&file) else { continue };
        let started = node.start_job(Purpose::Import, &["cri", "import", &format!("{PRELOAD}/{file}"), &reference]);
        started.map_err(|error| Refusal::new("preload", error))?;
    }
    Ok(())
}

/// Exit status of `cri import` for: it failed, and there is no image of that name now.
const FORGOTTEN: i32 = 3;

/// A preload image that does not import is named and tried again; at the deadline the boot goes on without it: kubelet
/// says which pod misses it, and the rest of the node works. Not when an image may have its name that nobody compared.
pub fn preload_done(node: &mut Node) -> Result<bool, Refusal> {
    node.put_off(Purpose::Import, "preload");
    if node.progress.is_late() {
        go_without(&node.give_up(Purpose::Import, "preload"))?;
    }
    Ok(!node.works_on(Purpose::Import))
}

/// Whether the boot may go on without what these imports should have made.
pub fn go_without(imports: &[Task]) -> Result<(), Refusal> {
    let Some(task) = imports.iter().find(|task| task.last != Some(FORGOTTEN)) else { return Ok(()) };
    let image = task.arguments.last().map_or("", String::as_str);
    Err(Refusal::new(
        "state",
        format!(
            "image `{image}` could be neither imported nor removed (the errors of `preload` say why): the state may hold \
             an altered one. Boot again; if it stays so, zero the state partition's first 64 KiB to give it up"
        ),
    ))
}

/// A line of an import. What somebody changed while the power was off stands in the report.
pub fn import_line(report: &mut Report, line: &str) {
    match line.strip_prefix("image=").filter(|rest| rest.contains(" differed: ")) {
        Some(what) => report.note("preload", what),
        None => report.quote(line),
    }
}

/// The names in a folder of the root, sorted; none where there is no folder.
fn names(folder: &str) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let name = |entry: io::Result<std::fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = entries.map(name).collect::<io::Result<_>>()?;
    names.sort();
    Ok(names)
}

/// Starts the wait, when there is something to wait for.
pub fn start(node: &mut Node) -> Result<(), Refusal> {
    let manifests = or_refuse(names(STATIC_PODS), "pods", STATIC_PODS)?;
    let pods: Vec<&str> = manifests.iter().filter_map(|name| name.strip_suffix(".yaml")).collect();
    if pods.is_empty() {
        return Ok(());
    }
    let arguments: Vec<&str> = ["cri", "wait-pod"].into_iter().chain(pods).collect();
    node.start_job(Purpose::Pods, &arguments).map_err(|error| Refusal::new("pods", error))
}

/// Whether all of them run. A wait that fails (containerd was restarted) is begun anew.
pub fn done(node: &mut Node) -> Result<bool, Refusal> {
    node.put_off(Purpose::Pods, "pods");
    Ok(!node.works_on(Purpose::Pods))
}

/// A line of the wait.
pub fn line(report: &mut Report, line: &str) {
    match line.strip_prefix("pod=").and_then(|rest| rest.strip_suffix(" state=running")) {
        Some(name) => report.tell(&Event::Pod { name: name.to_owned(), ms: now_ms() }),
        None => report.quote(line),
    }
}
