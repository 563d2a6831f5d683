//! Reading OpenVEX documents. They are read as their schema has them: a field that it does not know is an error, and not
//! a decision that is passed over.

use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::age::Today;
use super::super::package::Identity;
use super::super::packages::purl;
use super::{Exception, Justification, Product, Status};
use crate::text::shown;

/// What `@context` names: 0.2.0, and what may follow it.
const CONTEXT: &str = "https://openvex.dev/ns/v0.2";
/// What `status_notes` begins with, before the day.
const EXPIRES: &str = "expires ";
/// No document is bigger.
const MOST: u64 = 16 << 20;

/// Why a document of exceptions cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VexError {
    /// It cannot be read.
    #[error("{file}: {cause}; name an OpenVEX document")]
    Io {
        /// Which.
        file: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Not an OpenVEX document.
    #[error("{file}: {reason}")]
    Document {
        /// Which.
        file: String,
        /// What is wrong, with line and column or the value.
        reason: String,
    },
    /// A statement that cannot be an exception.
    #[error("{file}: statement {number}: {reason}")]
    Statement {
        /// Which document.
        file: String,
        /// Which statement, counted from 1.
        number: usize,
        /// What is wrong, and what would be right.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "@context")]
    context: String,
    #[serde(rename = "@id")]
    _id: String,
    #[serde(rename = "author")]
    _author: String,
    #[serde(rename = "role")]
    _role: Option<String>,
    #[serde(rename = "timestamp")]
    _timestamp: String,
    #[serde(rename = "last_updated")]
    _last_updated: Option<String>,
    #[serde(rename = "version")]
    _version: u64,
    #[serde(rename = "tooling")]
    _tooling: Option<String>,
    statements: Vec<Statement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    #[serde(rename = "@id")]
    _id: Option<String>,
    #[serde(rename = "version")]
    _version: Option<u64>,
    vulnerability: Vulnerability,
    #[serde(rename = "timestamp")]
    _timestamp: Option<String>,
    #[serde(rename = "last_updated")]
    _last_updated: Option<String>,
    #[serde(default)]
    products: Vec<Component>,
    status: Status,
    #[serde(rename = "supplier")]
    _supplier: Option<String>,
    status_notes: Option<String>,
    justification: Option<Justification>,
    impact_statement: Option<String>,
    action_statement: Option<String>,
    #[serde(rename = "action_statement_timestamp")]
    _action_statement_timestamp: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vulnerability {
    #[serde(rename = "@id")]
    _id: Option<String>,
    name: String,
    #[serde(rename = "description")]
    _description: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Component {
    #[serde(rename = "@id")]
    id: Option<String>,
    identifiers: Option<Identifiers>,
    #[serde(rename = "hashes")]
    _hashes: Option<IgnoredAny>,
    #[serde(default)]
    subcomponents: Vec<Component>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Identifiers {
    purl: Option<String>,
    #[serde(rename = "cpe22", alias = "@cpe22")]
    _cpe22: Option<String>,
    #[serde(rename = "cpe23", alias = "@cpe23")]
    _cpe23: Option<String>,
}

/// Reads a document's file.
pub fn read(path: &Path) -> Result<Vec<Exception>, VexError> {
    let file = shown(&path.to_string_lossy());
    let io = |cause| VexError::Io { file: file.clone(), cause };
    let size = std::fs::metadata(path).map_err(io)?.len();
    if size > MOST {
        return Err(VexError::Document { file, reason: format!("{size} bytes are more than any has ({MOST})") });
    }
    let text = std::fs::read_to_string(path).map_err(io)?;
    parse(&file, &text)
}

/// Reads a document. `file` is its name in errors and reports.
pub fn parse(file: &str, text: &str) -> Result<Vec<Exception>, VexError> {
    let wrong = |reason: String| VexError::Document { file: file.to_owned(), reason };
    let document: Document =
        serde_json::from_str(text).map_err(|error| wrong(format!("no OpenVEX document: {error}")))?;
    if !document.context.starts_with(CONTEXT) {
        return Err(wrong(format!("`@context` is {:?}, and {CONTEXT}.0 is known", document.context)));
    }
    if document.statements.is_empty() {
        let reason = "it has no statement, and OpenVEX asks for one at least; write one, or list it no more";
        return Err(wrong(reason.into()));
    }
    let mut exceptions = Vec::new();
    for (index, statement) in document.statements.into_iter().enumerate() {
        let number = index + 1;
        let exception = exception(file, number, statement);
        exceptions.push(exception.map_err(|reason| VexError::Statement { file: file.to_owned(), number, reason })?);
    }
    Ok(exceptions)
}

fn exception(file: &str, number: usize, statement: Statement) -> Result<Exception, String> {
    let Statement { vulnerability, products, status, status_notes, justification, .. } = statement;
    if status == Status::NotAffected && justification.is_none() {
        let beside =
            if statement.impact_statement.is_some() { "; put the `impact_statement` into `status_notes`" } else { "" };
        return Err(format!("`not_affected` needs a `justification` of the standard's list{beside}"));
    }
    if status == Status::Affected && statement.action_statement.is_none() {
        return Err("`affected` needs an `action_statement`: what is done about it".into());
    }
    if products.is_empty() {
        return Err("it names no product: name an image, a component or a package, by its package URL".into());
    }
    let (expires, notes) = end(status_notes.as_deref().unwrap_or_default())?;
    let said = [Some(notes), statement.impact_statement, statement.action_statement];
    let notes = said.into_iter().flatten().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
    let names = std::iter::once(vulnerability.name).chain(vulnerability.aliases).collect();
    let products = products.iter().map(product).collect::<Result<_, _>>()?;
    Ok(Exception { document: file.to_owned(), number, names, products, status, justification, expires, notes })
}

/// The last day, and what follows it.
fn end(notes: &str) -> Result<(Today, String), String> {
    let how = "begin `status_notes` with it: \"expires 2027-01-31: why\"";
    let rest = notes.trim_start().strip_prefix(EXPIRES).ok_or_else(|| format!("it has no end; {how}"))?;
    let day = rest.get(..10).unwrap_or(rest);
    let expires = Today::parse(day).ok_or_else(|| format!("{day:?} is no day; {how}"))?;
    let rest = &rest[day.len()..];
    if !(rest.is_empty() || rest.starts_with([':', ' ', '\n', ';', ','])) {
        return Err(format!(
            "{:?} is no day; {how}",
            rest.split(' ').next().map_or(day.to_owned(), |more| format!("{day}{more}"))
        ));
    }
    Ok((expires, rest.trim_start_matches([':', ' ', '\n', ';', ',']).to_owned()))
}

fn product(component: &Component) -> Result<Product, String> {
    if component.subcomponents.iter().any(|inner| !inner.subcomponents.is_empty()) {
        return Err("subcomponents of subcomponents are not known".into());
    }
    let subcomponents = component.subcomponents.iter().map(identity).collect::<Result<_, _>>()?;
    Ok(Product { identity: identity(component)?, subcomponents })
}

fn identity(component: &Component) -> Result<Identity, String> {
    let purl = component.identifiers.as_ref().and_then(|identifiers| identifiers.purl.as_ref());
    let Some(text) = purl.or(component.id.as_ref()) else {
        return Err("a product without a package URL (`@id` or `identifiers.purl`)".into());
    };
    purl::identity(text)
        .ok_or_else(|| format!("{text:?} is no package URL, as in \"pkg:golang/golang.org/x/net@v0.35.0\""))
}
