//! Selecting sessions by their identifier.

use regex::Regex;

use crate::error::{Error, Printable, Result};

/// A pattern over session identifiers: `*` is any sequence of characters, everything else means itself. The whole
/// identifier must match, upper and lower case are different.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    /// `None`: matches everything.
    regex: Option<Regex>,
}

impl Pattern {
    /// Reads a pattern; fails only if it is too large to be matched.
    pub fn new(pattern: &str) -> Result<Self> {
        let regex = if !pattern.is_empty() && pattern.bytes().all(|b| b == b'*') {
            None
        } else {
            let parts: Vec<String> = pattern.split('*').map(regex::escape).collect();
            // (?s): an identifier may contain line breaks, and `*` stands for them too.
            let whole = format!("(?s)^{}$", parts.join(".*"));
            Some(Regex::new(&whole).map_err(|error| {
                let reason = format!("pattern '{}' cannot be used: {error}; use a shorter one", Printable(pattern));
                Error::Invalid(reason)
            })?)
        };
        Ok(Self { text: pattern.to_owned(), regex })
    }

    /// Whether the whole identifier matches.
    #[must_use]
    pub fn matches(&self, identifier: &str) -> bool {
        self.regex.as_ref().is_none_or(|regex| regex.is_match(identifier))
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::{prop_assert_eq, proptest};

    fn matches(pattern: &str, identifier: &str) -> bool {
        Pattern::new(pattern).unwrap().matches(identifier)
    }

    #[test]
    fn a_star_is_any_sequence_and_everything_else_is_literal() {
        for identifier in ["", "Race", "two\nlines", "ünïcode"] {
            assert!(matches("*", identifier), "{identifier:?}");
        }
        assert!(matches("Race*", "Race 1") && matches("Race*", "Race") && matches("*1", "Race\n1"));
        assert!(matches("a*b*c", "a--b--c") && !matches("a*b*c", "a--c--b"));
        assert!(!matches("Race", "Race 1") && !matches("race", "Race") && !matches("ace", "Race"));
        assert!(matches("[x].+?(1)", "[x].+?(1)") && !matches("R.ce", "Race") && !matches("Race?", "Race"));
        assert!(matches("", "") && !matches("", "x"));
        assert!(!matches("Race", "Race\n"));
    }

    /// The definition, written without a regex: try every split.
    fn by_definition(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|skip| by_definition(rest, &text[skip..])),
            Some((c, rest)) => text.first() == Some(c) && by_definition(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn matching_follows_the_definition(pattern in "[ab.*\n]{0,6}", text in "[ab.\n]{0,8}") {
            let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(matches(&pattern, &text), by_definition(&p, &t));
        }
    }
}
