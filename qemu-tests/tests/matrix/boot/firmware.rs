//! The firmware's keys, and what an image asks of them.

use anyhow::Result;
use orlop_chain::Stage;

use crate::forge::{By, foreign_certificate};
use crate::row::{Ends, On, rows};
use crate::subject::Subject;

rows! {
    fast nothing {
        changed: "nothing, for comparison",
        on: On::SecureBoot,
        says: "trust rung=secure-boot+ipe",
    }
    fast no_secure_boot_where_it_is_required {
        changed: "no firmware at all, for an image that requires Secure Boot",
        alter: required,
        ends: Ends::Refused(Stage::SecureBoot),
        says: "the firmware has no Secure Boot",
    }
    fast secure_boot_off_where_it_is_required {
        changed: "Secure Boot switched off in the firmware, for an image that requires it",
        on: On::SecureBoot,
        alter: |subject| {
            subject.keys.enforcing = false;
            required(subject)
        },
        ends: Ends::Refused(Stage::SecureBoot),
        says: "Secure Boot is off",
    }
    fast a_foreign_certificate_where_secure_boot_is_required {
        changed: "a stranger's certificate added to db, for an image that requires Secure Boot",
        on: On::SecureBoot,
        alter: |subject| {
            subject.keys.db.push(foreign_certificate()?);
            required(subject)
        },
        ends: Ends::Refused(Stage::SecureBoot),
        says: "db holds the certificate",
    }
    slow a_foreign_certificate {
        changed: "a stranger's certificate added to db, for an image that uses Secure Boot when it is there (reported)",
        on: On::SecureBoot,
        alter: |subject| {
            subject.keys.db.push(foreign_certificate()?);
            Ok(())
        },
        says: "db holds the certificate",
    }
    fast our_certificate_in_dbx {
        changed: "the image's own certificate in dbx too",
        on: On::SecureBoot,
        alter: |subject| {
            subject.keys.dbx.clone_from(&subject.keys.db);
            Ok(())
        },
        ends: Ends::NotStarted,
        says: "Access Denied",
    }
}

/// The same image, signed by us, but with `trust.secure_boot = "required"`.
pub fn required(subject: &mut Subject) -> Result<()> {
    subject.manifest((r#""secure_boot": "when-present""#, r#""secure_boot": "required""#), By::Us)
}
