//! What a Go program says that it was built from, by the build information that the linker put into it.

use super::parts::{Ecosystem, Found, Part, Source};
use crate::advisories::go_release;
use crate::formats::go_binary::{self, BuildInfo, Functions, Module};

/// How many packages without a module are named.
const NAMED: usize = 3;

/// The module that a component is, and the version in which it was fetched.
pub type Fetched<'a> = (&'a str, &'a str);

/// The modules of a Go program, its standard library, and the functions that are in it.
pub fn of_go(bytes: &[u8], file: &str, fetched: Option<Fetched<'_>>) -> Found {
    // Errors name the file themselves; here it stands in a column of its own.
    let info = match go_binary::build_info(bytes, file) {
        Ok(info) => info,
        Err(error) => return Found::gap(error.problem.to_string()),
    };
    let library = go_release(&info.go_version).unwrap_or_default();
    let mut found = Found { parts: vec![Part::new(Ecosystem::Go, "stdlib", &library)], ..Found::default() };
    found.parts.extend(info.modules().map(|module| part(module, &info, fetched)));
    match go_binary::functions(bytes, file) {
        Ok(mut functions) => {
            found.gaps.extend(holes(&info, &functions));
            functions.name_main(&info.path);
            go_binary::name_forks(&info, &mut functions);
            found.functions = Some(functions);
        }
        Err(error) => {
            let next = "what is found in its modules counts as if all of their functions were in it";
            found.gaps.push(format!("{}; {next}", error.problem));
        }
    }
    found
}

fn part(module: &Module, info: &BuildInfo, fetched: Option<Fetched<'_>>) -> Part {
    if let (path, Some(version)) = module.known_as() {
        return Part { sum: module.compiled().sum.clone(), ..Part::new(Ecosystem::Go, path, version) };
    }
    // The main module of a build in its own folder has no version; what it was fetched as has.
    let is_main = info.main.as_ref().is_some_and(|main| std::ptr::eq(main, module)) && module.replaced_by.is_none();
    match fetched.filter(|(path, _)| is_main && *path == module.path) {
        Some((path, version)) => Part::new(Ecosystem::Go, path, version),
        None => Part { source: Source::Folder, ..Part::new(Ecosystem::Go, &module.path, "") },
    }
}

/// Linked packages of no module that the program lists: of those nothing is known.
fn holes(info: &BuildInfo, functions: &Functions) -> Option<String> {
    let holes = go_binary::unaccounted(info, functions);
    if holes.is_empty() {
        return None;
    }
    let mut named = holes.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    if let Some(more @ 1..) = holes.len().checked_sub(NAMED) {
        named.push_str(&format!(" and {more} more"));
    }
    Some(format!(
        "{} linked packages belong to no module that its build information lists ({named}): of those nothing is known; \
         build it with `go build`, in module mode",
        holes.len()
    ))
}
