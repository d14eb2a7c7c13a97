//! The decoders of what comes from outside, on random bytes, on examples that were changed, and on
//! long ones: none panics, none takes for ever, and what is decoded comes back as it was.
//!
//! What is tried stands in `fuzz/src/lib.rs`, for the fuzzer, too; CONTRIBUTING.md says how to run
//! that.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::path::Path;
use std::time::{Duration, Instant};

use rookery::guarantees::dice::Dice;
use targets::{ALL, Target};

/// Changed examples of each decoder.
const TRIES: usize = 3_000;
/// As long as a socket's frame or an HTTP body may be.
const LONG: usize = 64 * 1024;
/// A decoder that takes time with the square of its length takes minutes for such a text.
const WITHIN: Duration = Duration::from_secs(5);

fn examples(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Runs a decoder; where it panics, says on what.
fn run((name, target): Target, data: &[u8]) {
    let ran = std::panic::catch_unwind(|| target(data));
    assert!(ran.is_ok(), "{name} on {:?}", String::from_utf8_lossy(data));
}

#[test]
fn examples_are_read() {
    for target in ALL {
        let examples = examples(target.0);
        assert!(examples.len() > 1, "{} has examples", target.0);
        examples.iter().for_each(|example| run(target, example));
    }
}

#[test]
fn random_bytes_and_changed_examples_do_no_harm() {
    let mut dice = Dice::new(seed());
    for target in ALL {
        let examples = examples(target.0);
        for _ in 0..TRIES {
            let mut data = dice.one_of(&examples).clone();
            for _ in 0..dice.between(1, 6) {
                change(&mut data, &examples, &mut dice);
            }
            run(target, &data);
            let random: Vec<u8> = (0..dice.below(64)).map(|_| dice.throw() as u8).collect();
            run(target, &random);
        }
    }
}

fn seed() -> u64 {
    let given = std::env::var("ROOKERY_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64);
    println!("ROOKERY_TEST_SEED={seed}");
    seed
}

/// What JSON, Markdown and people are made of.
const PIECES: [&str; 24] = [
    "\"",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "null",
    "true",
    "-1",
    "1e999",
    "9223372036854775808",
    "\\u0000",
    "\\ud800",
    "\u{202e}",
    "\u{301}",
    "👨‍👩‍👧‍👦",
    "ß",
    "İ",
    "`",
    "*_~",
    "](",
    "<a ",
    "\n\n    ",
];

fn change(data: &mut Vec<u8>, examples: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.below(data.len() + 1);
    let end = at + dice.below(data.len() + 1 - at);
    match dice.below(6) {
        0 => data.truncate(at),
        1 => drop(data.drain(at..end)),
        2 if at < data.len() => data[at] = dice.throw() as u8,
        3 => {
            let again: Vec<u8> = data[at..end].to_vec();
            data.splice(at..at, again);
        }
        4 => {
            let other = dice.one_of(examples);
            let from = dice.below(other.len() + 1);
            data.splice(at..end, other[from..].iter().copied());
        }
        _ => drop(data.splice(at..at, dice.one_of(&PIECES).bytes())),
    }
}

#[test]
fn nothing_that_is_long_takes_for_ever() {
    let open = ["[", "{\"a\":", "*", "**a ", "> ", "`", "``` ", "<a ", "[a](", "![", "_a_", "~~"];
    let said =
        ["a ", "@ann ", "日本", "a\u{301}", "\u{300}", "http://a.b ", "&#", "\\", "- a\n", "1=&"];
    for target in ALL {
        for piece in open.iter().chain(&said) {
            let long = piece.repeat(LONG / piece.len());
            let started = Instant::now();
            run(target, long.as_bytes());
            let took = started.elapsed();
            assert!(took < WITHIN, "{} took {took:?} for {piece:?} again and again", target.0);
        }
    }
}
