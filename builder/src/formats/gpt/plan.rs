//! What a table is to hold.

use std::collections::BTreeSet;

use orlop_chain::Guid;
use orlop_chain::gpt::{ALIGNMENT, Entry, Gpt, usable};

/// Bytes of a sector of a disk image.
pub const SECTOR: u64 = 512;

/// A table to be written; partitions are numbered from 1 in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The disk's GUID.
    pub disk_guid: Guid,
    /// Sectors of the disk.
    pub total_sectors: u64,
    /// The partitions.
    pub partitions: Vec<Partition>,
}

/// A partition to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// What it is for.
    pub type_guid: Guid,
    /// Its own GUID.
    pub guid: Guid,
    /// First sector.
    pub first: u64,
    /// Last sector.
    pub last: u64,
    /// Attribute bits.
    pub attributes: u64,
    /// Its name.
    pub name: String,
}

/// What is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A disk that has no room for a table, or none of whole units.
    #[error("a disk of {0} sectors; want whole MiB, at least 3")]
    Disk(u64),
    /// A partition that does not lie where it may.
    #[error("partition {number} (`{name}`): sectors {first}..={last} {what}")]
    Partition {
        /// Its number.
        number: usize,
        /// Its name.
        name: String,
        /// First sector.
        first: u64,
        /// Last sector.
        last: u64,
        /// What is wrong with them.
        what: &'static str,
    },
    /// A name that does not fit.
    #[error("partition name `{0}`: want 1 to 36 characters of ASCII")]
    Name(String),
    /// A GUID that is used twice, or is nil.
    #[error("GUID {0} is nil, or used twice")]
    Guid(Guid),
}

impl Plan {
    /// The plan as the table that the disk will have, if it is right.
    pub fn check(&self) -> Result<Gpt, PlanError> {
        let unit = ALIGNMENT / SECTOR;
        let total = self.total_sectors;
        let range = usable(total, SECTOR).filter(|_| total.is_multiple_of(unit) && total >= 3 * unit);
        let (first_usable, last_usable) = range.ok_or(PlanError::Disk(total))?;
        let mut guids = BTreeSet::from([Guid::NIL]);
        let all = std::iter::once(self.disk_guid).chain(self.partitions.iter().map(|partition| partition.guid));
        for guid in all {
            if !guids.insert(guid) {
                return Err(PlanError::Guid(guid));
            }
        }
        let mut free = unit;
        for (number, partition) in (1..).zip(&self.partitions) {
            partition.check(number, free, last_usable)?;
            free = partition.last + 1;
        }
        let entries = (1..).zip(&self.partitions).map(|(number, partition)| partition.entry(number)).collect();
        Ok(Gpt { disk_guid: self.disk_guid, first_usable, last_usable, total_sectors: total, entries })
    }
}

impl Partition {
    fn check(&self, number: usize, free: u64, last_usable: u64) -> Result<(), PlanError> {
        let unit = ALIGNMENT / SECTOR;
        if self.name.is_empty() || self.name.len() > 36 || !self.name.is_ascii() {
            return Err(PlanError::Name(self.name.clone()));
        }
        if self.type_guid.is_nil() {
            return Err(PlanError::Guid(self.type_guid));
        }
        let what = if self.first > self.last {
            "end before they begin"
        } else if self.last > last_usable {
            "reach beyond the last usable one"
        } else if self.first < free {
            "overlap what lies before, or are not in order"
        } else if !self.first.is_multiple_of(unit) || !(self.last + 1).is_multiple_of(unit) {
            "are not whole MiB"
        } else {
            return Ok(());
        };
        Err(PlanError::Partition { number, name: self.name.clone(), first: self.first, last: self.last, what })
    }

    fn entry(&self, number: u32) -> Entry {
        Entry {
            number,
            type_guid: self.type_guid,
            guid: self.guid,
            first: self.first,
            last: self.last,
            attributes: self.attributes,
            name: self.name.clone(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use orlop_chain::gpt::types;

    pub(in super::super) fn sample() -> Plan {
        let partition = |index: u64, type_guid, name: &str| Partition {
            type_guid,
            guid: Guid::from_u128(100 + u128::from(index)),
            first: index * 2048,
            last: index * 2048 + 2047,
            attributes: types::READ_ONLY,
            name: name.to_owned(),
        };
        Plan {
            disk_guid: Guid::from_u128(0x1234),
            total_sectors: 8 * 2048,
            partitions: vec![
                partition(1, types::ESP, "esp"),
                partition(2, types::ROOT_X86_64, "root-a"),
                partition(5, types::VAR, "state"),
            ],
        }
    }

    #[test]
    fn a_plan_that_is_wrong_says_where() {
        type Damage = (&'static str, fn(&mut Plan));
        let cases: [Damage; 9] = [
            ("overlap", |plan| plan.partitions[1].first = 2048),
            ("beyond", |plan| plan.partitions[2].last = 8 * 2048 - 1),
            ("end before", |plan| plan.partitions[2].last = 0),
            ("whole MiB", |plan| plan.partitions[2].first += 1),
            ("used twice", |plan| plan.partitions[2].guid = plan.disk_guid),
            ("used twice", |plan| plan.partitions[0].type_guid = Guid::NIL),
            ("partition name", |plan| plan.partitions[0].name = "x".repeat(37)),
            ("a disk of", |plan| plan.total_sectors += 1),
            ("a disk of", |plan| plan.total_sectors = 2048),
        ];
        for (what, damage) in cases {
            let mut plan = sample();
            damage(&mut plan);
            let error = plan.check().unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
        assert_eq!(sample().check().unwrap().entries.len(), 3);
    }
}
