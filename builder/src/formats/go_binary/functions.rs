//! The table of functions, `.gopclntab` (`runtime.pcHeader`, Go's `debug/gosym/pclntab.go`).
//!
//! ```text
//! 0   magic             u32   0xfffffff1 (Go 1.20), 0xfffffff0 (Go 1.18)
//! 4   0, 0, quantum, size of a pointer (8)
//! 8   number of functions
//! 16  number of files
//! 24  start of the text (0 since Go 1.26)
//! 32  offset of the names; each ended by NUL
//! 40  offset of the compilation units: where the names end
//! 48  offset of the files
//! 56  offset of the values
//! 64  offset of the functions: (u32 entry, u32 offset of the record from here) for each, records after them;
//!     a record begins with u32 entry, i32 offset of its name
//! ```
//!
//! The linker writes a name for every function that it keeps and for every function that was inlined into one of those
//! (`walkFuncs` in `cmd/link/internal/ld/pcln.go`), and no others: a name that is not there is not in the program.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{GoBinaryError, Problem};
use super::name;
use super::sections::{Part, Sections};

const GO_1_18: u32 = 0xffff_fff0;
const GO_1_20: u32 = 0xffff_fff1;
const POINTER: u8 = 8;
const HEADER: usize = 72;

/// The functions that are in a program: linked as they are, or inlined into those that are.
///
/// Names are those of the Go vulnerability database: `Client.Do` in the package `net/http`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Functions {
    /// Package → its functions → whether there is one of that name that is linked as it is, not only inlined.
    packages: BTreeMap<String, BTreeMap<String, bool>>,
}

impl Functions {
    /// Adds a function by the linker's name (`net/http.(*Client).Do`); what belongs to no package is left out.
    pub fn add(&mut self, name: &str, linked: bool) {
        let Some((package, symbol)) = name::split(name) else { return };
        let symbols = match self.packages.get_mut(&*package) {
            Some(symbols) => symbols,
            None => self.packages.entry(package.into_owned()).or_default(),
        };
        *symbols.entry(symbol).or_default() |= linked;
    }

    /// The program's own package is called `main` in it, and by its path everywhere else: gives it this path too.
    pub fn name_main(&mut self, path: &str) {
        self.rename(&BTreeMap::from([("main".to_owned(), path.to_owned())]));
    }

    /// Calls packages otherwise: old path → new.
    pub fn rename(&mut self, paths: &BTreeMap<String, String>) {
        // All of them are taken out first: the new path of one may be the old path of another.
        let mut taken = Vec::new();
        for (old, new) in paths {
            taken.extend(self.packages.remove(old).map(|symbols| (new.clone(), symbols)));
        }
        self.put(taken);
    }

    /// Adds the functions of another program.
    pub fn merge(&mut self, other: Functions) {
        self.put(other.packages);
    }

    fn put(&mut self, packages: impl IntoIterator<Item = (String, BTreeMap<String, bool>)>) {
        for (package, symbols) in packages {
            let there = self.packages.entry(package).or_default();
            for (symbol, linked) in symbols {
                *there.entry(symbol).or_default() |= linked;
            }
        }
    }

    /// Whether anything of a package is in the program.
    pub fn has_package(&self, package: &str) -> bool {
        self.packages.contains_key(package)
    }

    /// Whether a function or method (`Type.Method`) of a package is in the program.
    pub fn has(&self, package: &str, symbol: &str) -> bool {
        self.packages.get(package).is_some_and(|symbols| symbols.contains_key(symbol))
    }

    /// Whether it is there only as a part of functions that it was inlined into.
    pub fn is_only_inlined(&self, package: &str, symbol: &str) -> bool {
        self.packages.get(package).and_then(|symbols| symbols.get(symbol)) == Some(&false)
    }

    /// The packages of which anything is in the program, sorted.
    pub fn packages(&self) -> impl Iterator<Item = &str> {
        self.packages.keys().map(String::as_str)
    }

    /// All functions, sorted: package, name, whether it is linked as it is.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        self.packages
            .iter()
            .flat_map(|(package, symbols)| symbols.iter().map(move |(symbol, linked)| (&**package, &**symbol, *linked)))
    }

    /// How many functions there are.
    pub fn len(&self) -> usize {
        self.packages.values().map(BTreeMap::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.packages.is_empty()
    }
}

/// Reads which functions are in a program. `file` is its name in errors.
pub fn functions(bytes: &[u8], file: &str) -> Result<Functions, GoBinaryError> {
    read(bytes).map_err(|problem| problem.of(file))
}

fn read(bytes: &[u8]) -> Result<Functions, Problem> {
    let sections = Sections::of(bytes)?;
    let missing = || if sections.is_go() { Problem::NoFunctions } else { Problem::NotGo };
    let table = Table::of(sections.functions().ok_or_else(missing)?)?;
    let linked = table.linked()?;
    let mut functions = Functions::default();
    let mut at = 0_u32;
    for name in table.names.bytes.split(|byte| *byte == 0) {
        // What follows the last name fills up.
        if !name.is_empty() {
            let text = str::from_utf8(name)
                .map_err(|_| table.damaged(table.names, at as usize, "a name that is not UTF-8"))?;
            functions.add(text, linked.contains(&at));
        }
        // `Table::of` refused tables of 4 GiB.
        at += name.len() as u32 + 1;
    }
    Ok(functions)
}

/// A table whose header was checked.
struct Table<'a> {
    names: Part<'a>,
    functions: Part<'a>,
    count: usize,
}

impl<'a> Table<'a> {
    fn of(section: Part<'a>) -> Result<Table<'a>, Problem> {
        let offset = section.offset;
        let damaged = |reason: String| Problem::Functions { offset, reason };
        let Some(magic) = section.u32_at(0).filter(|_| section.bytes.len() >= HEADER) else {
            return Err(damaged(format!("{} bytes, shorter than its header", section.bytes.len())));
        };
        if magic != GO_1_18 && magic != GO_1_20 {
            return Err(Problem::Magic { offset, magic });
        }
        if section.bytes[7] != POINTER {
            return Err(damaged(format!("pointers of {} bytes", section.bytes[7])));
        }
        if u32::try_from(section.bytes.len()).is_err() {
            return Err(damaged(format!("{} bytes are more than a table can have", section.bytes.len())));
        }
        let field = |at: usize| section.u64_at(at).and_then(|value| usize::try_from(value).ok()).unwrap_or(usize::MAX);
        let (names, units, functions) = (field(32), field(40), field(64));
        if names < HEADER || names > units || units > functions || functions > section.bytes.len() {
            return Err(damaged(format!(
                "parts at {names:#x}, {units:#x} and {functions:#x} in {:#x} bytes",
                section.bytes.len()
            )));
        }
        let names = Part { offset: offset + names as u64, bytes: &section.bytes[names..units] };
        let functions = Part { offset: offset + functions as u64, bytes: &section.bytes[functions..] };
        let count = field(8);
        // Two numbers for each function, and one for the end of the last.
        if count > functions.bytes.len() / 8 {
            return Err(damaged(format!("{count} functions in {:#x} bytes", functions.bytes.len())));
        }
        Ok(Table { names, functions, count })
    }

    /// Where the names of those functions begin that are linked as they are.
    fn linked(&self) -> Result<BTreeSet<u32>, Problem> {
        let mut linked = BTreeSet::new();
        for index in 0..self.count {
            let entry = index * 8 + 4;
            let record = self.functions.u32_at(entry).map_or(usize::MAX, |record| record as usize);
            let name = record.checked_add(4).and_then(|at| self.functions.u32_at(at));
            let Some(name) = name.filter(|name| (*name as usize) < self.names.bytes.len()) else {
                return Err(self.damaged(
                    self.functions,
                    entry,
                    "a function whose record or name lies outside the table",
                ));
            };
            // Names are written once, so that the middle of one is none.
            if name > 0 && self.names.bytes[name as usize - 1] != 0 {
                return Err(self.damaged(
                    self.functions,
                    entry,
                    "a function whose name begins in the middle of another",
                ));
            }
            linked.insert(name);
        }
        Ok(linked)
    }

    fn damaged(&self, part: Part<'_>, at: usize, reason: &str) -> Problem {
        Problem::Functions { offset: part.offset + at as u64, reason: reason.to_owned() }
    }
}
