//! QEMU's arguments for a machine: a pure function of the value and of where its files lie.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::firmware::Ovmf;
use crate::{Accelerator, Bus, Card, Disk, Error, Firmware, Format, Machine, ReportPort, Result};

/// Where the files of one running machine lie, and what runs it.
pub(crate) struct Layout {
    /// Working folder.
    pub folder: PathBuf,
    /// The file behind each disk (its overlay, if it has one).
    pub disks: Vec<(PathBuf, Format)>,
    /// The file behind each entry of the firmware configuration device.
    pub fw_cfg: Vec<PathBuf>,
    /// Firmware code and own variables.
    pub firmware: Option<Ovmf>,
    /// What runs the guest.
    pub accelerator: Accelerator,
}

/// The channels that every machine has: name of the chardev and of its socket.
pub(crate) const CONSOLE: &str = "console";
pub(crate) const CONTROL: &str = "control";

/// The name of the boot report's port.
const REPORT: &str = "orlop.report";

/// The virtio-serial ports of a machine that are read, with the name of each one's chardev.
pub(crate) fn ports(machine: &Machine) -> Vec<(String, String)> {
    let report = (machine.report == ReportPort::Read).then_some(REPORT);
    let names = report.into_iter().chain(machine.ports.iter().map(String::as_str));
    names.enumerate().map(|(number, name)| (format!("port{number}"), name.to_owned())).collect()
}

pub(crate) fn socket(folder: &Path, channel: &str) -> PathBuf {
    folder.join(format!("{channel}.sock"))
}

/// All arguments.
pub(crate) fn arguments(machine: &Machine, layout: &Layout) -> Result<Vec<OsString>> {
    let mut all = Arguments(Vec::new());
    all.add("-nodefaults", "").add("-no-user-config", "").add("-display", "none");
    all.add("-nic", &own_network(machine));
    for (number, card) in machine.cards.iter().enumerate() {
        let Card { tap, mac, .. } = card;
        all.add("-netdev", &format!("tap,id=net{number},ifname={tap},script=no,downscript=no"));
        all.json("-device", &json!({ "driver": "virtio-net-pci", "netdev": format!("net{number}"), "mac": mac }));
    }
    for ((name, _), file) in machine.fw_cfg.iter().zip(&layout.fw_cfg) {
        let (name, file) = (name.replace(',', ",,"), text(file)?.replace(',', ",,"));
        all.add("-fw_cfg", &format!("name={name},file={file}"));
    }
    all.add("-accel", layout.accelerator.argument()).add("-cpu", "max");
    all.add("-smp", &machine.cpus.to_string()).add("-m", &machine.memory_mib.to_string());
    if machine.end_on_reset {
        all.add("-no-reboot", "");
    }
    start(&mut all, machine, layout)?;
    for (number, (disk, file)) in machine.disks.iter().zip(&layout.disks).enumerate() {
        attach(&mut all, number, disk, file)?;
    }
    channels(&mut all, machine, layout)?;
    for text in &machine.smbios {
        all.add("-smbios", &format!("type=11,value={}", text.replace(',', ",,")));
    }
    if let Some(clock) = &machine.clock {
        all.add("-rtc", &format!("base={clock}"));
    }
    if machine.watchdog {
        all.add("-device", "i6300esb").add("-action", "watchdog=reset");
    }
    Ok(all.0)
}

/// QEMU's own network: a machine that is forwarded to needs it, and nothing leaves by it unless that is asked for.
fn own_network(machine: &Machine) -> String {
    if !machine.network && !machine.outward && machine.forwards.is_empty() {
        return "none".into();
    }
    let restrict = if machine.outward { "off" } else { "on" };
    let forwards = machine.forwards.iter().map(|forward| format!(",{}", forward.argument()));
    format!("user,model=virtio-net-pci,restrict={restrict}{}", forwards.collect::<String>())
}

struct Arguments(Vec<OsString>);

impl Arguments {
    fn add(&mut self, name: &str, value: &str) -> &mut Self {
        self.0.push(name.into());
        if !value.is_empty() {
            self.0.push(value.into());
        }
        self
    }

    fn json(&mut self, name: &str, value: &Value) -> &mut Self {
        self.add(name, &value.to_string())
    }
}

fn start(all: &mut Arguments, machine: &Machine, layout: &Layout) -> Result<()> {
    match (&machine.firmware, &layout.firmware) {
        (Firmware::Direct(boot), _) => {
            all.add("-machine", "q35");
            all.add("-kernel", text(&boot.kernel)?).add("-initrd", text(&boot.initramfs)?);
            all.add("-append", &boot.command_line);
        }
        (Firmware::Ovmf | Firmware::SecureBoot(_), Some(ovmf)) => {
            all.json("-blockdev", &flash("code", &ovmf.code, true)?);
            all.json("-blockdev", &flash("variables", &ovmf.variables, false)?);
            let secure = matches!(machine.firmware, Firmware::SecureBoot(_));
            all.add(
                "-machine",
                &format!("q35,pflash0=code,pflash1=variables,smm={}", if secure { "on" } else { "auto" }),
            );
            if secure {
                // Only code in System Management Mode writes the variables; its own state must not lie in memory that a
                // sleeping machine's owner can change.
                all.add("-global", "driver=cfi.pflash01,property=secure,value=on");
                all.add("-global", "ICH9-LPC.disable_s3=1");
            }
        }
        (Firmware::Ovmf | Firmware::SecureBoot(_), None) => {
            return Err(Error::Machine("the layout has no firmware".into()));
        }
    }
    Ok(())
}

fn flash(node: &str, file: &Path, read_only: bool) -> Result<Value> {
    let file = json!({ "driver": "file", "filename": text(file)? });
    Ok(json!({ "driver": "raw", "node-name": node, "read-only": read_only, "file": file }))
}

fn attach(all: &mut Arguments, number: usize, disk: &Disk, (file, format): &(PathBuf, Format)) -> Result<()> {
    let node = format!("disk{number}");
    let mut below = json!({
        "driver": match format { Format::Raw => "raw", Format::Qcow2 => "qcow2" },
        "discard": "unmap",
        // The host's own flushes only matter to files that outlive a crash of the host.
        "cache": { "no-flush": disk.throw_away },
        "file": { "driver": "file", "filename": text(file)? },
    });
    if let Some(log) = &disk.record {
        let log = json!({ "driver": "file", "filename": text(log)? });
        below = json!({ "driver": "blklogwrites", "file": below, "log": log });
    }
    below["node-name"] = json!(node);
    all.json("-blockdev", &below);
    let device = match disk.bus {
        Bus::Virtio => json!({ "driver": "virtio-blk-pci" }),
        Bus::Nvme => json!({ "driver": "nvme", "serial": node }),
        Bus::Scsi => {
            all.add("-device", &format!("virtio-scsi-pci,id=scsi{number}"));
            json!({ "driver": "scsi-hd", "bus": format!("scsi{number}.0") })
        }
        // q35 has a SATA controller of its own.
        Bus::Cdrom => json!({ "driver": "ide-cd" }),
    };
    let Value::Object(mut device) = device else { unreachable!("each arm is an object") };
    device.insert("drive".into(), json!(node));
    // 0 is what QEMU gives a kernel that it starts itself.
    device.insert("bootindex".into(), json!(number + 1));
    all.json("-device", &Value::Object(device));
    Ok(())
}

fn channels(all: &mut Arguments, machine: &Machine, layout: &Layout) -> Result<()> {
    let mut channel = |name: &str| -> Result<()> {
        let path = socket(&layout.folder, name);
        // A comma ends a value for QEMU, two of them stand for one.
        let path = text(&path)?.replace(',', ",,");
        all.add("-chardev", &format!("socket,id={name},path={path}"));
        Ok(())
    };
    channel(CONSOLE)?;
    let ports = ports(machine);
    ports.iter().try_for_each(|(chardev, _)| channel(chardev))?;
    // Last: its greeting means that the others are connected.
    channel(CONTROL)?;
    all.add("-serial", &format!("chardev:{CONSOLE}"));
    all.add("-device", "virtio-serial-pci");
    for (chardev, name) in &ports {
        all.json("-device", &json!({ "driver": "virtserialport", "chardev": chardev, "name": name }));
    }
    if machine.report == ReportPort::Unread {
        // A socket that waits for somebody: the port's other end is closed.
        let path = text(&socket(&layout.folder, "unread"))?.replace(',', ",,");
        all.add("-chardev", &format!("socket,id=unread,path={path},server=on,wait=off"));
        all.json("-device", &json!({ "driver": "virtserialport", "chardev": "unread", "name": REPORT }));
    }
    all.add("-mon", &format!("chardev={CONTROL},mode=control"));
    Ok(())
}

fn text(path: &Path) -> Result<&str> {
    let error = || Error::Machine(format!("the path {} is not UTF-8, which QEMU's JSON needs", path.display()));
    path.to_str().ok_or_else(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::DirectBoot;

    fn layout(machine: &Machine) -> Layout {
        Layout {
            folder: "/f,older".into(),
            disks: machine.disks.iter().map(|_| ("overlay".into(), Format::Qcow2)).collect(),
            fw_cfg: machine.fw_cfg.iter().map(|_| "config,1".into()).collect(),
            firmware: Some(Ovmf { code: "code.fd".into(), variables: "variables.fd".into() }),
            accelerator: Accelerator::Tcg { because: "test".into() },
        }
    }

    fn line(machine: &Machine) -> String {
        let all = arguments(machine, &layout(machine)).unwrap();
        all.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_machine_has_no_network_and_no_default_device() {
        let line = line(&Machine::new("image.raw"));
        assert!(line.starts_with("-nodefaults -no-user-config -display none -nic none"), "{line}");
        assert!(line.contains("pflash0=code") && !line.contains("-kernel"), "{line}");
    }

    #[test]
    fn the_report_port_may_be_unread_or_absent_and_a_network_leads_nowhere() {
        let mut machine = Machine { report: ReportPort::Unread, network: true, ..Machine::new("image.raw") };
        let unread = line(&machine);
        assert!(unread.contains("server=on,wait=off") && unread.contains(r#""name":"orlop.report""#), "{unread}");
        assert!(unread.contains("restrict=on"), "{unread}");
        assert!(ports(&machine).is_empty());
        machine.report = ReportPort::Absent;
        assert!(!line(&machine).contains("orlop.report"));
    }

    #[test]
    fn forwards_make_a_network_that_leads_nowhere_else() {
        let forwards = vec!["8080:10250".parse().unwrap(), "0.0.0.0:81:80".parse().unwrap()];
        let mut machine = Machine { forwards, ..Machine::new("image.raw") };
        let nic =
            "-nic user,model=virtio-net-pci,restrict=on,hostfwd=tcp:127.0.0.1:8080-:10250,hostfwd=tcp:0.0.0.0:81-:80 ";
        assert!(line(&machine).contains(nic), "{}", line(&machine));
        machine.outward = true;
        assert!(line(&machine).contains("restrict=off,hostfwd="), "{}", line(&machine));
    }

    #[test]
    fn a_card_of_the_lab_is_a_tap_device_and_its_config_a_file() {
        let address = std::net::Ipv4Addr::new(192, 0, 2, 11);
        let card = Card { tap: "tap1".into(), mac: "52:54:00:12:34:01".into(), address, enter: Vec::new() };
        let line = line(&Machine::new("image.raw").card(card).node_config("version = 1"));
        assert!(line.contains("-netdev tap,id=net0,ifname=tap1,script=no,downscript=no"), "{line}");
        assert!(line.contains(r#""mac":"52:54:00:12:34:01""#), "{line}");
        assert!(line.contains("-fw_cfg name=opt/orlop/config,file=config,,1"), "{line}");
        assert!(!line.contains("version = 1"), "what may be secret is in no argument: {line}");
    }

    #[test]
    fn a_clock_may_be_wrong() {
        let machine = Machine { clock: Some("2020-01-01T00:00:00".into()), ..Machine::new("image.raw") };
        assert!(line(&machine).contains("-rtc base=2020-01-01T00:00:00"));
        assert!(!line(&Machine::new("image.raw")).contains("-rtc"));
    }

    #[test]
    fn a_command_line_reaches_qemu_as_it_is() {
        let command_line = "console=ttyS0 x=\"a,b\" --".to_owned();
        let boot = DirectBoot { kernel: "k".into(), initramfs: "i".into(), command_line: command_line.clone() };
        let machine = Machine::new("image.raw").direct(boot);
        let all = arguments(&machine, &layout(&machine)).unwrap();
        assert!(all.contains(&OsString::from(command_line)));
    }

    #[test]
    fn each_bus_has_its_device_and_a_recorded_disk_its_log() {
        let nvme = Disk::image("a").bus(Bus::Nvme);
        let scsi = Disk::image("b").bus(Bus::Scsi).recorded("log");
        let cdrom = Disk::image("c").bus(Bus::Cdrom);
        let line = line(&Machine::with_disk(nvme).disk(scsi).disk(cdrom));
        assert!(line.contains(r#""driver":"nvme""#) && line.contains(r#""bus":"scsi1.0""#), "{line}");
        assert!(line.contains(r#""driver":"ide-cd""#), "{line}");
        assert!(line.contains(r#""driver":"blklogwrites""#), "{line}");
    }

    #[test]
    fn the_control_channel_is_connected_last_and_commas_are_doubled() {
        let line = line(&Machine::new("image.raw").port("orlop.probe"));
        let at = |text: &str| line.find(text).unwrap_or_else(|| panic!("{text} in {line}"));
        assert!(at("id=control") > at("id=port1") && at("id=port1") > at("id=console"));
        assert!(line.contains("path=/f,,older/console.sock"), "{line}");
        assert!(line.contains(r#""name":"orlop.probe""#), "{line}");
    }
}
