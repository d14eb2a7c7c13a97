//! The rules of a chat room, as told to a friend: who may speak, and what happens when they do.
//!
//! A room is folded over its records. `admit` asks whether an action would be accepted now and is
//! called before publishing; `apply` is called when the record comes back from the log and has the
//! last word, since a removal may have come in between. Both ask the same `check`, which looks at
//! nothing but what earlier records made: so every instance, and the store, decide alike.

use std::collections::{BTreeMap, BTreeSet};

pub use super::event::{Event, Info, Member, Mentions};
pub use super::message::Message;
use super::message::{Changed, Original, Quote};
use super::mute::Mutes;
use super::recent::{First, Recent};
use super::record::{Action, Changes, Founding, Post, Record};
pub use super::refusal::Refusal;
pub use super::standing::{Doer, Standing};
use super::text;
use super::types::{
    Person, Place, Position, Role, RoomId, RoomKind, Timestamp, UserId, Visibility,
};

/// Members of one group. One more is refused with `room_full`.
pub const MAX_MEMBERS: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// No record has made it yet.
    Absent,
    Live,
    Deleted,
}

/// A room as the records so far made it.
#[derive(Debug, Clone)]
pub struct Room {
    pub id: RoomId,
    pub status: Status,
    pub kind: RoomKind,
    pub name: Option<String>,
    pub topic: String,
    pub visibility: Visibility,
    pub members: BTreeMap<UserId, Member>,
    pub banned: BTreeSet<UserId>,
    pub mutes: Mutes,
    pub recent: Recent,
    pub changed: Changed,
    /// Of the last accepted record.
    pub position: Position,
}

impl Room {
    /// A room that no record has made yet.
    pub fn absent(id: RoomId) -> Room {
        Room {
            id,
            status: Status::Absent,
            kind: match id {
                RoomId::Group(_) => RoomKind::Group,
                RoomId::Direct(..) => RoomKind::Direct,
            },
            name: None,
            topic: String::new(),
            visibility: Visibility::Private,
            members: BTreeMap::new(),
            banned: BTreeSet::new(),
            mutes: Mutes::default(),
            recent: Recent::default(),
            changed: Changed::default(),
            position: Position::START,
        }
    }

    /// Whether the action would be accepted as things stand now, and by what right: that of a hub
    /// admin is used only where it is needed. Publish only what is accepted.
    pub fn admit(&self, by: Doer, action: &Action, now: Timestamp) -> Result<Doer, Refusal> {
        let plain = Doer::from(by.user);
        let right = match self.check(plain, action, now) {
            Err(_) if by.hub_admin => self.check(by, action, now).map(|()| by),
            checked => checked.map(|()| plain),
        }?;
        // No record tells of the end of an account, so this cannot be asked where all have to
        // decide alike. A line that slips through is read by its author alone.
        match action {
            Action::Message(_) if self.is_deserted() => Err(Refusal::AccountDeleted),
            _ => Ok(right),
        }
    }

    /// Whether one of the two in a direct room has deleted their account.
    fn is_deserted(&self) -> bool {
        let mut people = self.members.values().map(|member| &member.person);
        self.kind == RoomKind::Direct && people.any(Person::is_deleted)
    }

    /// Puts a person's names in place of those that the room has: names are no part of the fold.
    pub fn rename(&mut self, to: &Person) {
        if let Some(member) = self.members.get_mut(&to.id) {
            member.person = to.clone();
        }
        self.changed.rename(to);
    }

    /// Folds in a record that came back from the log. A refused one changes nothing.
    pub fn apply(&mut self, record: &Record, place: Place) -> Result<Event, Refusal> {
        self.check(record.doer(), &record.action, record.at)?;
        self.position = place.position();
        let by = record.by;
        let event = match &record.action {
            Action::Message(post) => self.post(post, place, record.at),
            Action::Edited { message, body, quote } => {
                self.edit(message, body, quote.clone(), record.at)
            }
            Action::Deleted { message } => self.delete_message(message, by),
            Action::Reaction { message, emoji, on } => self.react(message, emoji, by, *on),
            Action::RoomCreated(founding) => self.found(founding, by, record.at),
            Action::RoomUpdated(changes) => self.update(changes, by),
            Action::RoomDeleted => self.delete(by),
            Action::MemberSet { member, role } => self.seat(member, *role, by, record.at),
            Action::MemberRemoved { member, ban } => self.remove(member, *ban, by),
            Action::MemberMuted { member, until } => self.mute(member, *until, by)?,
            Action::MemberUnmuted { member } => self.unmute(member, by)?,
        };
        Ok(event)
    }

    fn check(&self, by: Doer, action: &Action, at: Timestamp) -> Result<(), Refusal> {
        if let Action::RoomCreated(founding) = action {
            return self.check_founding(by.user, founding);
        }
        if self.status != Status::Live {
            return Err(Refusal::NotFound);
        }
        if self.kind == RoomKind::Direct && !action.is_about_a_message() {
            self.require_member(by.user)?;
            return Err(Refusal::DirectRoom);
        }
        match action {
            Action::RoomCreated(_) => Ok(()),
            Action::Message(post) => self.check_post(by.user, post, at),
            Action::Edited { message, .. } => self.check_edit(by.user, message, at),
            Action::Deleted { message } => self.check_deletion(by, message),
            Action::Reaction { message, emoji, on } => {
                self.check_reaction(by.user, message, emoji, *on)
            }
            Action::RoomUpdated(changes) => self.check_update(by, changes),
            Action::RoomDeleted => self.require_admin(by),
            Action::MemberSet { member, role } => self.check_seat(by, member.id, *role),
            Action::MemberRemoved { member, ban } => self.check_removal(by, member.id, *ban),
            Action::MemberMuted { member, until } => self.check_mute(by, member.id, *until),
            Action::MemberUnmuted { member } => self.check_unmute(by, member.id),
        }
    }

    fn check_founding(&self, by: UserId, founding: &Founding) -> Result<(), Refusal> {
        match self.status {
            Status::Live => return Err(Refusal::Exists),
            Status::Deleted => return Err(Refusal::NotFound),
            Status::Absent => {}
        }
        let ids: BTreeSet<UserId> = founding.members.iter().map(|seat| seat.person.id).collect();
        if ids.len() != founding.members.len() || !ids.contains(&by) || founding.kind != self.kind {
            return Err(Refusal::Nonsense);
        }
        if ids.len() > MAX_MEMBERS {
            return Err(Refusal::RoomFull);
        }
        match self.id {
            RoomId::Group(_) => Ok(()),
            RoomId::Direct(one, other) if ids == BTreeSet::from([one, other]) => Ok(()),
            RoomId::Direct(..) => Err(Refusal::Nonsense),
        }
    }

    fn check_post(&self, by: UserId, post: &Post, at: Timestamp) -> Result<(), Refusal> {
        self.require_member(by)?;
        if post.sender.id != by {
            return Err(Refusal::Nonsense);
        }
        match post.client_id.as_deref().and_then(|id| self.recent.find(by, id)) {
            Some(first) => Err(Refusal::Repeat(first)),
            None => self.mutes.check(by, at),
        }
    }

    /// The message as this fold remembers it, or else as the record has it.
    fn original<'a>(&'a self, brought: &'a Original) -> &'a Original {
        self.changed.find(brought.id).unwrap_or(brought)
    }

    fn check_edit(&self, by: UserId, message: &Original, at: Timestamp) -> Result<(), Refusal> {
        self.require_member(by)?;
        let message = self.original(message);
        match message.sender.id == by {
            true if message.deleted => Err(Refusal::Gone),
            true => self.mutes.check(by, at),
            false => Err(Refusal::Forbidden),
        }
    }

    fn check_deletion(&self, by: Doer, message: &Original) -> Result<(), Refusal> {
        self.require_reader(by)?;
        let message = self.original(message);
        match message.sender.id == by.user || self.is_run_by(by) {
            true if message.deleted => Err(Refusal::Unchanged),
            true => Ok(()),
            false => Err(Refusal::Forbidden),
        }
    }

    fn check_reaction(
        &self,
        by: UserId,
        message: &Original,
        emoji: &str,
        on: bool,
    ) -> Result<(), Refusal> {
        self.require_member(by)?;
        let message = self.original(message);
        if message.deleted {
            return Err(Refusal::Gone);
        }
        match message.has_reacted(by, emoji) == on {
            true => Err(Refusal::Unchanged),
            false if on && !message.takes_reaction(emoji) => Err(Refusal::TooManyReactions),
            false => Ok(()),
        }
    }

    fn check_update(&self, by: Doer, changes: &Changes) -> Result<(), Refusal> {
        self.require_admin(by)?;
        match self.news_in(changes) == Changes::default() {
            true => Err(Refusal::Unchanged),
            false => Ok(()),
        }
    }

    /// What of these changes is not so already.
    fn news_in(&self, changes: &Changes) -> Changes {
        let name = changes.name.clone().filter(|name| self.name.as_ref() != Some(name));
        let topic = changes.topic.clone().filter(|topic| *topic != self.topic);
        let visibility = changes.visibility.filter(|visibility| *visibility != self.visibility);
        Changes { name, topic, visibility }
    }

    fn check_seat(&self, by: Doer, user: UserId, role: Role) -> Result<(), Refusal> {
        let seated = self.members.get(&user);
        if by.user == user && seated.is_none() && !self.is_run_by(by) {
            return self.check_joining(user, role);
        }
        if by.user == user && seated.is_some_and(|member| member.role == role) {
            return Err(Refusal::Unchanged);
        }
        self.require_admin(by)?;
        match seated {
            Some(member) if member.role == role => Err(Refusal::Unchanged),
            Some(_) if role == Role::Member && self.is_last_admin(user) => Err(Refusal::LastAdmin),
            Some(_) => Ok(()),
            None if self.members.len() >= MAX_MEMBERS => Err(Refusal::RoomFull),
            None => Ok(()),
        }
    }

    fn check_joining(&self, user: UserId, role: Role) -> Result<(), Refusal> {
        match self.standing(user) {
            Standing::Stranger => Err(Refusal::NotFound),
            _ if self.banned.contains(&user) => Err(Refusal::Banned),
            _ if role == Role::Admin => Err(Refusal::NotAMember),
            _ if self.members.len() >= MAX_MEMBERS => Err(Refusal::RoomFull),
            _ => Ok(()),
        }
    }

    fn check_removal(&self, by: Doer, user: UserId, ban: bool) -> Result<(), Refusal> {
        match by.user == user {
            true => drop(self.require_member(user)?),
            false => self.require_admin(by)?,
        }
        match self.members.contains_key(&user) {
            true if self.members.len() > 1 && self.is_last_admin(user) => Err(Refusal::LastAdmin),
            true => Ok(()),
            // Someone who left may still be kept from coming back.
            false if ban && !self.banned.contains(&user) => Ok(()),
            false if ban => Err(Refusal::Unchanged),
            false => Err(Refusal::NotFound),
        }
    }

    fn is_last_admin(&self, user: UserId) -> bool {
        let mut admins = self.members.values().filter(|member| member.role == Role::Admin);
        admins.next().is_some_and(|admin| admin.person.id == user) && admins.next().is_none()
    }

    fn post(&mut self, post: &Post, place: Place, at: Timestamp) -> Event {
        let (id, position) = (place.message_id(), place.position());
        self.recent.push(post.sender.id, post.client_id.as_deref(), First { id, position });
        let message = Message {
            id,
            room_id: self.id,
            position,
            sender: post.sender.clone(),
            body: Some(post.body.clone()),
            sent_at: at,
            edited_at: None,
            deleted: false,
            reply_to: post.reply_to.as_ref().map(|quote| quote.id),
            quote: post.reply_to.clone().map(|quote| self.as_it_is(quote)),
            reactions: Vec::new(),
            client_id: post.client_id.clone(),
        };
        let mentions = self.mentioned(post.sender.id, &post.body);
        Event::Message { message, mentions }
    }

    fn edit(
        &mut self,
        brought: &Original,
        body: &str,
        quote: Option<Quote>,
        at: Timestamp,
    ) -> Event {
        let mut message = self.original(brought).clone();
        message.edited_at = Some(at);
        self.changed.note(self.position, message.clone());
        let mentions = self.mentioned(message.sender.id, body);
        let quote = quote.map(|quote| self.as_it_is(quote));
        let message = message.to_message(self.id, Some(body.to_owned()), quote);
        Event::Edited { message, mentions }
    }

    /// A quote without its text, where what it quotes was deleted after the publisher read it.
    fn as_it_is(&self, quote: Quote) -> Quote {
        match self.changed.find(quote.id) {
            Some(original) if original.deleted => quote.into_deleted(),
            _ => quote,
        }
    }

    fn delete_message(&mut self, brought: &Original, by: UserId) -> Event {
        let mut message = self.original(brought).clone();
        (message.deleted, message.reply_to) = (true, None);
        message.reactions.clear();
        self.changed.note(self.position, message.clone());
        Event::Deleted { message: message.to_message(self.id, None, None), by }
    }

    fn react(&mut self, brought: &Original, emoji: &str, user: UserId, on: bool) -> Event {
        let mut message = self.original(brought).clone();
        let count = message.react(user, emoji, on);
        self.changed.note(self.position, message.clone());
        let (emoji, all) = (emoji.to_owned(), message.reactions);
        Event::Reaction { message: message.id, emoji, user, on, count, all }
    }

    fn mentioned(&self, sender: UserId, body: &str) -> Mentions {
        let names = text::mentions(body);
        let by_admin = self.members.get(&sender).is_some_and(|member| member.role == Role::Admin);
        let named = |member: &&Member| {
            member.person.id != sender && names.contains(&member.person.username.to_lowercase())
        };
        let users = match names.is_empty() {
            true => Vec::new(),
            false => self.members.values().filter(named).map(|member| member.person.id).collect(),
        };
        Mentions { all: by_admin && names.contains("all"), users }
    }

    fn found(&mut self, founding: &Founding, by: UserId, at: Timestamp) -> Event {
        self.status = Status::Live;
        self.name = founding.name.clone();
        self.visibility = match self.kind {
            RoomKind::Direct => Visibility::Private,
            RoomKind::Group => founding.visibility,
        };
        for seat in &founding.members {
            let member = Member { person: seat.person.clone(), role: seat.role, joined_at: at };
            self.members.insert(seat.person.id, member);
        }
        let members = self.members.values().cloned().collect();
        Event::RoomCreated { info: self.info(), members, by }
    }

    fn update(&mut self, changes: &Changes, by: UserId) -> Event {
        let changes = self.news_in(changes);
        if let Some(name) = &changes.name {
            self.name = Some(name.clone());
        }
        if let Some(topic) = &changes.topic {
            self.topic = topic.clone();
        }
        if let Some(visibility) = changes.visibility {
            self.visibility = visibility;
        }
        Event::RoomUpdated { info: self.info(), changes, by }
    }

    fn delete(&mut self, by: UserId) -> Event {
        let (position, members) = (self.position, self.members.keys().copied().collect());
        *self = Room { status: Status::Deleted, position, ..Room::absent(self.id) };
        Event::RoomDeleted { by, members }
    }

    fn seat(&mut self, person: &Person, role: Role, by: UserId, at: Timestamp) -> Event {
        self.banned.remove(&person.id);
        // Whoever comes into an empty group has to be able to run it.
        let role = if self.members.is_empty() { Role::Admin } else { role };
        let before = self.members.get(&person.id);
        let (known, joined_at) = (before.is_some(), before.map_or(at, |member| member.joined_at));
        let member = Member { person: person.clone(), role, joined_at };
        self.members.insert(person.id, member.clone());
        if role == Role::Admin {
            self.mutes.lift(person.id);
        }
        match known {
            true => Event::MemberUpdated { member, by },
            false => {
                let muted_until = self.mutes.until(person.id, at);
                Event::MemberAdded { member, muted_until, by }
            }
        }
    }

    fn remove(&mut self, person: &Person, ban: bool, by: UserId) -> Event {
        let ban = ban && by != person.id;
        if ban {
            self.banned.insert(person.id);
        }
        match self.members.remove(&person.id) {
            Some(member) => Event::MemberRemoved { member, ban, by },
            None => Event::MemberBanned { person: person.clone(), by },
        }
    }

    /// What of the room is the same for everyone in it.
    pub fn info(&self) -> Info {
        let people = match self.kind {
            RoomKind::Direct => self.members.values().map(|member| member.person.clone()).collect(),
            RoomKind::Group => Vec::new(),
        };
        Info {
            id: self.id,
            kind: self.kind,
            name: self.name.clone(),
            topic: self.topic.clone(),
            visibility: self.visibility,
            member_count: self.members.len(),
            people,
        }
    }
}
