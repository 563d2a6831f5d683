//! Build information, `.go.buildinfo` (Go's `debug/buildinfo`): 32 bytes of header, then since Go 1.18 two strings, each
//! after its length as a varint: Go's version, and the text of `runtime/debug.BuildInfo` between two marks of 16 bytes.

use std::fmt;

use super::error::{GoBinaryError, Problem};
use super::sections::{Part, Sections};

/// What the header begins with; it lies at an address divisible by 16.
pub(super) const MAGIC: &[u8] = b"\xff Go buildinf:";
const HEADER: usize = 32;
const FLAGS: usize = 15;
/// The strings follow the header; before Go 1.18 the header had pointers to them.
const INLINE: u8 = 2;
/// `modload.ModInfoData` puts these many bytes before and after the text.
const MARK: usize = 16;
/// How much of a line an error shows.
const SHOWN: usize = 80;

/// A module that a program was built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its path: `golang.org/x/net`.
    pub path: String,
    /// Its version, as Go writes it: `v0.35.0`, `(devel)`, or nothing at all.
    pub version: String,
    /// Its sum, as in `go.sum`; empty where there is none (a folder).
    pub sum: String,
    /// What was compiled in its place (`replace` in go.mod).
    pub replaced_by: Option<Box<Module>>,
}

impl Module {
    /// The module whose code was compiled: the one that replaced it, or itself.
    pub fn compiled(&self) -> &Module {
        self.replaced_by.as_deref().unwrap_or(self)
    }

    /// The path and the version by which others know what was compiled: those of the replacement, where that has a version (so
    /// does govulncheck). What lay in a folder has no name but the one that it was required by, and of which version it is,
    /// nobody can say.
    pub fn known_as(&self) -> (&str, Option<&str>) {
        let compiled = self.compiled();
        match compiled.known_version() {
            Some(version) => (compiled.path.as_str(), Some(version)),
            None => (self.path.as_str(), None),
        }
    }

    fn known_version(&self) -> Option<&str> {
        let is_folder = self.path.starts_with(['.', '/']) || self.version.is_empty() || self.version == "(devel)";
        (!is_folder).then_some(self.version.as_str())
    }
}

/// What a program says that it was built from and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildInfo {
    /// The version of Go: `go1.26.8`, with experiments after a space.
    pub go_version: String,
    /// The path of the package `main`; empty for what was built without modules.
    pub path: String,
    /// The module of the package `main`.
    pub main: Option<Module>,
    /// The modules of all other packages, in the program's order (by path).
    pub dependencies: Vec<Module>,
    /// Settings of the build, in the program's order: `-trimpath` → `true`.
    pub settings: Vec<(String, String)>,
}

impl BuildInfo {
    /// The value of a setting.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.iter().find(|(name, _)| name == key).map(|(_, value)| &**value)
    }

    /// The main module and the dependencies.
    pub fn modules(&self) -> impl Iterator<Item = &Module> {
        self.main.iter().chain(&self.dependencies)
    }

    /// The text that the program carries: lines of `path`, `mod`, `dep`, `=>` and `build`.
    fn parse(text: &str) -> Result<BuildInfo, Problem> {
        let mut info = BuildInfo::default();
        // A replacement follows the module that it stands for.
        let mut last: Option<Last> = None;
        for (index, line) in text.lines().enumerate() {
            let bad = |reason| Problem::Line { line: index + 1, reason, value: line.chars().take(SHOWN).collect() };
            let module = |columns| module(columns).ok_or_else(|| bad("expected a path, a version and perhaps a sum"));
            let Some((key, rest)) = line.split_once('\t') else { continue };
            match key {
                "path" => info.path = rest.to_owned(),
                "mod" => {
                    info.main = Some(module(rest)?);
                    last = Some(Last::Main);
                }
                "dep" => {
                    info.dependencies.push(module(rest)?);
                    last = Some(Last::Dependency);
                }
                "=>" => {
                    let by = module(rest)?;
                    let replaced = match last.take() {
                        Some(Last::Main) => info.main.as_mut(),
                        Some(Last::Dependency) => info.dependencies.last_mut(),
                        None => None,
                    };
                    replaced.ok_or_else(|| bad("a replacement, and no module before it"))?.replaced_by =
                        Some(Box::new(by));
                }
                "build" => info.settings.push(setting(rest).map_err(bad)?),
                // Newer versions of Go may say more.
                _ => {}
            }
        }
        Ok(info)
    }
}

enum Last {
    Main,
    Dependency,
}

/// As `go version -m` prints it, without the file's name and the empty line that it puts behind a replacement.
impl fmt::Display for BuildInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.go_version)?;
        if !self.path.is_empty() {
            writeln!(f, "\tpath\t{}", self.path)?;
        }
        let main = self.main.iter().map(|module| ("mod", module));
        for (key, module) in main.chain(self.dependencies.iter().map(|module| ("dep", module))) {
            line(f, key, module)?;
            if let Some(by) = &module.replaced_by {
                line(f, "=>", by)?;
            }
        }
        self.settings.iter().try_for_each(|(key, value)| {
            let (key, value) = (quoted(key, key.is_empty() || key.contains('=')), quoted(value, false));
            writeln!(f, "\tbuild\t{key}={value}")
        })
    }
}

/// In Go's quotes, where the text would be read otherwise without them.
fn quoted(text: &str, must: bool) -> String {
    if !must && !text.contains([' ', '\t', '\r', '\n', '"', '`']) {
        return text.to_owned();
    }
    let mut out = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\n' => out.push_str("\\n"),
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

fn line(f: &mut fmt::Formatter<'_>, key: &str, module: &Module) -> fmt::Result {
    let Module { path, version, sum, replaced_by } = module;
    write!(f, "\t{key}\t{path}\t{version}")?;
    // Go writes the column of the sum for what nothing replaced, even when it is empty.
    if replaced_by.is_none() { writeln!(f, "\t{sum}") } else { writeln!(f) }
}

/// Reads a program's build information. `file` is its name in errors.
pub fn build_info(bytes: &[u8], file: &str) -> Result<BuildInfo, GoBinaryError> {
    read(bytes).map_err(|problem| problem.of(file))
}

fn read(bytes: &[u8]) -> Result<BuildInfo, Problem> {
    let sections = Sections::of(bytes)?;
    let missing = || if sections.is_go() { Problem::NoBuildInfo } else { Problem::NotGo };
    let data = sections.build_info().ok_or_else(missing)?;
    let at = data.find_aligned(MAGIC).ok_or_else(missing)?;
    let blob = data.from(at).ok_or_else(missing)?;
    let Some(header) = blob.bytes.first_chunk::<HEADER>() else {
        return Err(damaged(blob, 0, format!("{} bytes, shorter than its header", blob.bytes.len())));
    };
    if header[FLAGS] & INLINE == 0 {
        return Err(Problem::OldBuildInfo { offset: blob.offset + FLAGS as u64, flags: header[FLAGS] });
    }
    let (go_version, end) = string(blob, HEADER)?;
    let (framed, _) = string(blob, end)?;
    let utf8 = |bytes: &[u8], at| match str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => Err(damaged(blob, at, format!("text that is not UTF-8 (byte {} of it)", error.valid_up_to()))),
    };
    let go_version = utf8(go_version, HEADER)?;
    if go_version.is_empty() {
        return Err(damaged(blob, HEADER, "no version of Go".to_owned()));
    }
    let text = match framed.len().checked_sub(MARK) {
        Some(last) if last > MARK && framed[last - 1] == b'\n' => utf8(&framed[MARK..last], end)?,
        // Built without modules.
        _ => String::new(),
    };
    Ok(BuildInfo { go_version, ..BuildInfo::parse(&text)? })
}

/// A string behind its length, and where it ends.
fn string(blob: Part<'_>, at: usize) -> Result<(&[u8], usize), Problem> {
    let rest = blob.bytes.get(at..).unwrap_or_default();
    let (mut length, mut shift, mut used) = (0_u64, 0, 0);
    loop {
        let Some(byte) = rest.get(used).filter(|_| used < 10) else {
            return Err(damaged(blob, at, "a length without an end".to_owned()));
        };
        length |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
        (shift, used) = (shift + 7, used + 1);
        if byte & 0x80 == 0 {
            break;
        }
    }
    let rest = &rest[used..];
    let text = usize::try_from(length).ok().and_then(|length| rest.get(..length));
    let text =
        text.ok_or_else(|| damaged(blob, at, format!("a text of {length} bytes where {} are left", rest.len())))?;
    Ok((text, at + used + text.len()))
}

fn damaged(blob: Part<'_>, at: usize, reason: String) -> Problem {
    Problem::BuildInfo { offset: blob.offset + at as u64, reason }
}

/// `path`, version and perhaps sum.
fn module(line: &str) -> Option<Module> {
    let mut columns = line.split('\t').map(str::to_owned);
    let (path, version, sum) = (columns.next()?, columns.next()?, columns.next().unwrap_or_default());
    let whole = columns.next().is_none() && !path.is_empty();
    whole.then_some(Module { path, version, sum, replaced_by: None })
}

/// `key=value`, either of which may stand in quotes.
fn setting(line: &str) -> Result<(String, String), &'static str> {
    let (key, rest) = match line.chars().next() {
        Some('"' | '`') => unquoted(line).ok_or("a key whose quotes do not end")?,
        _ => {
            let at = line.find('=').ok_or("a setting without `=`")?;
            (line[..at].to_owned(), &line[at..])
        }
    };
    let value = rest.strip_prefix('=').ok_or("a setting without `=` behind its key")?;
    if key.is_empty() {
        return Err("a setting without a key");
    }
    let value = match value.chars().next() {
        Some('"' | '`') => match unquoted(value) {
            Some((value, "")) => value,
            _ => return Err("a value whose quotes do not end where it ends"),
        },
        _ => value.to_owned(),
    };
    Ok((key, value))
}

/// What stands in quotes at the beginning, as Go's `strconv.Unquote` reads it, and what follows.
fn unquoted(text: &str) -> Option<(String, &str)> {
    if let Some(raw) = text.strip_prefix('`') {
        let (inside, rest) = raw.split_once('`')?;
        return Some((inside.replace('\r', ""), rest));
    }
    let mut rest = text.strip_prefix('"')?;
    let mut out = Vec::new();
    loop {
        let character = rest.chars().next()?;
        rest = &rest[character.len_utf8()..];
        match character {
            '"' => return Some((String::from_utf8(out).ok()?, rest)),
            '\\' => rest = escape(rest, &mut out)?,
            _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// What stands behind a backslash.
fn escape<'a>(rest: &'a str, out: &mut Vec<u8>) -> Option<&'a str> {
    let kind = rest.chars().next()?;
    let after = &rest[kind.len_utf8()..];
    let simple = match kind {
        'a' => 7,
        'b' => 8,
        't' => b'\t',
        'n' => b'\n',
        'v' => 11,
        'f' => 12,
        'r' => b'\r',
        '\\' | '"' => kind as u8,
        _ => {
            let (digits, radix, bytes) = match kind {
                'x' => (after.get(..2)?, 16, true),
                'u' => (after.get(..4)?, 16, false),
                'U' => (after.get(..8)?, 16, false),
                '0'..='7' => (rest.get(..3)?, 8, true),
                _ => return None,
            };
            let value = u32::from_str_radix(digits, radix).ok()?;
            if bytes {
                out.push(u8::try_from(value).ok()?);
            } else {
                out.extend_from_slice(char::from_u32(value)?.encode_utf8(&mut [0; 4]).as_bytes());
            }
            return Some(if radix == 8 { &rest[3..] } else { &after[digits.len()..] });
        }
    };
    out.push(simple);
    Some(after)
}
