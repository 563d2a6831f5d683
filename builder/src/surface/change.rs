//! What differs between the numbers of two images.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::number::{Surface, What};

/// A number that is another; or one that only one of the two has, because it was not counted in the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NumberChange {
    /// Which.
    pub what: What,
    /// In the first.
    pub before: Option<u64>,
    /// In the second.
    pub after: Option<u64>,
    /// Part → how much of it is in the first and in the second, where that differs.
    pub of: Vec<(String, u64, u64)>,
}

/// Compares two images' numbers; what is equal, parts and all, is not in the answer.
pub fn changes(before: &Surface, after: &Surface) -> Vec<NumberChange> {
    let change = |what: What| {
        let [before, after] = [before, after].map(|surface| surface.numbers.get(&what));
        if before == after {
            return None;
        }
        let (old, new) = (before.map(|number| &number.of), after.map(|number| &number.of));
        let names: BTreeSet<&String> = old.iter().chain(&new).flat_map(|parts| parts.keys()).collect();
        let amount = |parts: Option<&BTreeMap<String, u64>>, name: &String| {
            parts.and_then(|parts| parts.get(name)).copied().unwrap_or_default()
        };
        let of = names.into_iter().map(|name| (name.clone(), amount(old, name), amount(new, name)));
        Some(NumberChange {
            what,
            before: before.map(|number| number.is),
            after: after.map(|number| number.is),
            of: of.filter(|(_, old, new)| old != new).collect(),
        })
    };
    What::ALL.into_iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::surface;
    use super::*;

    #[test]
    fn equal_images_have_no_changes() {
        assert_eq!(changes(&surface(), &surface()), []);
    }

    #[test]
    fn what_grew_what_went_and_what_was_not_counted_are_told_apart() {
        let (before, mut after) = (surface(), surface());
        let files = after.numbers.get_mut(&What::Files).unwrap();
        files.is = 5;
        files.of = [("large".to_owned(), 1), ("small".to_owned(), 4)].into();
        after.numbers.remove(&What::Modules);
        let changes = changes(&before, &after);
        let rows: Vec<_> = changes.iter().map(|change| (change.what, change.before, change.after)).collect();
        assert_eq!(rows, [(What::Files, Some(3), Some(5)), (What::Modules, Some(160), None)]);
        assert_eq!(changes[0].of, [("small".to_owned(), 2, 4)]);
    }

    #[test]
    fn a_part_that_took_anothers_place_is_a_change() {
        let (before, mut after) = (surface(), surface());
        let files = after.numbers.get_mut(&What::Files).unwrap();
        files.of = [("large".to_owned(), 1), ("other".to_owned(), 2)].into();
        let changes = changes(&before, &after);
        assert_eq!((changes[0].before, changes[0].after), (Some(3), Some(3)));
        assert_eq!(changes[0].of, [("other".to_owned(), 0, 2), ("small".to_owned(), 2, 0)]);
    }
}
