//! The machine as a value. Nothing happens before [`Machine::start`].

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::firmware::{Enrolled, Ovmf};
use crate::{Accelerator, PortForward, Result, Running, image::DirectBoot, program, spawn, within};

/// A machine: what it boots from, its disks, its size.
#[derive(Clone, Debug)]
pub struct Machine {
    /// How the kernel gets started.
    pub firmware: Firmware,
    /// The disks; the firmware starts from the first.
    pub disks: Vec<Disk>,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Virtual processors.
    pub cpus: u32,
    /// The other end of the virtio-serial port `orlop.report`.
    pub report: ReportPort,
    /// Names of virtio-serial ports beside it.
    pub ports: Vec<String>,
    /// Whether there is a network card (virtio), with QEMU's own network behind it that leads nowhere.
    pub network: bool,
    /// Whether there is such a card, and its network leads to where this host's leads.
    pub outward: bool,
    /// Ports of this host that lead to the machine's, by such a card.
    pub forwards: Vec<PortForward>,
    /// Network cards (virtio) in the lab's network.
    pub cards: Vec<Card>,
    /// Files that the guest finds by their name in QEMU's firmware configuration device.
    pub fw_cfg: Vec<(String, Vec<u8>)>,
    /// What its clock shows when it starts (`2020-01-01T00:00:00`, UTC); absent: the time.
    pub clock: Option<String>,
    /// Whether there is a watchdog device (`i6300esb`) that resets.
    pub watchdog: bool,
    /// Texts of SMBIOS' type 11, which a hypervisor gives its guests.
    pub smbios: Vec<String>,
    /// Where the console's log goes; absent: into the working folder, kept when the machine fails.
    pub serial_log: Option<PathBuf>,
    /// What runs it; absent: KVM if it works, else emulation.
    pub accelerator: Option<Accelerator>,
    /// Whether the console's lines are shown on standard error as they come.
    pub echo: bool,
    /// Whether a reset of the guest ends the machine (QEMU's `-no-reboot`).
    pub end_on_reset: bool,
}

/// How the kernel gets started.
#[derive(Clone, Debug)]
pub enum Firmware {
    /// UEFI firmware, which starts `\EFI\BOOT\BOOTX64.EFI` of the first disk.
    Ovmf,
    /// The same with Secure Boot and these keys, always under emulation: it needs System Management Mode, which few
    /// hosts can give to a guest.
    SecureBoot(Enrolled),
    /// QEMU puts kernel and initramfs into memory: no firmware, 4 s earlier under emulation.
    Direct(DirectBoot),
}

/// The other end of the port `orlop.report`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportPort {
    /// Its lines arrive as events.
    Read,
    /// The machine has the port, and nobody is there.
    Unread,
    /// The machine has no such port.
    Absent,
}

/// A network card: a tap device in a network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The tap device.
    pub tap: String,
    /// The card's hardware address.
    pub mac: String,
    /// The address that the lab's DHCP gives it.
    pub address: Ipv4Addr,
    /// The words before QEMU that start it in the namespace.
    pub enter: Vec<OsString>,
}

/// One disk.
#[derive(Clone, Debug)]
pub struct Disk {
    /// The file behind it.
    pub file: PathBuf,
    /// The file's format.
    pub format: Format,
    /// How it is attached.
    pub bus: Bus,
    /// Whether writes go into an overlay that ends with the machine.
    pub throw_away: bool,
    /// Size of the disk in bytes, if it is bigger than the file.
    pub size: Option<u64>,
    /// Where every write and flush is recorded (see [`crate::writelog`]).
    pub record: Option<PathBuf>,
}

/// Format of a disk's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The bytes themselves.
    Raw,
    /// An overlay.
    Qcow2,
}

/// How a disk is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    /// virtio-blk.
    Virtio,
    /// NVMe.
    Nvme,
    /// SCSI behind virtio-scsi.
    Scsi,
    /// A CD-ROM behind SATA: nothing can be written.
    Cdrom,
}

impl Machine {
    /// A machine of two processors and 1 GiB that boots `image` by its firmware and throws away what it writes.
    #[must_use]
    pub fn new(image: impl AsRef<Path>) -> Machine {
        Machine::with_disk(Disk::image(image))
    }

    /// The same with this disk.
    #[must_use]
    pub fn with_disk(disk: Disk) -> Machine {
        Machine {
            firmware: Firmware::Ovmf,
            disks: vec![disk],
            memory_mib: 1024,
            cpus: 2,
            report: ReportPort::Read,
            ports: Vec::new(),
            network: false,
            outward: false,
            forwards: Vec::new(),
            cards: Vec::new(),
            fw_cfg: Vec::new(),
            clock: None,
            watchdog: false,
            smbios: Vec::new(),
            serial_log: None,
            accelerator: None,
            echo: false,
            end_on_reset: true,
        }
    }

    /// Boots this kernel and initramfs instead of the firmware.
    #[must_use]
    pub fn direct(self, boot: DirectBoot) -> Machine {
        Machine { firmware: Firmware::Direct(boot), ..self }
    }

    /// Boots by a firmware with Secure Boot and these keys.
    #[must_use]
    pub fn secure_boot(self, keys: Enrolled) -> Machine {
        Machine { firmware: Firmware::SecureBoot(keys), ..self }
    }

    /// Has the hypervisor append this to the kernel's command line, as far as the UKI's stub lets it.
    #[must_use]
    pub fn appended(mut self, words: &str) -> Machine {
        self.smbios.push(format!("io.systemd.stub.kernel-cmdline-extra={words}"));
        self
    }

    /// Attaches one more disk.
    #[must_use]
    pub fn disk(mut self, disk: Disk) -> Machine {
        self.disks.push(disk);
        self
    }

    /// Adds a virtio-serial port; its lines arrive as [`crate::Happening::Port`].
    #[must_use]
    pub fn port(mut self, name: &str) -> Machine {
        self.ports.push(name.into());
        self
    }

    /// Adds a network card in the lab's network.
    #[must_use]
    pub fn card(mut self, card: Card) -> Machine {
        self.cards.push(card);
        self
    }

    /// Gives the machine its node config by QEMU's firmware configuration device, as `opt/orlop/config`.
    #[must_use]
    pub fn node_config(mut self, document: &str) -> Machine {
        self.fw_cfg.push(("opt/orlop/config".into(), document.into()));
        self
    }

    /// Sends the console's log to `file`.
    #[must_use]
    pub fn serial_log(self, file: impl Into<PathBuf>) -> Machine {
        Machine { serial_log: Some(file.into()), ..self }
    }

    /// Looks for what the machine needs of the host: QEMU, and firmware if it starts by that.
    pub fn find_host(&self) -> Result<()> {
        program::find(program::QEMU)?;
        match self.firmware {
            Firmware::Ovmf => Ovmf::find().map(drop),
            Firmware::SecureBoot(_) => Ovmf::find_secure().map(drop),
            Firmware::Direct(_) => Ok(()),
        }
    }

    /// Starts QEMU. It dies with the thread that calls this, at the latest.
    pub fn start(&self) -> Result<Running> {
        spawn::start(self)
    }

    /// Starts QEMU, and waits until the image's init runs. A boot that the emulator broke before that is tried again.
    pub fn start_to_init(&self) -> Result<Running> {
        for _ in 0..2 {
            let running = self.start()?;
            match running.wait_phase("initramfs", within(150)) {
                Err(error) if error.is_emulators() => {}
                _ => return Ok(running),
            }
        }
        self.start()
    }
}

impl Disk {
    /// A raw image that stays as it is: writes are thrown away.
    #[must_use]
    pub fn image(file: impl AsRef<Path>) -> Disk {
        Disk { throw_away: true, ..Disk::kept(file, Format::Raw) }
    }

    /// A file that keeps what is written.
    #[must_use]
    pub fn kept(file: impl AsRef<Path>, format: Format) -> Disk {
        let file = file.as_ref().to_owned();
        Disk { file, format, bus: Bus::Virtio, throw_away: false, size: None, record: None }
    }

    /// Attaches it otherwise than by virtio-blk.
    #[must_use]
    pub fn bus(self, bus: Bus) -> Disk {
        Disk { bus, ..self }
    }

    /// Makes the disk bigger than its file; only for one that is thrown away (see [`crate::overlay`] else).
    #[must_use]
    pub fn size(self, bytes: u64) -> Disk {
        Disk { size: Some(bytes), ..self }
    }

    /// Records every write and flush into `log`.
    #[must_use]
    pub fn recorded(self, log: impl Into<PathBuf>) -> Disk {
        Disk { record: Some(log.into()), ..self }
    }
}
