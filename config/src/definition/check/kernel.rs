//! The kernel's command line and its modules.

use std::collections::BTreeMap;

use super::super::{Definition, Modules};
use super::Report;
use crate::render::{COMMAND_LINE_LIMIT, command_line};

/// Arguments that start a program or mount a file system that nothing has verified.
const REFUSED: [&str; 3] = ["init", "rdinit", "root"];
/// Shows the firmware's variables to PID 1, which takes a firmware without them for one without Secure Boot.
const VARIABLES: &str = "efivarfs";

pub(super) fn check_command_line(definition: &Definition, report: &mut Report) {
    let path = ["kernel", "command_line"];
    let arguments = &definition.kernel.command_line;
    for argument in arguments {
        let message = format!("`{argument}` cannot be an argument of the kernel here");
        let next = "write one argument an entry, without quotes and spaces; the builder adds the final ` --`";
        report.expect(is_argument(argument), &path, message, next);
        let key = argument.split('=').next().unwrap_or_default();
        let message = format!("`{argument}` would start or mount something that nothing has verified");
        let next = "leave it out: init is in the initramfs, and the root is found by its hash";
        report.expect(!REFUSED.contains(&key), &path, message, next);
    }
    let next = "add \"gpt\": without it a bad primary partition table does not fall back to the backup";
    report.expect(arguments.iter().any(|argument| argument == "gpt"), &path, "`gpt` is missing".into(), next);
    let panics: Vec<&str> = arguments.iter().filter_map(|argument| argument.strip_prefix("panic=")).collect();
    let good = matches!(panics[..], [seconds] if seconds.parse::<u32>().is_ok_and(|seconds| seconds > 0));
    let next = "add \"panic=10\": without it a dead boot hangs for ever instead of resetting";
    report.expect(good, &path, "`panic=SECONDS` is missing, doubled or 0".into(), next);
    let length = command_line(definition).len();
    let next = format!("the kernel cuts it after {} bytes; take some out", COMMAND_LINE_LIMIT - 1);
    report.expect(length < COMMAND_LINE_LIMIT, &path, format!("the command line has {length} bytes"), &next);
}

/// Quotes and backslashes mean something to the kernel's parser; `--` ends what the kernel reads.
fn is_argument(argument: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'\\".contains(&byte);
    !argument.is_empty() && argument != "--" && argument.bytes().all(plain)
}

pub(super) fn check_modules(modules: &Modules, report: &mut Report) {
    let lists = [
        ("boot", &modules.boot),
        ("boot_by_alias", &modules.boot_by_alias),
        ("early", &modules.early),
        ("always", &modules.always),
        ("by_alias", &modules.by_alias),
    ];
    let message = format!("`{VARIABLES}` is missing");
    let next = format!("add \"{VARIABLES}\": without it no boot learns whether Secure Boot is on");
    let has = modules.boot.iter().any(|name| name == VARIABLES);
    report.expect(has, &["kernel", "modules", "boot"], message, &next);
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (list, names) in lists {
        let path = ["kernel", "modules", list];
        for name in names {
            let good = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let message = format!("`{name}` is not the name of a kernel module");
            report.expect(good, &path, message, "write it as /proc/modules does: letters, digits and `_`, no `.ko`");
            // A disk driver may wait in the initramfs for a device that is there, and in the root for a later one. What a
            // definition wants early stays in the long list of the one that it extends.
            let again = |first: &str| {
                matches!((first, list), ("boot_by_alias", l) if l != first) || (first, list) == ("early", "always")
            };
            let first = seen.insert(name, list).filter(|first| !again(first));
            let message = format!("module `{name}` is in `{}` already", first.unwrap_or_default());
            report.expect(first.is_none(), &path, message, "name each module once");
        }
    }
}
