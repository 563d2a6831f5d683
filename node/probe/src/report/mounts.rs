//! Mounts (`/proc/PID/mountinfo`, proc(5)): PID 1's, and the pod's own.

use serde_json::{Value, json};
use std::fs;

/// All that this process sees, in the kernel's order.
pub fn of(process: &str) -> Value {
    let text = fs::read_to_string(format!("/proc/{process}/mountinfo")).unwrap_or_default();
    text.lines().filter_map(parse).collect()
}

/// `id parent major:minor root target options [optional…] - fstype source super`
fn parse(line: &str) -> Option<Value> {
    let (mount, filesystem) = line.split_once(" - ")?;
    let mount: Vec<&str> = mount.split(' ').collect();
    let filesystem: Vec<&str> = filesystem.split(' ').collect();
    Some(json!({
        "target": unescape(mount.get(4)?),
        "root": unescape(mount.get(3)?),
        "options": mount.get(5)?.split(',').collect::<Vec<_>>(),
        "propagation": mount.get(6..)?,
        "fstype": filesystem.first()?,
        "source": unescape(filesystem.get(1)?),
        "super_options": filesystem.get(2)?.split(',').collect::<Vec<_>>(),
    }))
}

/// The kernel writes blank, tab, line feed and backslash as three octal digits.
fn unescape(word: &str) -> String {
    let mut parts = word.split('\\');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(byte) => {
                out.push(char::from(byte));
                out.push_str(&part[3..]);
            }
            None => {
                out.push('\\');
                out.push_str(part);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: &str = "36 35 98:0 /a\\040b /mnt rw,nosuid shared:1 master:2 - ext4 /dev/root rw,errors=continue";

    #[test]
    fn a_line_is_read() {
        let mount = parse(LINE).expect("a mount");
        assert_eq!(mount["root"], "/a b");
        assert_eq!(mount["options"], json!(["rw", "nosuid"]));
        assert_eq!(mount["propagation"], json!(["shared:1", "master:2"]));
        assert_eq!(mount["fstype"], "ext4");
        assert_eq!(mount["super_options"], json!(["rw", "errors=continue"]));
    }

    proptest! {
        #[test]
        fn any_line_and_every_cut_are_read_or_passed_over(line in ".*", cut in 0usize..LINE.len()) {
            let _ = parse(&line);
            let _ = parse(&LINE[..cut]);
            let _ = unescape(&line);
        }
    }
}
