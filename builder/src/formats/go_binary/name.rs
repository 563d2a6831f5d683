//! Names of functions as the linker writes them (`cmd/internal/objabi`, `debug/gosym`): `net/http.(*Client).Do`,
//! `gopkg.in/yaml%2ev3.(*Decoder[go.shape.int]).Decode.func1`.

use std::borrow::Cow;

/// The package of a function, and its name there as the Go vulnerability database writes it: `Client.Do` for a method
/// of `Client` and of `*Client`, type arguments left out. `None` for what belongs to no package (assembly without one,
/// and what the compiler makes for types: `type:.eq.…`).
pub(super) fn split(name: &str) -> Option<(Cow<'_, str>, String)> {
    // `type:.hash.…` and `go:buildid`: no package has a colon in its name.
    if name.starts_with("type:") || name.starts_with("go:") {
        return None;
    }
    // Receivers and type arguments have dots and slashes of their own.
    let head = name.find(['(', '[']).unwrap_or(name.len());
    let last = name[..head].rfind('/').map_or(0, |slash| slash + 1);
    let dot = last + name[last..].find('.')?;
    let (package, symbol) = (&name[..dot], &name[dot + 1..]);
    if package.is_empty() || symbol.is_empty() {
        return None;
    }
    Some((unescaped(package), plain(symbol)))
}

/// `(*List[…]).Push-fm` as `List.Push`.
fn plain(symbol: &str) -> String {
    let mut out = String::with_capacity(symbol.len().min(64));
    let mut depth = 0_usize;
    for character in symbol.strip_suffix("-fm").unwrap_or(symbol).chars() {
        match character {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            '(' | ')' | '*' => {}
            _ if depth == 0 => out.push(character),
            _ => {}
        }
    }
    out
}

/// `objabi.PathToPrefix` undone: dots of the last part of a path, quotes and bytes that are not ASCII stand as `%2e`.
fn unescaped(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let value = after.first_chunk::<2>().filter(|_| *first == b'%').and_then(byte);
        out.push(value.unwrap_or(*first));
        rest = if value.is_some() { &after[2..] } else { after };
    }
    match String::from_utf8(out) {
        Ok(path) => Cow::Owned(path),
        Err(_) => Cow::Borrowed(path),
    }
}

fn byte(digits: &[u8; 2]) -> Option<u8> {
    let mut out = [0];
    hex::decode_to_slice(digits, &mut out).ok()?;
    Some(out[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_split_as_advisories_write_them() {
        for (name, package, symbol) in [
            ("main.main", "main", "main"),
            ("net/http.(*Client).Do", "net/http", "Client.Do"),
            ("net/http.HandlerFunc.ServeHTTP", "net/http", "HandlerFunc.ServeHTTP"),
            ("net/http.(*Transport).RoundTrip.func1", "net/http", "Transport.RoundTrip.func1"),
            ("net/http.(*Client).Do-fm", "net/http", "Client.Do"),
            ("gopkg.in/yaml%2ev3.Unmarshal", "gopkg.in/yaml.v3", "Unmarshal"),
            ("example.com/a%2eb/c%22.F", "example.com/a.b/c\"", "F"),
            ("k8s.io/api/core/v1.(*Pod).String", "k8s.io/api/core/v1", "Pod.String"),
            ("internal/bytealg.HashStr[go.shape.string]", "internal/bytealg", "HashStr"),
            ("sync/atomic.(*Pointer[go.shape.struct { a/b.c [16]d/e.f[g] }]).Load", "sync/atomic", "Pointer.Load"),
            ("slices.SortFunc[go.shape.[]a/b.C,go.shape.*a/b.C]", "slices", "SortFunc"),
            ("a.F%", "a", "F%"),
            ("a%zz.F", "a%zz", "F"),
        ] {
            assert_eq!(split(name), Some((package.into(), symbol.into())), "{name}");
        }
    }

    #[test]
    fn what_belongs_to_no_package_is_left_out() {
        for name in
            ["cmpbody", "type:.eq.net/http.body", "type:.eq.[8]internal/cpu.option", "go:buildid", "", ".", "a.", ".a"]
        {
            assert_eq!(split(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_an_answer(name in r"[a-z/.%2e()\[\]*é-]{0,40}") {
            if let Some((package, symbol)) = split(&name) {
                prop_assert!(!package.is_empty() && !symbol.contains(['[', '(', '*']));
            }
        }
    }
}
