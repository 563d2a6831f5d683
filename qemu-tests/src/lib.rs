//! A QEMU machine as a value: described, started, awaited by events, always with a deadline.
//!
//! ```no_run
//! use orlop_machine::{Event, Machine, within};
//!
//! # fn main() -> Result<(), orlop_machine::Error> {
//! let running = Machine::new("out/standalone/standalone.raw").start()?;
//! running.wait_event("kubelet healthy", within(120), |event| matches!(event, Event::Healthy { .. }))?;
//! running.power_key()?;
//! running.wait_exit(within(60))?;
//! # Ok(())
//! # }
//! ```
//!
//! | part | what it is |
//! |---|---|
//! | [`Machine`] | the value: image, firmware, disks, memory; nothing happens before [`Machine::start`] |
//! | [`Running`] | one QEMU process, killed when dropped; all that it says arrives in one [`feed::Feed`] |
//! | [`Event`] | a line of the boot report, from the console or from the `orlop.report` port |
//! | [`image::Image`] | the disk image read from outside: its partitions, and kernel and initramfs of its UKI |
//! | [`esp`] | the UKI, out of an EFI system partition that nobody trusts |
//! | `lab` | a network of its own with a control plane and the other servers that a node meets (feature `lab`) |
//! | [`writelog`] | QEMU's record of every write and flush, for power cuts at chosen points |

pub mod accelerator;
mod arguments;
mod error;
pub mod esp;
mod event;
pub mod feed;
pub mod firmware;
pub mod image;
#[cfg(feature = "lab")]
pub mod lab;
mod machine;
pub mod overlay;
mod port_forward;
pub mod program;
pub mod qmp;
mod running;
mod spawn;
pub mod turn;
mod until;
pub mod writelog;

use std::time::Duration;

pub use accelerator::Accelerator;
pub use error::{Error, Log};
pub use event::Event;
pub use machine::{Bus, Card, Disk, Firmware, Format, Machine, ReportPort};
pub use port_forward::PortForward;
pub use running::{Exit, Happening, Running};
pub use until::until;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A deadline of a test: `seconds`, times `ORLOP_TEST_SLOWDOWN` (default 1) for machines slower than
/// the ones that these numbers were chosen on.
#[must_use]
pub fn within(seconds: u64) -> Duration {
    let slowdown = std::env::var("ORLOP_TEST_SLOWDOWN").ok().and_then(|text| text.parse::<f64>().ok());
    let factor = slowdown.filter(|factor| factor.is_finite() && *factor > 0.0).unwrap_or(1.0);
    Duration::from_secs(seconds).mul_f64(factor)
}
