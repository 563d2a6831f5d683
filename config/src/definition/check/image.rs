//! What the image is called, and how big it may be.

use super::super::values::{is_name, is_release, is_version};
use super::super::{Definition, LEAST_STATE_MIB};
use super::{NAME_RULE, Report, VERSION_RULE};

/// The smallest FAT32 that every firmware takes has 65,525 clusters; below this our clusters would be too few.
const LEAST_ESP_MIB: u64 = 64;
/// 16 TiB: what is above is a slip of the hand.
const MOST_MIB: u64 = 16 << 20;

pub(super) fn check_identity(definition: &Definition, report: &mut Report) {
    let Definition { name, version, class, kubernetes, .. } = definition;
    report.expect(is_name(name), &["name"], format!("`{name}` is not an image name"), NAME_RULE);
    report.expect(is_version(version), &["version"], format!("`{version}` is not a version"), VERSION_RULE);
    report.expect(is_name(class), &["class"], format!("`{class}` is not a class"), NAME_RULE);
    let next = "write a minor version such as \"1.37\", for its newest patch release, or a release such as \"1.37.2\"";
    let message = format!("`{kubernetes}` is not a version of Kubernetes");
    report.expect(is_release(kubernetes), &["kubernetes"], message, next);
}

pub(super) fn check_sizes(definition: &Definition, report: &mut Report) {
    let partitions = &definition.partitions;
    let sizes = [
        ("esp_mib", Some(partitions.esp_mib), LEAST_ESP_MIB),
        ("root_mib", partitions.root_mib, 1),
        ("state_mib", Some(partitions.state_mib), LEAST_STATE_MIB),
    ];
    for (key, size, least) in sizes {
        let size = size.unwrap_or(least);
        let message = match least.checked_sub(size) {
            Some(missing) if missing > 0 => format!("{size} MiB is too small, by {missing} MiB"),
            _ => format!("{size} MiB is too large"),
        };
        let next = format!("it takes {least} to {MOST_MIB} MiB");
        report.expect((least..=MOST_MIB).contains(&size), &["partitions", key], message, &next);
    }
    let budgets = &definition.budgets;
    let limits = [
        ("root_bytes", Some(budgets.root_bytes)),
        ("files", Some(budgets.files)),
        ("executables", Some(budgets.executables)),
        ("uki_bytes", budgets.uki_bytes),
        ("init_bytes", budgets.init_bytes),
        ("init_lines", budgets.init_lines),
    ];
    for (key, limit) in limits {
        let message = "a budget of 0 fits no image".to_string();
        report.expect(limit != Some(0), &["budgets", key], message, "name the most that may be built");
    }
    check_erofs(definition, report);
}

fn check_erofs(definition: &Definition, report: &mut Report) {
    let cluster = definition.erofs.cluster_kib;
    let good = cluster.is_power_of_two() && (4..=1024).contains(&cluster);
    let message = format!("{cluster} KiB is no cluster size");
    report.expect(good, &["erofs", "cluster_kib"], message, "it takes a power of two from 4 to 1024");
    let compression = &definition.erofs.compression;
    let (algorithm, level) = compression.split_once(',').unwrap_or((compression, "0"));
    // The kernel reads lzma and deflate too, but nobody has measured them here.
    let good = ["zstd", "lz4", "lz4hc"].contains(&algorithm) && level.parse::<u8>().is_ok();
    let message = format!("`{compression}` is no compression");
    report.expect(good, &["erofs", "compression"], message, "it takes zstd, lz4 or lz4hc, with a level: \"zstd,3\"");
}
