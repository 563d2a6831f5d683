//! The kernel's command line against the boot manifest's. A hypervisor can append text to the line of
//! a signed UKI; behind the manifest's last ` --` it reaches init only, which does not read it.

use crate::report::{Refusal, or_refuse};
use orlop_chain::Stage;

/// Compares `/proc/cmdline` as a whole; what was appended, if anything.
pub fn check(expected: &str) -> Result<Option<String>, Refusal> {
    let line = or_refuse(std::fs::read("/proc/cmdline"), "cmdline", "/proc/cmdline")?;
    compare(expected, &String::from_utf8_lossy(&line))
}

fn compare(expected: &str, found: &str) -> Result<Option<String>, Refusal> {
    let found = found.trim_end();
    match found.strip_prefix(expected.trim_end()) {
        Some("") => Ok(None),
        Some(rest) if rest.starts_with(char::is_whitespace) => Ok(Some(rest.trim_start().to_owned())),
        _ => {
            let reason = format!("the kernel was started with `{found}`, the image is signed for `{expected}`");
            Err(Refusal::new(Stage::Cmdline.name(), reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "console=ttyS0 panic=10 --";

    #[test]
    fn the_whole_line_counts() {
        assert_eq!(compare(LINE, "console=ttyS0 panic=10 --\n"), Ok(None));
        let appended = compare(LINE, "console=ttyS0 panic=10 -- rdinit=/evil\n").expect("accepted");
        assert_eq!(appended.as_deref(), Some("rdinit=/evil"));
        for other in [
            "",
            "console=ttyS0",
            "x console=ttyS0 panic=10 --",
            "console=ttyS0 panic=10 --x",
            "console=ttyS0  panic=10 --",
        ] {
            let refusal = compare(LINE, other).expect_err("refused");
            assert_eq!(refusal.stage, "cmdline");
        }
    }
}
