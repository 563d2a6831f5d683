//! What a registry answers to somebody whom it does not know (`WWW-Authenticate`, RFC 9110 §11.6.1), and what is sent then.

/// How it wants to be told who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// Name and password.
    Basic,
    /// A token that another server gives out.
    Bearer {
        /// That server.
        realm: String,
        /// Whom the token is for.
        service: Option<String>,
        /// What for.
        scope: Option<String>,
    },
}

impl Challenge {
    /// The challenge of a header's values that can be met, a token first.
    pub fn of(headers: &[&str]) -> Option<Challenge> {
        let all = headers.iter().flat_map(|header| schemes(header));
        let mut basic = None;
        for (scheme, parameters) in all {
            let value = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            match scheme.as_str() {
                "bearer" => {
                    if let Some(realm) = value("realm") {
                        return Some(Challenge::Bearer { realm, service: value("service"), scope: value("scope") });
                    }
                }
                "basic" => basic = Some(Challenge::Basic),
                _ => {}
            }
        }
        basic
    }
}

/// Every scheme, in lowercase, with its parameters.
fn schemes(header: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = header.trim_start_matches([' ', ',']);
    while !rest.is_empty() {
        let end = rest.find(['=', ' ', ',']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        match (after.strip_prefix('='), found.last_mut()) {
            (Some(value), Some((_, parameters))) => {
                let (value, after) = parameter(value);
                parameters.push((word.to_ascii_lowercase(), value));
                rest = after;
            }
            (Some(value), None) => rest = parameter(value).1,
            (None, _) => {
                found.push((word.to_ascii_lowercase(), Vec::new()));
                rest = after;
            }
        }
        rest = rest.trim_start_matches([' ', ',', '=']);
    }
    found
}

/// A value, in quotes or not, and what stands behind it.
fn parameter(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_at(text.find([' ', ',']).unwrap_or(text.len()));
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_is_asked_for_where_one_is_offered() {
        let header = r#"Bearer realm="https://auth.example/token?a=b",service="registry.example",scope="repository:app:pull,push""#;
        let want = Challenge::Bearer {
            realm: "https://auth.example/token?a=b".into(),
            service: Some("registry.example".into()),
            scope: Some("repository:app:pull,push".into()),
        };
        assert_eq!(Challenge::of(&[header]), Some(want.clone()));
        assert_eq!(Challenge::of(&["Basic realm=\"x, y\"", header]), Some(want));
        let both = r#"Basic realm="a \" b", Bearer realm=https://auth.example"#;
        let want = Challenge::Bearer { realm: "https://auth.example".into(), service: None, scope: None };
        assert_eq!(Challenge::of(&[both]), Some(want));
        assert_eq!(Challenge::of(&["basic"]), Some(Challenge::Basic));
        for other in ["", "Negotiate", "Bearer service=\"x\"", "=,=\"", "Bearer realm"] {
            assert_eq!(Challenge::of(&[other]), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read(header in r#"(Bearer|Basic| |,|=|"|\\|realm|\PC){0,30}"#) {
            let _ = Challenge::of(&[&header]);
        }
    }
}
