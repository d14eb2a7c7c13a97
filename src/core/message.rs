//! Messages, and what a later change to one has to know of it.
//!
//! A room keeps no texts, so a record that changes a message brings along what its publisher read
//! of it: the `Original`. Changes may cross, though: two people react at once, or one edits what
//! an admin deletes. So a room remembers the messages that were changed last, and a fold that
//! remembers a message goes by that and not by what the record brings. The memory is counted in
//! messages and is the same in every fold, whether it read the whole log or began from the store.

use std::collections::{BTreeMap, HashMap};

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::markup;
use super::types::{MessageId, Person, Position, RoomId, Timestamp, UserId};

/// Changed messages that a room remembers.
pub const CHANGED: usize = 256;
/// Different emoji on one message. One more is refused with `too_many_reactions`.
pub const EMOJI: usize = 20;
/// Reactions to one message, all emoji together. One more is refused with `too_many_reactions`.
pub const REACTIONS: usize = 5_000;
/// Characters of a quoted message that a reply shows.
pub const QUOTE: usize = 200;

/// A message. It is serialised as clients see it, with its text rendered as `html` where that is
/// more than plain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Message {
    pub id: MessageId,
    pub room_id: RoomId,
    pub position: Position,
    pub sender: Person,
    /// Absent once it was deleted.
    pub body: Option<String>,
    pub sent_at: Timestamp,
    pub edited_at: Option<Timestamp>,
    #[serde(default)]
    pub deleted: bool,
    pub reply_to: Option<MessageId>,
    /// What it replies to.
    pub quote: Option<Quote>,
    #[serde(default)]
    pub reactions: Vec<Reaction>,
    pub client_id: Option<String>,
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let html = self.body.as_deref().and_then(markup::to_html);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("room_id", &self.room_id)?;
        map.serialize_entry("position", &self.position)?;
        map.serialize_entry("sender", &self.sender)?;
        present(&mut map, "body", &self.body)?;
        present(&mut map, "html", &html)?;
        map.serialize_entry("sent_at", &self.sent_at)?;
        present(&mut map, "edited_at", &self.edited_at)?;
        present(&mut map, "deleted", &self.deleted.then_some(true))?;
        present(&mut map, "reply_to", &self.reply_to)?;
        present(&mut map, "quote", &self.quote)?;
        map.serialize_entry("reactions", &self.reactions)?;
        present(&mut map, "client_id", &self.client_id)?;
        map.end()
    }
}

/// Writes a field, or leaves it out.
fn present<M: SerializeMap>(
    map: &mut M,
    name: &'static str,
    value: &Option<impl Serialize>,
) -> Result<(), M::Error> {
    value.as_ref().map_or(Ok(()), |value| map.serialize_entry(name, value))
}

/// The message that another one replies to, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    pub id: MessageId,
    pub sender: Person,
    /// Its first characters; absent once it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

impl Quote {
    /// What stays of it once the message that it quotes is deleted.
    pub fn into_deleted(self) -> Quote {
        Quote { body: None, deleted: true, ..self }
    }
}

/// How many people reacted to a message with one emoji.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    pub emoji: String,
    pub count: usize,
    /// Whether the viewer is among them; see [`Message::seen_by`].
    pub mine: bool,
    /// In the order in which they did.
    #[serde(skip)]
    pub users: Vec<UserId>,
}

impl Message {
    /// Marks the viewer's own reactions.
    pub fn seen_by(mut self, viewer: UserId) -> Message {
        for reaction in &mut self.reactions {
            reaction.mine = reaction.users.contains(&viewer);
        }
        self
    }

    /// What stays of it once it is deleted.
    pub fn into_deleted(self) -> Message {
        let reactions = Vec::new();
        Message { body: None, quote: None, reply_to: None, deleted: true, reactions, ..self }
    }

    /// What a change to it has to know.
    pub fn original(&self) -> Original {
        Original {
            id: self.id,
            position: self.position,
            sender: self.sender.clone(),
            sent_at: self.sent_at,
            edited_at: self.edited_at,
            deleted: self.deleted,
            reply_to: self.reply_to,
            client_id: self.client_id.clone(),
            reactions: self.reactions.iter().map(Into::into).collect(),
        }
    }

    pub fn to_quote(&self) -> Quote {
        let start = |body: &String| body.chars().take(QUOTE).collect();
        Quote {
            id: self.id,
            sender: self.sender.clone(),
            body: self.body.as_ref().map(start),
            deleted: self.deleted,
        }
    }
}

/// A message without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    pub id: MessageId,
    pub position: Position,
    pub sender: Person,
    pub sent_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reactors>,
}

/// Who reacted with one emoji.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reactors {
    pub emoji: String,
    pub users: Vec<UserId>,
}

impl From<Reactors> for Reaction {
    fn from(Reactors { emoji, users }: Reactors) -> Reaction {
        Reaction { emoji, count: users.len(), mine: false, users }
    }
}

impl From<&Reaction> for Reactors {
    fn from(Reaction { emoji, users, .. }: &Reaction) -> Reactors {
        Reactors { emoji: emoji.clone(), users: users.clone() }
    }
}

impl Original {
    /// The whole message again; without a text it is a deleted one.
    pub fn to_message(&self, room: RoomId, body: Option<String>, quote: Option<Quote>) -> Message {
        Message {
            id: self.id,
            room_id: room,
            position: self.position,
            sender: self.sender.clone(),
            deleted: body.is_none(),
            body,
            sent_at: self.sent_at,
            edited_at: self.edited_at,
            reply_to: self.reply_to,
            quote,
            reactions: self.reactions.iter().cloned().map(Into::into).collect(),
            client_id: self.client_id.clone(),
        }
    }

    pub fn has_reacted(&self, user: UserId, emoji: &str) -> bool {
        let mut reactions = self.reactions.iter();
        reactions.any(|reaction| reaction.emoji == emoji && reaction.users.contains(&user))
    }

    /// Whether there is room for one more.
    pub fn takes_reaction(&self, emoji: &str) -> bool {
        let all: usize = self.reactions.iter().map(|reaction| reaction.users.len()).sum();
        let known = self.reactions.iter().any(|reaction| reaction.emoji == emoji);
        all < REACTIONS && (known || self.reactions.len() < EMOJI)
    }

    /// Adds or takes back a reaction; returns how many have this emoji now.
    pub fn react(&mut self, user: UserId, emoji: &str, on: bool) -> usize {
        let at = self.reactions.iter().position(|reaction| reaction.emoji == emoji);
        match (at, on) {
            (Some(at), true) => {
                self.reactions[at].users.push(user);
                self.reactions[at].users.len()
            }
            (None, true) => {
                self.reactions.push(Reactors { emoji: emoji.to_owned(), users: vec![user] });
                1
            }
            (Some(at), false) => {
                self.reactions[at].users.retain(|other| *other != user);
                let count = self.reactions[at].users.len();
                if count == 0 {
                    self.reactions.remove(at);
                }
                count
            }
            (None, false) => 0,
        }
    }
}

/// The messages of a room that were changed last: those with the highest positions of a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    originals: HashMap<MessageId, (Position, Original)>,
    order: BTreeMap<Position, MessageId>,
}

impl Changed {
    /// Notes how a message is after the change at this position.
    pub fn note(&mut self, position: Position, original: Original) {
        let id = original.id;
        if let Some((before, _)) = self.originals.insert(id, (position, original)) {
            self.order.remove(&before);
        }
        self.order.insert(position, id);
        while self.order.len() > CHANGED {
            if let Some((_, oldest)) = self.order.pop_first() {
                self.originals.remove(&oldest);
            }
        }
    }

    /// Puts a person's names in place of those that are remembered.
    pub fn rename(&mut self, to: &Person) {
        let originals = self.originals.values_mut().map(|(_, original)| original);
        for original in originals.filter(|original| original.sender.id == to.id) {
            original.sender = to.clone();
        }
    }

    pub fn find(&self, id: MessageId) -> Option<&Original> {
        self.originals.get(&id).map(|(_, original)| original)
    }
}

/// A message of the first room, as simple as one can be.
#[cfg(test)]
pub fn example(id: MessageId, position: Position) -> Message {
    Message {
        id,
        room_id: RoomId::Group(1),
        position,
        sender: Person { id: UserId(1), username: "ann".into(), display_name: "Ann".into() },
        body: Some("hi".into()),
        sent_at: Timestamp(0),
        edited_at: None,
        deleted: false,
        reply_to: None,
        quote: None,
        reactions: Vec::new(),
        client_id: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn original(id: i64) -> Original {
        Original {
            id: MessageId(id),
            position: Position(id),
            sender: Person { id: UserId(1), username: "ann".into(), display_name: "Ann".into() },
            sent_at: Timestamp(0),
            edited_at: None,
            deleted: false,
            reply_to: None,
            client_id: None,
            reactions: Vec::new(),
        }
    }

    #[test]
    fn the_messages_changed_last_are_remembered() {
        let mut changed = Changed::default();
        for id in 0..CHANGED as i64 {
            changed.note(Position(id), original(id));
        }
        // Changed again, the first is not the oldest any more.
        changed.note(Position(CHANGED as i64), original(0));
        changed.note(Position(CHANGED as i64 + 1), original(9_999));
        assert!(changed.find(MessageId(0)).is_some() && changed.find(MessageId(1)).is_none());
        assert_eq!(changed.order.len(), changed.originals.len());
    }

    #[test]
    fn reactions_come_and_go_one_a_person_and_emoji() {
        let mut message = original(1);
        assert_eq!(message.react(UserId(1), "👍", true), 1);
        assert_eq!(message.react(UserId(2), "👍", true), 2);
        assert_eq!(message.react(UserId(2), "🎉", true), 1);
        assert!(message.has_reacted(UserId(2), "👍") && !message.has_reacted(UserId(1), "🎉"));
        assert_eq!(message.react(UserId(1), "👍", false), 1);
        assert_eq!(message.react(UserId(2), "🎉", false), 0);
        let view = message.to_message(RoomId::Group(1), Some("hi".into()), None).seen_by(UserId(2));
        assert_eq!(view.reactions.len(), 1);
        assert!(view.reactions[0].mine && view.reactions[0].count == 1);
    }

    #[test]
    fn a_message_takes_so_many_emoji_and_reactions() {
        let mut message = original(1);
        for number in 0..EMOJI {
            assert!(message.takes_reaction(&number.to_string()));
            message.react(UserId(1), &number.to_string(), true);
        }
        assert!(!message.takes_reaction("another") && message.takes_reaction("0"));
        for user in message.reactions.len()..REACTIONS {
            message.react(UserId(user as i64 + 1), "0", true);
        }
        assert!(!message.takes_reaction("0"));
    }
}
