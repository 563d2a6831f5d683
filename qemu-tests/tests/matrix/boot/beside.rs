//! Files beside the UKI, which its stub picks up: credentials and extensions unsigned, add-ons if the firmware would
//! start them.

use anyhow::Result;
use orlop_chain::Stage;

use crate::forge::{self, By};
use crate::row::{Ends, Offline, On, rows};
use crate::subject::Subject;
use crate::uki::Parts;

rows! {
    fast a_credential {
        changed: "a credential beside the UKI",
        on: On::SecureBoot,
        alter: |subject| lay(subject, "evil.cred"),
        ends: Ends::Refused(Stage::Extra),
        says: "/.extra/credentials",
        offline: Offline::Refused(Stage::Extra),
    }
    slow a_global_credential {
        changed: "a credential for all UKIs of the ESP",
        on: On::SecureBoot,
        alter: |subject| subject.lay("loader/credentials/evil.cred", b"evil"),
        ends: Ends::Refused(Stage::Extra),
        says: "/.extra/global_credentials",
        offline: Offline::Refused(Stage::Extra),
    }
    fast an_extension {
        changed: "a system extension beside the UKI",
        on: On::SecureBoot,
        alter: |subject| lay(subject, "evil.sysext.raw"),
        ends: Ends::Refused(Stage::Extra),
        says: "/.extra/sysext",
        offline: Offline::Refused(Stage::Extra),
    }
    slow a_configuration {
        changed: "a configuration extension beside the UKI",
        on: On::SecureBoot,
        alter: |subject| lay(subject, "evil.confext.raw"),
        ends: Ends::Refused(Stage::Extra),
        says: "/.extra/confext",
        offline: Offline::Refused(Stage::Extra),
    }
    fast an_unsigned_addon {
        changed: "an unsigned add-on beside the UKI, with a command line (the stub leaves it out)",
        on: On::SecureBoot,
        alter: |subject| addon(subject, None),
        offline: Offline::Refused(Stage::Extra),
    }
    slow a_strangers_addon {
        changed: "an add-on signed by a stranger (the stub leaves it out)",
        on: On::SecureBoot,
        alter: |subject| addon(subject, Some(By::Stranger)),
        offline: Offline::Refused(Stage::Extra),
    }
    fast our_addon {
        changed: "an add-on signed by us, with a command line (reported)",
        on: On::SecureBoot,
        alter: |subject| addon(subject, Some(By::Us)),
        says: "appended=evil=1",
        offline: Offline::Refused(Stage::Extra),
    }
    slow an_unsigned_addon_without_secure_boot {
        changed: "an unsigned add-on, on a machine without Secure Boot (reported)",
        on: On::Uefi,
        alter: |subject| addon(subject, None),
        says: "appended=evil=1",
        offline: Offline::Refused(Stage::Extra),
    }
}

const FOLDER: &str = "EFI/BOOT/BOOTX64.EFI.extra.d";

fn lay(subject: &Subject, name: &str) -> Result<()> {
    subject.lay(&format!("{FOLDER}/{name}"), b"evil")
}

fn addon(subject: &Subject, by: Option<By>) -> Result<()> {
    let addon = Parts::of(&subject.uki()?)?.addon("evil=1")?;
    let signed = by.map(|by| forge::signed(&addon, by)).transpose()?;
    subject.lay(&format!("{FOLDER}/evil.addon.efi"), &signed.unwrap_or(addon))
}
