//! The module waves, and the end of module loading: after it nobody, PID 1 included, can bring code
//! into the kernel.

use super::{Node, cgroups, sysctls};
use crate::modules::{Loader, read_lists};
use crate::report::{Refusal, or_refuse};
use crate::services::Purpose;
use crate::sys::capability;
use orlop_config::node::ROOT_MODULES;

/// argv[0] of the program that loads the second wave beside the services.
pub const MODULE_LOADER: &str = "orlop-modules";
/// What a container's start needs: before containerd.
pub fn load_first(_: &mut Node) -> Result<(), Refusal> {
    let lists = read_lists(ROOT_MODULES).map_err(|error| Refusal::new("modules", error))?;
    Loader::new(&lists).first().map_err(|error| Refusal::new("modules", error))
}

/// Starts the second wave.
pub fn start_later(node: &mut Node) -> Result<(), Refusal> {
    node.start_job(Purpose::Modules, &[MODULE_LOADER]).map_err(|error| Refusal::new("modules", error))
}

/// The program of the second wave; its exit status.
pub fn load_modules() -> i32 {
    let lists = match read_lists(ROOT_MODULES) {
        Ok(lists) => lists,
        Err(error) => return fail(&error),
    };
    let mut loader = Loader::new(&lists);
    let mut failures = Vec::new();
    if let Err(error) = loader.later() {
        return fail(&error);
    }
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

/// Closes the modules when the second wave is through, whatever phase the boot is in.
pub fn step(node: &mut Node) -> Result<(), Refusal> {
    for ended in node.take_ended(Purpose::Modules) {
        if let Some(failure) = ended.failure() {
            return Err(Refusal::new("modules", failure));
        }
        or_refuse(sysctls::close_modules(), "modules-closed", "kernel.modules_disabled")?;
        let given_up = capability::give_up(capability::CLOSED);
        or_refuse(given_up, "modules-closed", "giving up CAP_SYS_MODULE and CAP_MAC_ADMIN")?;
        cgroups::remove_modules();
        node.modules_closed = true;
    }
    Ok(())
}

/// Whether that has happened.
pub fn done(node: &mut Node) -> Result<bool, Refusal> {
    Ok(node.modules_closed)
}
