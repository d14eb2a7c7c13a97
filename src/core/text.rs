//! What people type: which names, texts and passwords are allowed, and whom a line mentions.
//!
//! Every check names the field and says what it should be, since the answer goes to the person.

use std::collections::HashSet;

/// Sizes of what people type, in characters unless said otherwise. Each is a setting of `limits`.
#[derive(Debug, Clone)]
pub struct TextLimits {
    pub message_characters: usize,
    pub username_characters: usize,
    pub display_name_characters: usize,
    pub room_name_characters: usize,
    pub topic_characters: usize,
}

/// The shortest user name, in characters.
const USERNAME_LEAST: usize = 3;
/// Passwords in bytes: shorter ones are guessed, longer ones only cost time to hash.
const PASSWORD_BYTES: std::ops::RangeInclusive<usize> = 8..=256;
const CLIENT_ID_BYTES: std::ops::RangeInclusive<usize> = 1..=64;

/// A value that is well formed, but not allowed: `invalid_FIELD`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Invalid {
    pub field: &'static str,
    pub detail: String,
}

fn invalid<T>(field: &'static str, detail: impl Into<String>) -> Result<T, Invalid> {
    Err(Invalid { field, detail: detail.into() })
}

/// A message's text without its outer blanks.
pub fn message_body(text: &str, limits: &TextLimits) -> Result<String, Invalid> {
    let text = text.trim();
    let most = limits.message_characters;
    match text.chars().count() {
        0 => invalid("body", "a message needs some text"),
        count if count > most => invalid(
            "body",
            format!("a message has at most {most} characters; this one has {count}"),
        ),
        _ if text.contains('\0') => invalid("body", "a message has no NUL characters"),
        _ => Ok(text.to_owned()),
    }
}

pub fn username(text: &str, limits: &TextLimits) -> Result<String, Invalid> {
    let most = limits.username_characters;
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    if !(USERNAME_LEAST..=most).contains(&text.chars().count()) || !text.chars().all(allowed) {
        let detail = format!(
            "a user name has {USERNAME_LEAST} to {most} letters, digits, underscores, dots or hyphens"
        );
        return invalid("username", detail);
    }
    Ok(text.to_owned())
}

/// Refuses what a guesser tries first. The user's own names count as guesses too.
pub fn password(text: &str, names: &[&str]) -> Result<(), Invalid> {
    if !PASSWORD_BYTES.contains(&text.len()) {
        let (least, most) = (PASSWORD_BYTES.start(), PASSWORD_BYTES.end());
        return invalid("password", format!("a password has {least} to {most} bytes"));
    }
    // zxcvbn's cost grows with the length; past this, length alone makes up for anything.
    let is_long = text.len() > 64;
    if !is_long && zxcvbn::zxcvbn(text, names).score() == zxcvbn::Score::Zero {
        return invalid(
            "password",
            "this password is among the first thousand that anyone would try",
        );
    }
    Ok(())
}

pub fn display_name(text: &str, limits: &TextLimits) -> Result<String, Invalid> {
    line("display_name", text, 1, limits.display_name_characters)
}

pub fn room_name(text: &str, limits: &TextLimits) -> Result<String, Invalid> {
    line("name", text, 1, limits.room_name_characters)
}

pub fn topic(text: &str, limits: &TextLimits) -> Result<String, Invalid> {
    line("topic", text, 0, limits.topic_characters)
}

/// One line of text without its outer blanks.
fn line(field: &'static str, text: &str, least: usize, most: usize) -> Result<String, Invalid> {
    let text = text.trim();
    if !(least..=most).contains(&text.chars().count()) {
        return invalid(field, format!("{field} has {least} to {most} characters"));
    }
    match text.chars().any(char::is_control) {
        true => invalid(field, format!("{field} is one line, without control characters")),
        false => Ok(text.to_owned()),
    }
}

pub fn client_id(text: &str) -> Result<(), Invalid> {
    match CLIENT_ID_BYTES.contains(&text.len()) && text.bytes().all(|b| (b' '..=b'~').contains(&b))
    {
        true => Ok(()),
        false => invalid("client_id", "a client_id has 1 to 64 printable ASCII characters"),
    }
}

/// An emoji, in the form that Unicode calls fully qualified, so that equal ones are the same text.
pub fn emoji(text: &str) -> Result<&'static str, Invalid> {
    match emojis::get(text) {
        Some(emoji) => Ok(emoji.as_str()),
        None => invalid("emoji", "this is not one emoji"),
    }
}

/// The names after an `@` in a text, in lower case. An `@` inside a word, as in a mail address,
/// calls nobody; a full stop that ends the sentence is no part of the name.
pub fn mentions(body: &str) -> HashSet<String> {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    let mut names = HashSet::new();
    let mut before = ' ';
    for (at, c) in body.char_indices() {
        if c == '@' && !is_name(before) {
            let rest = &body[at + 1..];
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            let name = rest[..end].trim_end_matches(['.', '-']).to_lowercase();
            if !name.is_empty() {
                names.insert(name);
            }
        }
        before = c;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_stored_without_outer_blanks_and_counted_in_characters() {
        let limits = crate::config::Limits::default().text();
        assert_eq!(message_body("  hé\n", &limits).unwrap(), "hé");
        assert!(message_body(&"é".repeat(4_000), &limits).is_ok());
        assert_eq!(message_body(&"é".repeat(4_001), &limits).unwrap_err().field, "body");
        assert!(message_body(" \n ", &limits).is_err());
    }

    #[test]
    fn names_and_client_ids_are_plain() {
        let limits = crate::config::Limits::default().text();
        for good in ["ann", "Ann.B-c_9", "Zoë"] {
            assert!(username(good, &limits).is_ok(), "{good}");
        }
        for wrong in ["", "ab", "a b c", "ann@home", &"a".repeat(33)] {
            assert!(username(wrong, &limits).is_err(), "{wrong}");
        }
        assert!(client_id("0192-a b~").is_ok());
        assert!(client_id("").is_err() && client_id("é").is_err() && client_id("\n").is_err());
        assert!(room_name("line\nbreak", &limits).is_err() && topic("", &limits).is_ok());
    }

    #[test]
    fn common_passwords_are_refused() {
        for wrong in ["short", "password", "12345678", "qwertyuiop", &"x".repeat(257)] {
            assert!(password(wrong, &[]).is_err(), "{wrong}");
        }
        assert!(password("annabel.lee", &["annabel.lee"]).is_err());
        assert!(password("correct horse battery staple", &["ann"]).is_ok());
    }

    #[test]
    fn mentions_are_whole_names() {
        let of = |text| {
            let mut names: Vec<_> = mentions(text).into_iter().collect();
            names.sort();
            names.join(" ")
        };
        assert_eq!(of("hey @Ann. and (@bob-2), @all!"), "all ann bob-2");
        assert_eq!(of("mail me: ann@example.org or @"), "");
    }
}
