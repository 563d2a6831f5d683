//! The whole path: healthy kubelet, running pod, by the firmware and directly.

use anyhow::Result;
use orlop_machine::{Event, Machine, ReportPort, within};

use crate::bench::{Bench, Built, HEALTHY, boot};

/// The phases in the order that the boot report promises.
pub const PHASES: [&str; 22] = [
    "initramfs",
    "manifest",
    "firmware",
    "modules",
    "disk",
    "verity",
    "root",
    "mounts",
    "ipe",
    "identity",
    "loopback",
    "sysctls",
    "cgroups",
    "state",
    "modules",
    "services",
    "containerd",
    "preload",
    "kubelet",
    "pods",
    "modules-closed",
    "ready",
];

/// Nobody reads the report's port, which holds nothing up.
#[test]
fn firmware_boot_is_healthy_with_every_phase_in_order() -> Result<()> {
    let bench = Bench::new(Built::Standalone)?;
    let machine = boot(&Machine { report: ReportPort::Unread, ..bench.firmware(bench.throw_away()) })?;
    machine.healthy_with_pod("hello")?;
    machine.ready()?;
    let (names, times) = phases(&machine.console());
    assert_eq!(names, PHASES[..PHASES.len() - 1]);
    assert!(times.is_sorted(), "{times:?}");
    assert!(machine.said("(development keys)"), "development keys are named on the console");
    for service in ["containerd", "kubelet"] {
        assert!(!machine.said(&format!("service={service} event=exited")), "{service} ended during a healthy boot");
    }
    Ok(())
}

#[test]
fn what_a_hypervisor_appends_is_reported_and_not_obeyed() -> Result<()> {
    let mut bench = Bench::new(Built::Standalone)?;
    bench.boot.command_line.push_str(" init=/evil rdinit=/nope");
    let machine = boot(&bench.machine(bench.throw_away()))?;
    machine.wait_line("orlop: cmdline: appended=init=/evil rdinit=/nope", within(HEALTHY))?;
    machine.phase("root", HEALTHY)
}

#[test]
fn a_command_line_that_differs_is_refused() -> Result<()> {
    let mut bench = Bench::new(Built::Standalone)?;
    bench.boot.command_line = bench.boot.command_line.replace(" lockdown=integrity", "");
    let machine = boot(&bench.machine(bench.throw_away()))?;
    machine.refused("cmdline")?;
    Ok(())
}

#[test]
fn the_report_port_tells_what_the_console_tells() -> Result<()> {
    let bench = Bench::new(Built::Standalone)?;
    let machine = boot(&bench.machine(bench.throw_away()))?;
    machine.healthy_with_pod("hello")?;
    let by_port = |wanted: &'static str| {
        move |event: &Event| match event {
            Event::Healthy { .. } => wanted == "healthy",
            Event::Pod { name, .. } => wanted == name,
            _ => false,
        }
    };
    for wanted in ["healthy", "hello"] {
        machine.wait_since(Default::default(), &format!("{wanted} by the port"), within(HEALTHY), |happening| {
            happening.port("orlop.report")?;
            happening.event().filter(|event| by_port(wanted)(event)).map(drop)
        })?;
    }
    Ok(())
}

fn phases(console: &[String]) -> (Vec<String>, Vec<u64>) {
    let events = console.iter().filter_map(|line| Event::of_console_line(line));
    events.filter_map(|event| if let Event::Phase { name, ms } = event { Some((name, ms)) } else { None }).unzip()
}
