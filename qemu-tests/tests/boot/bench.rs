//! What every boot test stands on: the built images, a place for its files, a turn for its machine.

use std::cell::Cell;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use orlop_machine::feed::Mark;
use orlop_machine::image::{DirectBoot, Image};
use orlop_machine::turn::{self, Turn};
use orlop_machine::{Disk, Error, Event, Format, Machine, Running, overlay, program, within};
use tempfile::TempDir;

/// Seconds until a node must be healthy under emulation, with another machine beside it. Twice what two slow
/// cores need: a deadline is for what hangs, not for what is slow.
pub const HEALTHY: u64 = 150;
/// Seconds until the state partition is there.
pub const STATE: u64 = 60;

/// One of the images that the tests boot.
#[derive(Clone, Copy, Debug)]
pub enum Built {
    /// The shipped one: `images/standalone.toml`.
    Standalone,
    /// With a pod that looks around: `qemu-tests/images/probe.toml`.
    Probe,
    /// With `state.on_damage = "wipe"`: `qemu-tests/images/wipe.toml`.
    Wipe,
    /// Signed by the next keys, with Secure Boot required: `qemu-tests/images/rotated.toml`.
    Rotated,
    /// With pods that do what ordinary programs do: `qemu-tests/images/workloads.toml`.
    Workloads,
}

impl Built {
    /// The folder of `out` that it is built into.
    fn folder(self) -> &'static str {
        match self {
            Built::Standalone => "standalone",
            Built::Probe => "probe",
            Built::Wipe => "wipe",
            Built::Rotated => "rotated",
            Built::Workloads => "workloads",
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Built::Standalone => "ORLOP_TEST_IMAGE",
            Built::Probe => "ORLOP_TEST_PROBE_IMAGE",
            Built::Wipe => "ORLOP_TEST_WIPE_IMAGE",
            Built::Rotated => "ORLOP_TEST_ROTATED_IMAGE",
            Built::Workloads => "ORLOP_TEST_WORKLOADS_IMAGE",
        }
    }

    fn definition(self) -> String {
        match self {
            Built::Standalone => "images/standalone.toml".into(),
            other => format!("qemu-tests/images/{}.toml", other.folder()),
        }
    }

    /// Where it is. A missing image is a failure that says how to make it.
    pub fn path(self) -> Result<PathBuf> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the crate lies in a workspace")?;
        let default = workspace.join(format!("out/{}/standalone.raw", self.folder()));
        let path = std::env::var_os(self.variable()).map_or(default, PathBuf::from);
        let (definition, folder) = (self.definition(), self.folder());
        let keys = if matches!(self, Built::Rotated) { "out/next-keys" } else { "out/keys" };
        let command = format!("target/debug/orlop build {definition} --keys {keys} --out out/{folder}");
        ensure!(
            path.is_file(),
            "{} is missing: make it by `make test-images` (or `{command}`), or set {}",
            path.display(),
            self.variable()
        );
        Ok(path)
    }
}

/// A test's image, files and turn.
pub struct Bench {
    /// The image, as it was built.
    pub image: PathBuf,
    /// Its kernel, initramfs and command line.
    pub boot: DirectBoot,
    folder: TempDir,
    _turn: Turn,
}

impl Bench {
    /// Waits for a turn.
    pub fn new(built: Built) -> Result<Bench> {
        let image = built.path()?;
        let folder = tempfile::tempdir()?;
        let boot = Image::open(&image)?.direct_boot(folder.path())?;
        Ok(Bench { image, boot, folder, _turn: turn::take()? })
    }

    /// A file of this test's own.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The machine that boots directly from this disk.
    pub fn machine(&self, disk: Disk) -> Machine {
        self.firmware(disk).direct(self.boot.clone())
    }

    /// The machine that boots from this disk by its firmware.
    pub fn firmware(&self, disk: Disk) -> Machine {
        let mut machine = Machine::with_disk(disk).serial_log(next_log());
        machine.cpus = turn::processors();
        machine.echo = std::env::var_os("ORLOP_TEST_CONSOLE").is_some();
        machine
    }

    /// The image, whose writes end with the machine.
    pub fn throw_away(&self) -> Disk {
        Disk::image(&self.image)
    }

    /// A disk that keeps what is written to it from boot to boot.
    pub fn kept(&self, name: &str, size: Option<u64>) -> Result<Disk> {
        let file = self.file(name);
        overlay::create(&self.image, &file, size)?;
        Ok(Disk::kept(file, Format::Qcow2))
    }

    /// A raw copy of the image to damage, with its holes.
    pub fn copy(&self, name: &str) -> Result<PathBuf> {
        let file = self.file(name);
        copy(&self.image, &file)?;
        Ok(file)
    }

    /// What a kept disk holds now, as a raw file.
    pub fn flatten(&self, disk: &Disk, name: &str) -> Result<PathBuf> {
        let file = self.file(name);
        overlay::flatten(&disk.file, &file)?;
        Ok(file)
    }
}

/// Copies a sparse file sparsely.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let words = ["--sparse=always", "--reflink=auto"].map(std::ffi::OsStr::new);
    Ok(program::run(("cp", "coreutils"), &[&words[..], &[from.as_os_str(), to.as_os_str()]].concat())?)
}

/// Where the console of the test's next machine is kept: `target/tmp/boot/TEST.N.log`.
fn next_log() -> PathBuf {
    thread_local!(static COUNT: Cell<u32> = const { Cell::new(0) });
    let number = COUNT.replace(COUNT.get() + 1) + 1;
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("test").replace("::", ".");
    left(&format!("{test}.{number}.log"))
}

/// A file that stays when the tests have ended: `target/tmp/boot/NAME`.
pub fn left(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("boot");
    std::fs::create_dir_all(&folder).expect("the target folder is writable");
    folder.join(name)
}

/// A machine that was started, with the events that tests await most.
pub struct Booted(Running);

impl Deref for Booted {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.0
    }
}

/// Starts a machine, and waits until its init speaks.
///
/// A boot that the emulator broke has tested nothing and written nothing, so the machine is started again; whatever else
/// goes wrong is the test's to find.
pub fn boot(machine: &Machine) -> Result<Booted> {
    Ok(Booted(machine.start_to_init()?))
}

impl Booted {
    /// Waits for the end of a phase of the boot.
    pub fn phase(&self, wanted: &str, seconds: u64) -> Result<()> {
        Ok(self.wait_phase(wanted, within(seconds))?)
    }

    /// Waits until kubelet is healthy and this pod runs.
    pub fn healthy_with_pod(&self, pod: &str) -> Result<()> {
        self.wait_event("healthy kubelet", within(HEALTHY), |event| matches!(event, Event::Healthy { .. }))?;
        let runs = |event: &Event| matches!(event, Event::Pod { name, state, .. } if name == pod && state == "running");
        self.wait_event(&format!("running pod {pod}"), within(HEALTHY), runs)?;
        Ok(())
    }

    /// Waits for a refusal and asserts its stage; the reason.
    pub fn refused(&self, wanted: &str) -> Result<String> {
        let awaited = format!("refusal at stage {wanted}");
        let refused = self.wait_since(Mark::default(), &awaited, within(STATE), |happening| match happening.event() {
            Some(Event::Refused { stage, reason }) => Some((stage.clone(), reason.clone())),
            _ => None,
        });
        let (stage, reason) = refused?;
        assert_eq!(stage, wanted, "{reason}");
        Ok(reason)
    }

    /// Waits for the kernel's panic; all lines of the console until then.
    pub fn panicked(&self) -> Result<Vec<String>> {
        match self.wait_line("no line has this", within(HEALTHY)) {
            Err(Error::Panic { .. }) => Ok(self.console()),
            Err(other) => Err(other.into()),
            Ok(line) => anyhow::bail!("matched {line}"),
        }
    }

    /// All lines of the console so far.
    pub fn console(&self) -> Vec<String> {
        self.feed().collect(Mark::default(), |happening| happening.console().map(str::to_owned))
    }

    /// Whether a line of the console has this.
    pub fn said(&self, text: &str) -> bool {
        self.console().iter().any(|line| line.contains(text))
    }

    /// Presses the power key and waits for the end of the machine.
    pub fn power_off(&self) -> Result<()> {
        self.power_key()?;
        self.stops_with("guest-shutdown")
    }

    /// Waits for the end of an orderly shutdown, and of the machine for this reason.
    pub fn stops_with(&self, reason: &str) -> Result<()> {
        self.wait_event("power off", within(HEALTHY), |event| matches!(event, Event::Poweroff))?;
        self.ends_with(reason)
    }

    /// Waits for the end of the machine, and asserts QEMU's word for its reason.
    pub fn ends_with(&self, reason: &str) -> Result<()> {
        assert_eq!(self.wait_exit(within(90))?.reason, reason);
        Ok(())
    }

    /// Waits until the boot is over.
    pub fn ready(&self) -> Result<()> {
        self.wait_event("ready", within(HEALTHY), |event| matches!(event, Event::Ready { .. }))?;
        Ok(())
    }

    /// Ends the machine without asking the node: what it wrote is in the disk's file.
    pub fn quit(&self) -> Result<()> {
        self.qmp("quit", serde_json::json!({}))?;
        self.wait_exit(within(30))?;
        Ok(())
    }
}

/// Asks `debugfs` about the state filesystem of a raw disk: `command` as its manual has it.
pub fn debugfs(disk: &Path, command: &str) -> Result<String> {
    let offset = Image::open(disk)?.partition("state")?.offset;
    e2fsprogs("debugfs", &["-R", command], &format!("{}?offset={offset}", disk.display()))
}

/// The same about a filesystem in a file of its own.
pub fn debugfs_read(filesystem: &Path, command: &str) -> Result<String> {
    e2fsprogs("debugfs", &["-R", command], &filesystem.display().to_string())
}

/// Replays the journal of a filesystem in a file of its own, as the next mount would, and checks it.
pub fn fsck(filesystem: &Path) -> Result<()> {
    e2fsprogs("e2fsck", &["-f", "-p"], &filesystem.display().to_string()).map(drop)
}

/// Changes a filesystem in a file of its own.
pub fn debugfs_write(filesystem: &Path, command: &str) -> Result<()> {
    e2fsprogs("debugfs", &["-w", "-R", command], &filesystem.display().to_string()).map(drop)
}

fn e2fsprogs(program: &str, arguments: &[&str], filesystem: &str) -> Result<String> {
    let path =
        ["/usr/sbin", "/sbin"].map(|folder| Path::new(folder).join(program)).into_iter().find(|path| path.is_file());
    let missing =
        || format!("{program} is not installed; `make witnesses` installs it (Debian: apt install e2fsprogs)");
    let output = Command::new(path.with_context(missing)?).args(arguments).arg(filesystem).output()?;
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // debugfs exits with 0 whatever happens, and begins with its version; e2fsck exits with 1 when it mended something.
    let complaint: Vec<&str> = error.lines().filter(|line| !line.starts_with(&format!("{program} 1."))).collect();
    let done = matches!(output.status.code(), Some(0 | 1));
    ensure!(done && complaint.is_empty(), "{program} {arguments:?}: {} {complaint:?} {out}", output.status);
    Ok(out.into_owned())
}

/// Copies a partition of a raw disk into a file of its own.
pub fn take_partition(disk: &Path, name: &str, file: &Path) -> Result<()> {
    let partition = Image::open(disk)?.partition(name)?.clone();
    let mut from = open(disk)?;
    from.seek(SeekFrom::Start(partition.offset))?;
    std::io::copy(&mut from.take(partition.length), &mut File::create(file)?)?;
    Ok(())
}

/// Copies it back.
pub fn put_partition(disk: &Path, name: &str, file: &Path) -> Result<()> {
    let partition = Image::open(disk)?.partition(name)?.clone();
    let mut to = open(disk)?;
    to.seek(SeekFrom::Start(partition.offset))?;
    std::io::copy(&mut File::open(file)?.take(partition.length), &mut to)?;
    Ok(())
}

/// Opens a raw disk to read and write.
pub fn open(disk: &Path) -> Result<File> {
    File::options().read(true).write(true).open(disk).with_context(|| disk.display().to_string())
}
