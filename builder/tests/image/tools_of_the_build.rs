//! The tools whose output lands in the image run with what was locked, and with nothing of the machine.

use std::process::Command;

use orlop::sources::{Tool, tools};

use crate::tools::says;
use crate::witnesses::locked;

/// What the loader would load for a program, with the arguments that the build gives it.
fn loaded(tool: &Tool, program: &str) -> Vec<String> {
    let command = tool.command(program);
    let mut list = Command::new(command.get_program());
    list.arg("--list").args(command.get_args());
    let text = says(&mut list);
    // `libz.so.1 => /path/of/libz.so.1 (0x…)`; the kernel's own page has no path.
    let path = |line: &str| {
        let line = line.trim();
        let line = line.split_once("=> ").map_or(line, |(_, path)| path);
        line.split(" (").next().unwrap_or(line).to_owned()
    };
    text.lines().filter(|line| !line.contains("linux-vdso.so")).map(path).collect()
}

#[test]
fn a_locked_tool_loads_nothing_of_the_host() {
    let tools = locked(|bench, inputs| tools(bench, &inputs.lockfile).unwrap());
    let programs = [
        (&tools.erofs, "mkfs.erofs", "libz.so"),
        (&tools.erofs, "fsck.erofs", "libdeflate.so"),
        (&tools.ext4, "mke2fs", "libext2fs.so"),
    ];
    for (tool, program, one) in programs {
        let loaded = loaded(tool, program);
        let root = tool.root().display().to_string();
        let of_the_host: Vec<&String> = loaded.iter().filter(|path| !path.starts_with(&root)).collect();
        assert!(of_the_host.is_empty(), "{program} loads {of_the_host:?}");
        assert!(loaded.iter().any(|path| path.contains(one)), "{program}: {loaded:?}");
    }
}
