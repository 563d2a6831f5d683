//! The applets against a real kernel: the built program under its names, in a user and mount namespace of its own, so
//! that no privilege is needed and nothing of this machine is touched.

use std::os::unix::fs::symlink;
use std::process::{Command, Output};

/// Runs the script where `mount` and `umount` are the applets, `work` is a fresh tmpfs and errors end it.
fn run(script: &str) -> Output {
    let bin = tempfile::tempdir().expect("a folder");
    for name in ["mount", "umount", "losetup"] {
        symlink(env!("CARGO_BIN_EXE_init"), bin.path().join(name)).expect("a link");
    }
    let whole = format!(
        "set -eu; cd \"$1\"; mkdir work; ./mount -t tmpfs -o size=1048576,mode=0755 tmpfs \"$1/work\"; cd work; \
         PATH=\"$1:$PATH\"; hash -r
         flags() {{ awk -v t=\"$1\" '$5 == t {{ print $6 \" \" $NF }}' /proc/self/mountinfo | tail -n 1; }}
         {script}"
    );
    Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &whole, "sh"])
        .arg(bin.path())
        .output()
        .expect("unshare starts")
}

/// What the script printed; it must have ended well.
fn printed(script: &str) -> String {
    let output = run(script);
    assert!(output.status.success(), "{script}\n{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_tmpfs_has_the_size_asked_for_and_goes_away_again() {
    let text = printed("mkdir a; mount -t tmpfs -o size=65536 tmpfs $PWD/a; flags $PWD/a; umount $PWD/a; flags $PWD/a");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("size=64k"), "{text}");
}

/// A pod's own PID namespace has a first process, too.
#[test]
fn an_applet_that_is_process_1_does_not_take_itself_for_the_nodes() {
    let text = printed("unshare --pid --fork mount --unknown 2>&1 || echo $?");
    assert!(text.starts_with("mount: unknown option") && text.ends_with("\n1\n"), "{text}");
}

#[test]
fn a_tmpfs_needs_no_options() {
    assert!(printed("mkdir a; mount -t tmpfs tmpfs $PWD/a; flags $PWD/a").starts_with("rw,relatime"));
}

#[test]
fn a_bind_is_remounted_with_flags_in_any_order() {
    for words in ["bind,remount,ro,nosuid,nodev,noexec", "noexec,remount,nodev,ro,bind,nosuid,_netdev,defaults"] {
        let text = printed(&format!(
            "mkdir s t; echo x > s/f; mount -o bind $PWD/s $PWD/t; cat t/f; mount -o {words} $PWD/s $PWD/t; flags $PWD/t"
        ));
        assert!(text.starts_with("x\nro,nosuid,nodev,noexec"), "{text}");
    }
}

/// All the words that kubelet finds by statfs(2), in an order of Go's, with what it adds for others to read.
#[test]
fn every_flag_of_a_remount_arrives() {
    let words = "nodiratime,_netdev,noatime,remount,nodev,ro,defaults,bind,noexec,nosuid";
    let text = printed(&format!(
        "mkdir s t; mount -o bind,_netdev $PWD/s $PWD/t; flags $PWD/t; \
         mount --no-canonicalize -o {words} $PWD/s $PWD/t; flags $PWD/t"
    ));
    let (before, after) = text.split_once('\n').expect("two lines");
    assert!(before.starts_with("rw,relatime "), "{text}");
    let flags: Vec<&str> = after.split([' ', ',']).collect();
    for flag in ["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime"] {
        assert!(flags.contains(&flag), "{flag}: {text}");
    }
}

/// Only the host's root may keep a tmpfs out of swap, so that here the kernel may say no: the words reached it either way.
#[test]
fn a_memory_volume_asks_for_no_swap() {
    let text = printed(
        "mkdir a; if mount -t tmpfs -o size=65536,noswap tmpfs $PWD/a 2>err; then flags $PWD/a; else cat err; fi",
    );
    assert!(text.contains("noswap"), "{text}");
    assert!(text.contains("size=64k") || text.contains("size=65536,noswap"), "{text}");
}

#[test]
fn huge_pages_are_asked_for_by_size() {
    let output = run("mkdir a; mount -t hugetlbfs -o pagesize=2Mi nodev $PWD/a; flags $PWD/a >&2");
    let text = String::from_utf8(output.stderr).expect("text");
    assert!(text.contains("hugetlbfs") || text.contains("pagesize=2M"), "{text}");
    assert!(text.contains("pagesize=2M") || text.contains("not in this kernel"), "{text}");
}

#[test]
fn a_bind_with_flags_has_them_at_once() {
    let text = printed("mkdir s t; mount -o bind,ro $PWD/s $PWD/t; flags $PWD/t; ! touch t/f 2>/dev/null");
    assert!(text.starts_with("ro,"), "{text}");
}

/// kubelet's subPath: the descriptor stays what it was when the name is swapped for a link behind its back.
#[test]
fn a_sub_path_is_mounted_by_descriptor_not_by_name() {
    let text = printed(
        "mkdir s evil t; echo good > s/f; echo evil > evil/f; exec 9< s; mv s moved; ln -s evil s; \
         mount --no-canonicalize -o bind /proc/$$/fd/9 $PWD/t; \
         mount --no-canonicalize -o ro,bind,remount,relatime /proc/$$/fd/9 $PWD/t; cat t/f; flags $PWD/t",
    );
    assert!(text.starts_with("good\nro,"), "{text}");
}

#[test]
fn a_file_is_bound_over_a_file() {
    assert_eq!(printed("echo a > s; touch t; mount -o bind $PWD/s $PWD/t; cat t; umount $PWD/t; cat t"), "a\n");
}

/// kubelet looks for these two words at its start.
#[test]
fn what_is_not_mounted_is_said_so() {
    let output = run("mkdir a; umount $PWD/a");
    assert_eq!(output.status.code(), Some(32), "{output:?}");
    let text = String::from_utf8(output.stderr).expect("text");
    assert!(text.starts_with("umount: /") && text.ends_with("/work/a: not mounted.\n"), "{text}");
}

#[test]
fn a_busy_mount_stays_until_it_is_detached() {
    let text = printed(
        "mkdir a; mount -t tmpfs tmpfs $PWD/a; exec 9> a/f; if umount $PWD/a 2>err; then exit 1; else echo $?; fi; \
         grep -c 'target is busy' err; umount -l $PWD/a; flags $PWD/a",
    );
    assert_eq!(text, "32\n1\n");
}

/// NFS' teardown, after a deadline.
#[test]
fn a_forced_umount_is_one() {
    let text =
        printed("mkdir a; mount -t tmpfs tmpfs $PWD/a; umount -f $PWD/a; flags $PWD/a; umount -f $PWD/a 2>&1 || :");
    assert!(text.starts_with("umount: /") && text.ends_with("/work/a: not mounted.\n"), "{text}");
}

/// Without loop devices of its own the machine's must not be touched: what can be seen is what was asked, and of whom.
#[test]
fn loop_devices_are_asked_for_and_given_back_by_name() {
    let text = printed(
        "touch disk; mount -t tmpfs tmpfs /dev; \
         for words in '-f' \"-f $PWD/disk\" \"-f --show $PWD/disk\" \"-d $PWD/disk\"; do \
         if losetup $words 2>&1; then exit 1; else echo $?; fi; done",
    );
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 8, "{text}");
    for pair in lines[..6].chunks(2) {
        assert!(pair[0].starts_with("losetup: /dev/loop-control: ") && pair[1] == "32", "{text}");
    }
    assert!(lines[6].starts_with("losetup: /") && lines[6].contains("/work/disk: ") && lines[7] == "32", "{text}");
}

#[test]
fn the_kernels_no_names_the_target_and_the_reason() {
    let output = run("mkdir a; mount -t nosuchfs none $PWD/a");
    assert_eq!(output.status.code(), Some(32), "{output:?}");
    let text = String::from_utf8(output.stderr).expect("text");
    assert!(text.contains("/work/a: filesystem nosuchfs is not in this kernel."), "{text}");
}

#[test]
fn wrong_usage_is_status_1() {
    assert_eq!(run("mount --bogus").status.code(), Some(1));
    assert_eq!(run("umount").status.code(), Some(1));
    assert_eq!(run("losetup -a").status.code(), Some(1));
}
