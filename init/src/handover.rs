//! What the initramfs tells the verified root: a file on the `/run` that both share.

use orlop_chain::trust::Rung;
use orlop_config::manifest::Refusal;
use serde::{Deserialize, Serialize};

/// Where it lies.
pub const PATH: &str = "/run/orlop/early.json";

/// Facts that were verified before the root was, and what was said so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// Image name.
    pub image: String,
    /// Image version.
    pub image_version: String,
    /// Sensitivity class.
    pub class: String,
    /// Whether development keys signed it.
    pub development: bool,
    /// What a refusal does.
    pub refusal: Refusal,
    /// Root hash, hex.
    pub root_hash: String,
    /// How far the chain reaches: IPE comes in the root.
    pub rung: Rung,
    /// Kernel name of the disk that carries the root, such as `vda`.
    pub disk: String,
    /// What was appended to the kernel's command line after its ` --`.
    pub appended: Option<String>,
    /// Phases with their milliseconds.
    pub phases: Vec<(String, u64)>,
    /// Notes: what about, and what.
    pub notes: Vec<(String, String)>,
}
