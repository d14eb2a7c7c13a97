//! What people type: which names, texts and passwords are allowed, and whom a line mentions.
//!
//! Every check names the field and says what it should be, since the answer goes to the person.

use std::collections::HashSet;

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_normalization::UnicodeNormalization;
use unicode_security::MixedScript;

/// Sizes of what people type, in characters unless said otherwise. Each is a setting of `limits`.
#[derive(Debug, Clone)]
pub struct TextLimits {
    pub message_characters: usize,
    pub username_characters: usize,
    pub display_name_characters: usize,
    pub room_name_characters: usize,
    pub topic_characters: usize,
}

/// In a mention by an admin; so nobody may have this name.
const EVERYBODY: &str = "all";
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
        _ if !text.chars().any(is_visible) => invalid("body", "a message needs some visible text"),
        _ => Ok(text.to_owned()),
    }
}

/// A user name in the form in which it is stored: letters that only look different, such as those
/// of full width, become the plain ones.
pub fn username(text: &str, limits: &TextLimits) -> Result<String, Invalid> {
    let name: String = text.nfkc().collect();
    let most = limits.username_characters;
    if !(USERNAME_LEAST..=most).contains(&name.chars().count()) || !name.chars().all(is_of_a_name) {
        let detail = format!(
            "a user name has {USERNAME_LEAST} to {most} letters, digits, underscores, dots or hyphens"
        );
        return invalid("username", detail);
    }
    if !name.as_str().is_single_script() {
        return invalid("username", "a user name has letters of one script, and not of several");
    }
    match username_key(&name) == EVERYBODY {
        true => invalid("username", "this user name is reserved, since @all calls everybody"),
        false => Ok(name),
    }
}

/// What makes a user name unique: the same for names that differ in case or in form alone.
pub fn username_key(text: &str) -> String {
    let lower = text.nfkc().collect::<String>().to_lowercase();
    lower.nfkc().collect()
}

fn is_of_a_name(c: char) -> bool {
    // Some that count as letters, the Hangul fillers, show nothing.
    (c.is_alphanumeric() && is_visible(c)) || matches!(c, '_' | '.' | '-')
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
    if !is_plain_line(text) {
        return invalid(field, format!("{field} is one line, without control characters"));
    }
    match least == 0 || text.chars().any(is_visible) {
        true => Ok(text.to_owned()),
        false => invalid(field, format!("{field} needs a visible character")),
    }
}

/// Whether a text has no character that breaks the line, turns round what follows, or hides. Kept
/// are the joiners that some scripts and emoji need, and the tags that make the flags of regions.
fn is_plain_line(text: &str) -> bool {
    let mut before = None;
    text.chars().all(|c| {
        let before = before.replace(c);
        match c {
            '\u{200c}' | '\u{200d}' => before.is_some_and(|c| !c.is_whitespace() && !is_format(c)),
            '\u{e0020}'..='\u{e007f}' => {
                matches!(before, Some('\u{1f3f4}' | '\u{e0020}'..='\u{e007e}'))
            }
            '\u{2028}' | '\u{2029}' => false,
            c => !c.is_control() && !is_format(c),
        }
    })
}

fn is_format(c: char) -> bool {
    category(c) == GeneralCategory::Format
}

/// Whether a character shows something by itself.
fn is_visible(c: char) -> bool {
    use GeneralCategory::{Control, EnclosingMark, Format, NonspacingMark};
    const EMPTY_BRAILLE: char = '\u{2800}';
    let category = category(c);
    !c.is_whitespace()
        && c != EMPTY_BRAILLE
        && !matches!(category, Control | Format | NonspacingMark | EnclosingMark)
        && !CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
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

/// The names after an `@` in a text, as their keys. An `@` inside a word, as in a mail address,
/// calls nobody; a full stop that ends the sentence is no part of the name.
pub fn mentions(body: &str) -> HashSet<String> {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    let mut names = HashSet::new();
    let mut before = ' ';
    for (at, c) in body.char_indices() {
        if c == '@' && !is_name(before) {
            let rest = &body[at + 1..];
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            let name = username_key(rest[..end].trim_end_matches(['.', '-']));
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
    fn user_names_are_told_apart_by_their_looks() {
        let limits = crate::config::Limits::default().text();
        assert_eq!(username("\u{ff21}\u{ff2e}\u{ff2e}", &limits).unwrap(), "ANN", "full width");
        assert_eq!(username("Zoe\u{308}", &limits).unwrap(), "Zo\u{eb}");
        assert_eq!(username_key("\u{ff21}\u{ff2e}\u{ff2e}"), username_key("Ann"));
        for good in ["Анна", "안나-2", "田中たろう", "अनिता", "ann.2_b"] {
            assert!(username(good, &limits).is_ok(), "{good}");
        }
        for wrong in ["\u{430}nn", "all", "ALL", "\u{ff41}ll", "ann\u{3164}", "a\u{200d}nn"] {
            assert_eq!(username(wrong, &limits).unwrap_err().field, "username", "{wrong:?}");
        }
    }

    #[test]
    fn a_name_can_be_seen_and_does_not_turn_round_what_follows() {
        let limits = crate::config::Limits::default().text();
        let family = "\u{1f469}\u{200d}\u{1f467}\u{200d}\u{1f466} Lee";
        let wales = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f} Cai";
        let joined = "علی\u{200c}رضا";
        for good in [family, wales, joined, "\u{2764}\u{fe0f}", "e\u{301}", "\u{1f1eb}\u{1f1f7}"] {
            assert_eq!(display_name(good, &limits).unwrap(), good);
        }
        let hidden = ["\u{200b}", "\u{2800}", "\u{3164}", "\u{fe0f}", "\u{301}", "\u{200d}"];
        let odd = ["\u{202e}evil", "a\u{200b}b", "a\u{2028}b", "a\u{e0041}", "a\u{200d}\u{200d}b"];
        for wrong in hidden.into_iter().chain(odd) {
            assert!(display_name(wrong, &limits).is_err(), "{wrong:?}");
            assert!(room_name(wrong, &limits).is_err(), "{wrong:?}");
        }
        assert!(topic("\u{202e}", &limits).is_err());
        for wrong in hidden {
            assert_eq!(message_body(wrong, &limits).unwrap_err().field, "body", "{wrong:?}");
        }
        assert!(message_body("\u{202e}as one likes", &limits).is_ok());
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
        assert_eq!(of("@\u{ff21}nn"), "ann");
        assert_eq!(of("mail me: ann@example.org or @"), "");
    }
}
