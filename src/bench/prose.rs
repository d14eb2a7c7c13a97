//! Text whose words are as frequent as those of a language: the word of rank `n` about once in
//! `n` (Zipf's law).

use crate::guarantees::dice::Dice;

/// Different words.
pub const WORDS: usize = 50_000;
const CONSONANTS: [char; 16] =
    ['b', 'd', 'f', 'g', 'h', 'j', 'k', 'l', 'm', 'n', 'p', 'r', 's', 't', 'v', 'z'];
const VOWELS: [char; 5] = ['a', 'e', 'i', 'o', 'u'];
const SYLLABLES: usize = CONSONANTS.len() * VOWELS.len();
/// Steps of a number between 0 and 1.
const FINE: usize = 1 << 24;

/// The word of this rank, from 0 on: two syllables and more, each word another one.
pub fn word(rank: usize) -> String {
    let (mut word, mut left) = (String::new(), rank + SYLLABLES);
    while left > 0 {
        let syllable = left % SYLLABLES;
        word.push(CONSONANTS[syllable % CONSONANTS.len()]);
        word.push(VOWELS[syllable / CONSONANTS.len()]);
        left /= SYLLABLES;
    }
    word
}

/// So many words.
pub fn sentence(words: usize, dice: &mut Dice) -> String {
    let words: Vec<String> = (0..words).map(|_| word(rank(dice))).collect();
    words.join(" ")
}

/// Its logarithm is spread evenly.
fn rank(dice: &mut Dice) -> usize {
    let even = dice.below(FINE) as f64 / FINE as f64;
    (WORDS as f64).powf(even) as usize - 1
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn every_rank_has_a_word_of_its_own() {
        let words: HashSet<String> = (0..WORDS).map(word).collect();
        assert_eq!(words.len(), WORDS);
    }

    #[test]
    fn a_word_of_twice_the_rank_is_half_as_frequent() {
        let (mut dice, mut counts) = (Dice::new(1), HashMap::<usize, u32>::new());
        (0..200_000).for_each(|_| *counts.entry(rank(&mut dice)).or_default() += 1);
        let between = |from: usize, to: usize| {
            (from..to).map(|rank| counts.get(&rank).copied().unwrap_or(0)).sum::<u32>()
        };
        let (first, second) = (between(99, 199), between(199, 399));
        assert!(first.abs_diff(second) < first / 10, "{first} {second}");
    }
}
