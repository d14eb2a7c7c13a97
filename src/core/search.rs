//! Finding messages by their words: what is indexed of a text, and what a query asks for.
//!
//! A word is a run of letters and digits, in lower case and without accents. Scripts that write
//! without spaces (Chinese, Japanese, Thai and their like) are indexed by single characters and by
//! pairs of neighbours, so that a query finds them anywhere. Quotes, operators and other marks in
//! a query mean nothing, and so do no harm.

use std::collections::BTreeSet;

use icu_properties::CodePointMapData;
use icu_properties::props::Script;
use unicode_normalization::UnicodeNormalization;

/// Different words of one message that are indexed; those that come later are not found.
const WORDS: usize = 1_000;
/// Characters of a word that are indexed.
const CHARACTERS: usize = 24;
/// Words of a query that count; more do not narrow it down.
const ASKED: usize = 8;
/// From so many characters on, the last word of a query is taken for the start of one.
const PREFIX: usize = 2;

/// The words of a text to index.
pub fn words(text: &str) -> BTreeSet<String> {
    if text.is_ascii() { words_of_ascii(text) } else { words_of_any(text) }
}

/// Most texts of some languages need no normal forms and have one script.
fn words_of_ascii(text: &str) -> BTreeSet<String> {
    let runs = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|run| !run.is_empty());
    let mut words = BTreeSet::new();
    for run in runs {
        if words.len() >= WORDS {
            break;
        }
        words.insert(run[..run.len().min(CHARACTERS)].to_ascii_lowercase());
    }
    words
}

fn words_of_any(text: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for run in runs(text) {
        if words.len() >= WORDS {
            break;
        }
        match run.is_spaced {
            true => drop(words.insert(shortened(&run.characters))),
            false => {
                for (at, one) in run.characters.iter().enumerate() {
                    if words.len() >= WORDS {
                        break;
                    }
                    words.insert(one.to_string());
                    words.extend(run.characters.get(at..at + 2).map(String::from_iter));
                }
            }
        }
    }
    words
}

/// What somebody looks for: all of these words, and one that begins like this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub words: BTreeSet<String>,
    pub prefix: Option<String>,
}

impl Query {
    /// `None` where there is nothing in it to look for.
    pub fn parse(text: &str) -> Option<Query> {
        let runs = runs(text);
        let mut query = Query { words: BTreeSet::new(), prefix: None };
        for (at, run) in runs.iter().enumerate() {
            let is_last = at + 1 == runs.len();
            match (run.is_spaced, run.characters.len()) {
                // Somebody may still be typing it.
                (true, PREFIX..) if is_last => query.prefix = Some(shortened(&run.characters)),
                (true, _) => drop(query.words.insert(shortened(&run.characters))),
                (false, 1) => drop(query.words.insert(run.characters[0].to_string())),
                (false, _) => query.words.extend(run.characters.windows(2).map(String::from_iter)),
            }
        }
        while query.words.len() > ASKED {
            query.words.pop_first();
        }
        (query.prefix.is_some() || !query.words.is_empty()).then_some(query)
    }

    /// Whether a text has all that is asked for.
    pub fn matches(&self, text: &str) -> bool {
        let words = words(text);
        let begins = |prefix: &String| words.range(prefix.clone()..).next();
        self.words.is_subset(&words)
            && self.prefix.as_ref().is_none_or(|prefix| {
                begins(prefix).is_some_and(|word| word.starts_with(prefix.as_str()))
            })
    }
}

/// Characters that belong together.
struct Run {
    characters: Vec<char>,
    /// Whether its script puts spaces between words.
    is_spaced: bool,
}

fn runs(text: &str) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut goes_on = false;
    // Compatible forms become the plain ones, accents go, and what belongs together is one again.
    let is_accent = |c: &char| ('\u{300}'..='\u{36f}').contains(c);
    for c in text.nfkd().filter(|c| !is_accent(c)).nfc().flat_map(char::to_lowercase) {
        let belongs = c.is_alphanumeric() || goes_on && is_mark(c);
        if !belongs {
            goes_on = false;
            continue;
        }
        let is_spaced = writes_spaces(c);
        match runs.last_mut().filter(|run| goes_on && run.is_spaced == is_spaced) {
            Some(run) => run.characters.push(c),
            None => runs.push(Run { characters: vec![c], is_spaced }),
        }
        goes_on = true;
    }
    runs
}

/// Vowel signs and the like, without which a word of some scripts falls apart.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

fn writes_spaces(c: char) -> bool {
    let unspaced = [
        Script::Han,
        Script::Hiragana,
        Script::Katakana,
        Script::Bopomofo,
        Script::Thai,
        Script::Lao,
        Script::Khmer,
        Script::Myanmar,
    ];
    !unspaced.contains(&CodePointMapData::<Script>::new().get(c)) && c != 'ー'
}

fn shortened(characters: &[char]) -> String {
    characters.iter().take(CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn finds(query: &str, text: &str) -> bool {
        Query::parse(query).is_some_and(|query| query.matches(text))
    }

    #[test]
    fn words_are_found_whatever_their_case_and_accents() {
        let text = "Ça va? L'été à Zürich, ΑΘΗΝΑ, naïve Ångström";
        for query in ["ça", "CA", "ete", "zurich", "αθηνα", "naive angstrom", "va l'été"] {
            assert!(finds(query, text), "{query}");
        }
        assert!(!finds("winter", text) && !finds("zurich winter", text));
    }

    #[test]
    fn no_text_has_more_words_than_are_indexed() {
        let han: String = ('\u{4e00}'..'\u{5000}').cycle().take(4_000).collect();
        let spaced: String = (0..4_000).map(|number| format!("w{number} ")).collect();
        for text in [han, spaced] {
            let count = words(&text).len();
            assert!((WORDS..=WORDS + 1).contains(&count), "{count}");
        }
    }

    proptest! {
        #[test]
        fn ascii_has_the_same_words_either_way(text in "[ -~\\n\\t]{0,300}") {
            prop_assert_eq!(words_of_ascii(&text), words_of_any(&text));
        }
    }

    #[test]
    fn short_words_numbers_and_beginnings_are_found() {
        assert!(finds("go", "go on, v2 is 42"));
        assert!(finds("v2", "go on, v2 is 42") && finds("42", "go on, v2 is 42"));
        assert!(finds("roo", "a rookery") && finds("a roo", "a rookery"));
        assert!(!finds("roo a", "a rookery"), "only the last word may be a beginning");
        assert!(finds("x", "x marks it") && !finds("x", "xylophone"));
    }

    #[test]
    fn chinese_japanese_and_thai_are_found_in_the_middle() {
        assert!(finds("上海", "我在上海工作") && finds("海", "我在上海工作"));
        assert!(!finds("海上", "我在上海工作"));
        assert!(
            finds("ラーメン", "昨日ラーメンを食べた") && finds("食べた", "昨日ラーメンを食べた")
        );
        assert!(!finds("か", "が") && finds("ｶﾞ", "ガ"));
        assert!(finds("กรุงเทพ", "ฉันอยู่กรุงเทพฯ"));
        assert!(finds("서울", "서울 날씨") && !finds("울", "서울 날씨"));
        assert!(finds("mysql上", "mysql上海"));
    }

    #[test]
    fn marks_mean_nothing_and_alone_are_no_query() {
        assert!(finds("\"low tide\" AND (six)*", "low tide and six"));
        assert!(finds("c++ -tide +low OR", "low c tide or"));
        for nothing in ["", "  ", "\"\"", "*", "-+()", "👍"] {
            assert_eq!(Query::parse(nothing), None, "{nothing}");
        }
    }

    /// The page marks what was found by rules of its own (`static/lib/words.js`), held to the same.
    #[test]
    fn the_cases_that_the_page_shares_hold() {
        let cases = include_str!("../../tests/search-cases.json");
        let cases: serde_json::Value = serde_json::from_str(cases).unwrap();
        let pairs = |name: &str| -> Vec<[String; 2]> {
            serde_json::from_value(cases[name].clone()).unwrap()
        };
        for [query, text] in pairs("finds") {
            assert!(finds(&query, &text), "{query} in {text}");
        }
        for [query, text] in pairs("does_not_find") {
            assert!(!finds(&query, &text), "{query} in {text}");
        }
        for nothing in cases["asks_nothing"].as_array().unwrap() {
            assert_eq!(Query::parse(nothing.as_str().unwrap()), None, "{nothing}");
        }
    }

    #[test]
    fn long_texts_and_queries_have_bounds() {
        let long: String = (0..5_000).map(|n| format!("w{n} ")).collect();
        assert_eq!(words(&long).len(), WORDS);
        assert!(Query::parse(&long).is_some_and(|query| query.words.len() == ASKED));
        let word = "a".repeat(500);
        assert!(finds(&word, &word));
    }
}
