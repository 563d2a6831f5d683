//! Budgets: the most that each number may be, with what makes it up when one is passed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use orlop_config::definition::Budgets;

use super::number::{Surface, What};
use crate::text::shown;

/// Parts of a number that are named; of more, how many there are.
const NAMED: usize = 20;

/// Says which budgets are passed, each with its parts: the largest first, or what grew most since the build `before`. A number that
/// was not counted passes no budget, but for those that [`What::may_be_unknown`]: [`unchecked`] names these.
pub fn check(surface: &Surface, before: Option<&Surface>, budgets: &Budgets) -> Result<(), String> {
    let mut text = String::new();
    for what in What::ALL {
        let Some(limit) = limit(budgets, what) else { continue };
        let key = what.key();
        match surface.numbers.get(&what) {
            Some(number) if number.is > limit => {
                let is = number.is;
                let _ = writeln!(text, "  budgets.{key} = {limit}, but it is {is} ({} more)", is - limit);
                let before = before.and_then(|before| before.numbers.get(&what)).map(|number| &number.of);
                parts(&mut text, what, &number.of, before);
            }
            None if !what.may_be_unknown() => {
                let _ = writeln!(text, "  budgets.{key} = {limit}, but nobody counted it");
            }
            _ => {}
        }
    }
    if text.is_empty() {
        return Ok(());
    }
    Err(format!("the image is over its budget:\n{text}take something out, or raise the budget in the definition"))
}

/// The budgets of numbers that nobody knows of this image: they are not checked, which somebody should say.
pub fn unchecked(surface: &Surface, budgets: &Budgets) -> Vec<What> {
    let unknown = |what: &What| limit(budgets, *what).is_some() && surface.get(*what).is_none();
    What::ALL.into_iter().filter(|what| what.may_be_unknown() && unknown(what)).collect()
}

fn limit(budgets: &Budgets, what: What) -> Option<u64> {
    match what {
        What::RootBytes => Some(budgets.root_bytes),
        What::UkiBytes => budgets.uki_bytes,
        What::InitBytes => budgets.init_bytes,
        What::InitLines => budgets.init_lines,
        What::Files => Some(budgets.files),
        What::Executables => Some(budgets.executables),
        What::Setuid => Some(budgets.setuid),
        What::Capabilities => Some(budgets.capabilities),
        What::Interpreters => Some(budgets.interpreters),
        What::Modules => budgets.modules,
        What::Listeners => budgets.listeners,
        What::Processes => budgets.processes,
    }
}

/// Parts that are gone stand there too, with what they were.
fn parts(text: &mut String, what: What, now: &BTreeMap<String, u64>, before: Option<&BTreeMap<String, u64>>) {
    let of = |parts: &BTreeMap<String, u64>, name: &String| parts.get(name).copied().unwrap_or_default();
    let names: BTreeSet<&String> = now.keys().chain(before.into_iter().flat_map(BTreeMap::keys)).collect();
    let row = |name: &String| {
        let (is, was) = (of(now, name), before.map(|before| of(before, name)));
        (i128::from(is) - i128::from(was.unwrap_or_default()), is, was, shown(name))
    };
    let mut rows: Vec<_> = names.into_iter().map(row).collect();
    rows.sort_by(|one, other| (Reverse((one.0, one.1)), &one.3).cmp(&(Reverse((other.0, other.1)), &other.3)));
    if rows.is_empty() {
        return;
    }
    let order = if before.is_some() { "what grew most since the last build first" } else { "the largest first" };
    let _ = writeln!(text, "    {}, {order}:", what.parts());
    for (difference, is, was, name) in rows.iter().take(NAMED) {
        let _ = match was {
            Some(was) => writeln!(text, "      {is:>12} {was:>12} {difference:>+12}  {name}"),
            None => writeln!(text, "      {is:>12}  {name}"),
        };
    }
    if rows.len() > NAMED {
        let _ = writeln!(text, "      and {} more", rows.len() - NAMED);
    }
}

#[cfg(test)]
mod tests {
    use super::super::number::Number;
    use super::super::sample::surface;
    use super::*;

    fn budgets() -> Budgets {
        Budgets { root_bytes: 109, files: 3, executables: 1, modules: Some(160), ..Budgets::NOTHING }
    }

    /// With all that every image has in it.
    fn counted() -> Surface {
        let mut surface = surface();
        for what in [What::Capabilities, What::Interpreters] {
            surface.numbers.insert(what, Number::default());
        }
        surface
    }

    fn words(text: &str) -> Vec<Vec<&str>> {
        text.lines().map(|line| line.split_whitespace().collect()).collect()
    }

    #[test]
    fn what_is_within_its_budget_passes_and_so_does_what_has_none() {
        assert_eq!(check(&counted(), None, &budgets()), Ok(()));
        assert_eq!(check(&counted(), None, &Budgets { modules: None, ..budgets() }), Ok(()));
        // Listeners were not counted: nobody can say that there is one too many.
        let budgets = Budgets { listeners: Some(0), init_lines: Some(9), ..budgets() };
        assert_eq!(check(&counted(), None, &budgets), Ok(()));
        assert_eq!(unchecked(&counted(), &budgets), [What::InitLines, What::Listeners]);
    }

    #[test]
    fn what_nobody_counted_is_within_no_budget() {
        let mut surface = counted();
        surface.numbers.remove(&What::Modules);
        surface.numbers.remove(&What::Setuid);
        let text = check(&surface, None, &budgets()).unwrap_err();
        for says in ["budgets.setuid = 0, but nobody counted it\n", "budgets.modules = 160, but nobody counted it\n"] {
            assert!(text.contains(says), "{text}");
        }
        assert!(!text.contains("budgets.files") && !text.contains("budgets.uki_bytes"), "{text}");
        assert!(unchecked(&surface, &budgets()).is_empty());
    }

    #[test]
    fn every_budget_can_be_passed_and_is_named() {
        let mut surface = counted();
        for what in What::ALL {
            surface.numbers.insert(what, Number { is: 7, of: BTreeMap::new() });
        }
        let six = Some(6);
        let budgets = Budgets {
            root_bytes: 6,
            files: 6,
            executables: 6,
            setuid: 6,
            capabilities: 6,
            interpreters: 6,
            modules: six,
            uki_bytes: six,
            init_bytes: six,
            init_lines: six,
            listeners: six,
            processes: six,
        };
        let text = check(&surface, None, &budgets).unwrap_err();
        for what in What::ALL {
            assert!(text.contains(&format!("  budgets.{} = 6, but it is 7 (1 more)\n", what.key())), "{text}");
        }
        assert!(text.ends_with("take something out, or raise the budget in the definition"), "{text}");
    }

    #[test]
    fn the_largest_part_stands_first() {
        let text = check(&counted(), None, &Budgets { root_bytes: 100, ..budgets() }).unwrap_err();
        assert!(text.contains("budgets.root_bytes = 100, but it is 109 (9 more)"), "{text}");
        assert!(!text.contains("budgets.files"), "{text}");
        let rows = words(&text);
        let first = rows.iter().position(|row| row == &["1000", "large"]).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(rows[first + 1], ["10", "small"]);
    }

    #[test]
    fn what_grew_since_the_last_build_stands_first_with_its_growth() {
        let of = |parts: &[(&str, u64)]| -> Surface {
            let of = parts.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes)).collect();
            let mut surface = counted();
            surface.numbers.insert(What::RootBytes, Number { is: 109, of });
            surface
        };
        let before = of(&[("large", 1000), ("small", 10), ("gone", 7)]);
        let now = of(&[("large", 990), ("small", 25), ("new", 4)]);
        let text = check(&now, Some(&before), &Budgets { root_bytes: 100, ..budgets() }).unwrap_err();
        let rows = words(&text);
        let first = rows.iter().position(|row| row.last() == Some(&"small")).unwrap_or_else(|| panic!("{text}"));
        let want = [
            ["25", "10", "+15", "small"],
            ["4", "0", "+4", "new"],
            ["0", "7", "-7", "gone"],
            ["990", "1000", "-10", "large"],
        ];
        assert_eq!(rows[first..first + 4], want.map(Vec::from), "{text}");
    }

    #[test]
    fn of_very_many_parts_the_rest_is_counted() {
        let mut surface = counted();
        let of = (0..50).map(|number| (format!("part-{number}\u{1b}[0m"), number)).collect();
        surface.numbers.insert(What::Files, Number { is: 50, of });
        let text = check(&surface, None, &budgets()).unwrap_err();
        assert!(text.contains("and 30 more") && !text.contains('\u{1b}'), "{text}");
    }
}
