//! One client's view of one room: what it heard, folded as a good client folds it.

use std::collections::HashSet;
use std::ops::Bound;

use super::history::{Heard, Line, Page, Stream};

/// A stretch for which a client has everything: after `from`, and up to `to`.
#[derive(Debug)]
pub struct Stretch<'a> {
    pub from: i64,
    pub to: i64,
    pub lines: Vec<&'a Line>,
    /// The history that it began with reaches up to here: events up to it are known already.
    loaded_to: i64,
    known: HashSet<&'a Line>,
}

impl<'a> Stretch<'a> {
    fn begin(from: i64) -> Stretch<'a> {
        let (lines, known) = (Vec::new(), HashSet::new());
        Stretch { from, to: from, lines, loaded_to: i64::MIN, known }
    }

    /// The positions that it covers.
    pub fn range(&self) -> (Bound<i64>, Bound<i64>) {
        (Bound::Excluded(self.from), Bound::Included(self.to.max(self.from)))
    }
}

/// What came of a stream. A client that is told to reload begins a new stretch.
#[derive(Debug, Default)]
pub struct View<'a> {
    pub stretches: Vec<Stretch<'a>>,
    /// Events at or before one that came earlier.
    pub steps_back: Vec<&'a Heard>,
    /// Lines that came a second time.
    pub repeats: Vec<&'a Line>,
    now: Option<Stretch<'a>>,
    cursor: i64,
}

impl<'a> View<'a> {
    pub fn of(stream: &'a Stream) -> View<'a> {
        let mut view = View::default();
        stream.heard.iter().for_each(|heard| view.hear(heard));
        view.close(if stream.to_the_end { i64::MAX } else { view.cursor });
        view
    }

    /// All of a room in one stretch.
    pub fn of_page(page: &'a Page) -> View<'a> {
        let lines = page.lines.iter().collect();
        let whole = Stretch { to: i64::MAX, lines, ..Stretch::begin(i64::MIN) };
        View { stretches: vec![whole], ..View::default() }
    }

    fn hear(&mut self, heard: &'a Heard) {
        match heard {
            // A client that resumes goes on where it was; any other begins anew.
            Heard::From(position) if self.now.is_none() || *position != self.cursor => {
                self.close(self.cursor);
                self.cursor = *position;
                self.now = Some(Stretch::begin(*position));
            }
            Heard::From(_) => {}
            Heard::Message(line) if line.position > self.cursor => {
                self.cursor = line.position;
                self.take(line);
            }
            Heard::Event(position) if *position > self.cursor => self.cursor = *position,
            Heard::Message(line) if self.knows(line) => self.repeats.push(line),
            Heard::Message(_) | Heard::Event(_) => self.steps_back.push(heard),
            Heard::Reset(position) => {
                self.close(self.cursor);
                self.cursor = *position;
            }
            Heard::Loaded(lines) => {
                let mut loaded = Stretch::begin(i64::MIN);
                loaded.loaded_to = lines.last().map_or(i64::MIN, |line| line.position);
                loaded.lines.extend(lines);
                loaded.known.extend(lines);
                self.now = Some(loaded);
            }
        }
    }

    fn knows(&self, line: &Line) -> bool {
        self.now.as_ref().is_some_and(|now| now.known.contains(line))
    }

    fn take(&mut self, line: &'a Line) {
        if let Some(now) = self.now.as_mut().filter(|now| line.position > now.loaded_to) {
            now.known.insert(line);
            now.lines.push(line);
        }
    }

    fn close(&mut self, at: i64) {
        if let Some(now) = self.now.take() {
            self.stretches.push(Stretch { to: at.max(now.loaded_to), ..now });
        }
    }
}
