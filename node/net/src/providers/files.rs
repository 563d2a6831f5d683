//! QEMU's `fw_cfg`, by the files of the module `qemu_fw_cfg`.

use super::{Fetched, read};
use std::fs::File;
use std::path::Path;

/// The item, `-fw_cfg name=opt/orlop/config,file=…`.
const ITEM: &str = "firmware/qemu_fw_cfg/by_name/opt/orlop/config/raw";

/// The item's bytes.
pub fn fw_cfg(sys: &Path) -> Fetched {
    let path = sys.join(ITEM);
    let file = File::open(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound if !sys.join("firmware/qemu_fw_cfg").exists() => {
            "this machine has no fw_cfg, or the module qemu_fw_cfg is not there yet".into()
        }
        std::io::ErrorKind::NotFound => {
            "there is no item opt/orlop/config; start QEMU with -fw_cfg name=opt/orlop/config,file=FILE".into()
        }
        _ => format!("{}: {error}", path.display()),
    })?;
    read(file)
}
