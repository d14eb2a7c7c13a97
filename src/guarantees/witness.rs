//! Who can say what was said in a room: the final pages, the store's among them, and every client.

use super::history::{History, Line, Page, Stream};
use super::truth::Truth;
use super::view::{Stretch, View};

pub struct Witness<'a> {
    pub whose: String,
    pub room: &'a str,
    /// `None` for who sees everything.
    user: Option<&'a str>,
    pub view: View<'a>,
}

impl<'a> Witness<'a> {
    /// All of a run.
    pub fn all(history: &'a History) -> Vec<Witness<'a>> {
        let pages = history.pages.iter().filter(|page| page.is_final);
        pages.map(Witness::page).chain(history.streams.iter().map(Witness::client)).collect()
    }

    fn page(page: &'a Page) -> Witness<'a> {
        Witness { whose: whose(page), room: &page.room, user: None, view: View::of_page(page) }
    }

    fn client(stream: &'a Stream) -> Witness<'a> {
        let (whose, user) = (listener(stream), Some(stream.user.as_str()));
        Witness { whose, room: &stream.room, user, view: View::of(stream) }
    }

    /// What there has to be of the room in one stretch: of everything acknowledged, with repeats.
    pub fn acknowledged(
        &self,
        stretch: &Stretch,
        truth: &'a Truth,
    ) -> impl Iterator<Item = &'a Line> {
        let lines = truth.acknowledged(self.room);
        let from = lines.partition_point(|line| line.position <= stretch.from);
        let to = lines.partition_point(|line| line.position <= stretch.to);
        lines[from..to.max(from)].iter().copied().filter(|line| self.may_see(line, truth))
    }

    /// As [`Witness::acknowledged`], of everything that is in the room.
    pub fn due(&self, stretch: &Stretch, truth: &'a Truth) -> impl Iterator<Item = &'a Line> {
        let lines = truth.rooms.get(self.room);
        let lines = lines.into_iter().flat_map(|lines| lines.range(stretch.range()));
        lines.map(|(_, line)| *line).filter(|line| self.may_see(line, truth))
    }

    fn may_see(&self, line: &Line, truth: &Truth) -> bool {
        self.user.is_none_or(|user| truth.may_hear(self.room, user, line.position))
    }
}

pub fn whose(page: &Page) -> String {
    format!("{:?}", page.source)
}

pub fn listener(Stream { client, user, .. }: &Stream) -> String {
    format!("client {client} of {user}")
}
