//! Who and what this system says it is.

use crate::definition::Definition;

/// `/etc/os-release`, also the UKI's `.osrel`. IMAGE_ID and IMAGE_VERSION are what boot loaders and updates go by.
pub fn os_release(definition: &Definition) -> String {
    let Definition { name, version, class, .. } = definition;
    format!(
        "ID=orlop\nNAME=\"Orlop\"\nPRETTY_NAME=\"Orlop {name} {version}\"\nVERSION_ID=\"{version}\"\n\
         IMAGE_ID=\"{name}\"\nIMAGE_VERSION=\"{version}\"\nVARIANT_ID=\"{class}\"\n"
    )
}

/// `/etc/passwd`: kubelet fails without the file, and with a user named `kubelet` it would look for `getsubids`.
pub fn passwd() -> String {
    "root:x:0:0:root:/root:/nonexistent\n".into()
}

/// `/etc/group`.
pub fn group() -> String {
    "root:x:0:\n".into()
}
