//! The module waves, and the end of module loading: after it nobody, PID 1 included, can bring code
//! into the kernel.

use super::{Node, pstore, sysctls};
use crate::modules::{Loader, read_lists};
use crate::report::{Refusal, or_refuse};
use crate::services::Purpose;
use crate::sys::capability;
use orlop_config::node::ROOT_MODULES;

/// argv[0] of the program that loads modules beside the services; its argument says which.
pub const MODULE_LOADER: &str = "orlop-modules";
/// Drivers of the devices that are there, the power key's among them.
const DEVICES: &str = "devices";
/// All that is left.
const REST: &str = "rest";

/// What a container's start needs: before containerd.
pub fn load_first(_: &mut Node) -> Result<(), Refusal> {
    let lists = read_lists(ROOT_MODULES).map_err(|error| Refusal::new("modules", error))?;
    Loader::new(&lists).first().map_err(|error| Refusal::new("modules", error))
}

/// Starts the drivers of the devices that are there, beside the services.
pub fn start_devices(node: &mut Node) -> Result<(), Refusal> {
    start(node, Purpose::Devices, DEVICES)
}

/// Starts the rest, once: each load stops all processors to patch the kernel's text, and a hundred of them beside
/// kubelet's start and the first pod's cost both a tenth (measured under emulation). So it is begun when the static
/// pods run or are late, but on a cluster's node as soon as kubelet is well: a pod there may wait for a network whose
/// daemon waits for one of these modules.
pub fn start_rest(node: &mut Node) -> Result<(), Refusal> {
    if std::mem::replace(&mut node.modules_begun, true) {
        return Ok(());
    }
    start(node, Purpose::Modules, REST)
}

fn start(node: &mut Node, purpose: Purpose, which: &str) -> Result<(), Refusal> {
    node.start_job(purpose, &[MODULE_LOADER, which]).map_err(|error| Refusal::new("modules", error))
}

/// The program that loads modules; its exit status.
pub fn load_modules(argv: &[String]) -> i32 {
    let lists = match read_lists(ROOT_MODULES) {
        Ok(lists) => lists,
        Err(error) => return fail(&error),
    };
    let mut loader = Loader::new(&lists);
    if argv.get(1).is_some_and(|which| which == REST)
        && let Err(error) = loader.later()
    {
        return fail(&error);
    }
    let mut failures = Vec::new();
    while loader.by_alias(&mut failures) > 0 {}
    for failure in failures {
        println!("{failure}");
    }
    0
}

fn fail(error: &str) -> i32 {
    println!("{error}");
    1
}

/// Closes the modules when the rest is through.
pub fn step(node: &mut Node) -> Result<(), Refusal> {
    if node.runs(Purpose::Devices) {
        return Ok(());
    }
    for ended in node.take_ended(Purpose::Devices) {
        if let Some(failure) = ended.failure() {
            node.report.error("modules", failure);
        }
    }
    for ended in node.take_ended(Purpose::Modules) {
        if let Some(failure) = ended.failure() {
            return Err(Refusal::new("modules", failure));
        }
        or_refuse(sysctls::close_modules(), "modules-closed", "kernel.modules_disabled")?;
        let given_up = capability::give_up(capability::GIVEN_UP).and_then(|()| capability::bound(capability::CLOSED));
        or_refuse(given_up, "modules-closed", "giving up CAP_SYS_MODULE")?;
        // `efi_pstore` is among the modules.
        pstore::start(node);
        node.modules_closed = true;
    }
    pstore::step(node);
    Ok(())
}

/// Whether that has happened.
pub fn done(node: &mut Node) -> Result<bool, Refusal> {
    Ok(node.modules_closed)
}
