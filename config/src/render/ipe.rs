//! The IPE policy: what the kernel itself may read, and from where (`Documentation/admin-guide/LSM/ipe.rst`).

use crate::node::IPE_POLICY_NAME;

/// The policy's text. Modules and firmware come from a verity device whose root hash is signed, and from nowhere else;
/// kernels, policies and certificates from nowhere at all. Execution is not restricted: pods bring their own programs.
///
/// What is signed is this very text: changed, it needs a new version (they cannot go back) and a new signature.
pub fn ipe_policy() -> String {
    format!(
        "policy_name={IPE_POLICY_NAME} policy_version=0.0.1
DEFAULT action=ALLOW
DEFAULT op=KMODULE action=DENY
DEFAULT op=FIRMWARE action=DENY
DEFAULT op=KEXEC_IMAGE action=DENY
DEFAULT op=KEXEC_INITRAMFS action=DENY
DEFAULT op=POLICY action=DENY
DEFAULT op=X509_CERT action=DENY
op=KMODULE dmverity_signature=TRUE action=ALLOW
op=FIRMWARE dmverity_signature=TRUE action=ALLOW
"
    )
}
