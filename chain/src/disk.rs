//! Which partitions, of which disk, are the root's. The root is found by content: by its hash, not by a slot's letter.

use crate::gpt::{Entry, Gpt, types};
use crate::{Guid, Refusal, RootHash, Stage};

/// A disk that was looked at.
#[derive(Debug, Clone, Copy)]
pub struct Disk<'a> {
    /// What to call it, such as `/dev/vda`.
    pub name: &'a str,
    /// Its partition table.
    pub gpt: &'a Gpt,
}

/// The partitions of the root that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Index into the disks that were given.
    pub disk: usize,
    /// The root.
    pub root: Entry,
    /// Its verity tree.
    pub verity: Entry,
    /// The signature partition with the root hash's UUID.
    pub signature: Entry,
    /// Names of other disks that carry the same root; the boot report tells of them.
    pub others: Vec<String>,
}

/// Finds the one disk that carries the root with this hash, and its partitions.
///
/// Of several disks the one wins from whose ESP the firmware started (`LoaderDevicePartUUID`); where that does not decide, none.
pub fn find_root(disks: &[Disk<'_>], root: &RootHash, loader: Option<Guid>) -> Result<Found, Refusal> {
    let carriers = carriers(disks, root)?;
    let chosen = choose(disks, &carriers, root, loader)?;
    let gpt = disks[carriers[chosen].disk].gpt;
    let name = disks[carriers[chosen].disk].name;
    let signatures = matching(gpt, types::ROOT_VERITY_SIG_X86_64, root.signature_guid());
    let [signature] = signatures.as_slice() else {
        let count = signatures.len();
        let guid = root.signature_guid();
        let reason = format!("{count} signature partitions with UUID {guid} on {name}, want one");
        return Err(Refusal::new(Stage::SignaturePartition, reason));
    };
    let others = carriers.iter().filter(|other| other.disk != carriers[chosen].disk);
    Ok(Found {
        disk: carriers[chosen].disk,
        root: carriers[chosen].root.clone(),
        verity: carriers[chosen].verity.clone(),
        signature: (*signature).clone(),
        others: others.map(|other| disks[other.disk].name.to_owned()).collect(),
    })
}

struct Carrier<'a> {
    disk: usize,
    root: &'a Entry,
    verity: &'a Entry,
}

fn carriers<'a>(disks: &[Disk<'a>], root: &RootHash) -> Result<Vec<Carrier<'a>>, Refusal> {
    let mut found = Vec::new();
    for (disk, Disk { name, gpt }) in disks.iter().enumerate() {
        let roots = matching(gpt, types::ROOT_X86_64, root.root_guid());
        let trees = matching(gpt, types::ROOT_VERITY_X86_64, root.verity_guid());
        match (roots.as_slice(), trees.as_slice()) {
            ([], _) | (_, []) => {}
            ([root], [verity]) => found.push(Carrier { disk, root, verity }),
            (roots, trees) => {
                let (roots, trees) = (roots.len(), trees.len());
                let reason = format!(
                    "{name} has {roots} roots and {trees} verity partitions of root hash {root}, want one each"
                );
                return Err(Refusal::new(Stage::Disk, reason));
            }
        }
    }
    Ok(found)
}

fn choose(
    disks: &[Disk<'_>],
    carriers: &[Carrier<'_>],
    root: &RootHash,
    loader: Option<Guid>,
) -> Result<usize, Refusal> {
    if let [_] = carriers {
        return Ok(0);
    }
    let names =
        |indices: &mut dyn Iterator<Item = usize>| indices.map(|disk| disks[disk].name).collect::<Vec<_>>().join(" ");
    if carriers.is_empty() {
        let seen = names(&mut (0..disks.len()));
        let reason =
            format!("no disk carries root hash {root} (looked at: {})", if seen.is_empty() { "none" } else { &seen });
        return Err(Refusal::new(Stage::Disk, reason));
    }
    let started = |carrier: &Carrier<'_>| {
        loader.is_some_and(|guid| !matching(disks[carrier.disk].gpt, types::ESP, guid).is_empty())
    };
    let mut fitting = (0..carriers.len()).filter(|index| started(&carriers[*index]));
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Ok(only),
        _ => {
            let seen = names(&mut carriers.iter().map(|carrier| carrier.disk));
            let loader = loader.map_or("no boot partition".to_owned(), |guid| format!("boot partition {guid}"));
            let reason =
                format!("several disks carry root hash {root} ({seen}) and the firmware's {loader} does not decide");
            Err(Refusal::new(Stage::Disk, reason))
        }
    }
}

fn matching(gpt: &Gpt, type_guid: Guid, guid: Guid) -> Vec<&Entry> {
    gpt.of_type(type_guid).filter(|entry| entry.guid == guid).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: RootHash = RootHash([0x5a; 32]);

    fn disk(esp: u128) -> Gpt {
        let parts = [
            (types::ESP, Guid::from_u128(esp)),
            (types::ROOT_X86_64, ROOT.root_guid()),
            (types::ROOT_VERITY_X86_64, ROOT.verity_guid()),
            (types::ROOT_VERITY_SIG_X86_64, ROOT.signature_guid()),
        ];
        let entries = (1..).zip(parts).map(|(number, (type_guid, guid))| Entry {
            number,
            type_guid,
            guid,
            first: u64::from(number) * 100,
            last: u64::from(number) * 100 + 99,
            attributes: 0,
            name: String::new(),
        });
        let entries = entries.collect();
        Gpt { disk_guid: Guid::from_u128(1), first_usable: 34, last_usable: 900, total_sectors: 1000, entries }
    }

    fn look(disks: &[&Gpt], loader: Option<u128>) -> Result<Found, Refusal> {
        let names = ["/dev/vda", "/dev/vdb", "/dev/vdc"];
        let disks: Vec<Disk<'_>> = names.iter().zip(disks).map(|(name, gpt)| Disk { name, gpt }).collect();
        find_root(&disks, &ROOT, loader.map(Guid::from_u128))
    }

    #[test]
    fn one_disk_is_found_among_others() {
        let mut other = disk(2);
        other.entries.truncate(1);
        let found = look(&[&other, &disk(3)], None).unwrap();
        assert_eq!((found.disk, found.root.number, found.verity.number, found.signature.number), (1, 2, 3, 4));
        assert!(found.others.is_empty());
    }

    #[test]
    fn none_is_refused_and_says_what_was_looked_at() {
        assert_eq!(look(&[], None).unwrap_err().stage, Stage::Disk);
        let mut half = disk(2);
        half.entries.remove(2);
        let refused = look(&[&half], None).unwrap_err();
        assert_eq!(refused.stage, Stage::Disk);
        assert!(refused.reason.contains("/dev/vda"), "{refused}");
    }

    #[test]
    fn of_two_disks_the_firmwares_wins_and_the_other_is_reported() {
        let (one, two) = (disk(2), disk(3));
        let found = look(&[&one, &two], Some(3)).unwrap();
        assert_eq!((found.disk, found.others), (1, vec!["/dev/vda".to_owned()]));
        for loader in [None, Some(9)] {
            assert_eq!(look(&[&one, &two], loader).unwrap_err().stage, Stage::Disk);
        }
        assert_eq!(look(&[&one, &one], Some(2)).unwrap_err().stage, Stage::Disk, "a copy with the same ESP");
    }

    #[test]
    fn a_root_twice_on_one_disk_is_refused() {
        let mut twice = disk(2);
        let mut again = twice.entries[1].clone();
        again.number = 5;
        twice.entries.push(again);
        assert_eq!(look(&[&twice], None).unwrap_err().stage, Stage::Disk);
    }

    #[test]
    fn no_signature_partition_or_two_are_refused_at_their_own_stage() {
        let mut none = disk(2);
        let signature = none.entries.pop().unwrap();
        assert_eq!(look(&[&none], None).unwrap_err().stage, Stage::SignaturePartition);
        let mut twice = disk(2);
        twice.entries.push(Entry { number: 5, ..signature });
        assert_eq!(look(&[&twice], None).unwrap_err().stage, Stage::SignaturePartition);
    }
}
