//! What a batch of changes comes to, room by room, before any of it becomes SQL.
//!
//! Changes of a room build on each other: who is added may be removed in the same batch, and a
//! deleted room takes everything with it. So the batch is folded first, and what is left has no
//! order any more and can be written many rows at a time.

use std::collections::BTreeMap;

use crate::core::batch::Change;
use crate::core::room::{Event, Info, Member, Mentions, Message};
use crate::core::types::{MessageId, Position, Role, RoomId, Timestamp, UserId};

/// What becomes of a member's row.
#[derive(Debug, Clone, PartialEq)]
pub enum Seat {
    /// Written whole, whether or not there is one.
    Taken {
        role: Role,
        joined_at: Timestamp,
        read: Position,
    },
    /// There is one: the parts that change.
    Kept {
        role: Option<Role>,
        read: Option<(Position, Timestamp)>,
    },
    Left,
}

/// What a batch changes in one room.
#[derive(Debug, Default)]
pub struct RoomPlan<'a> {
    /// Of the last change: where the room is when all is written.
    pub position: Position,
    pub created: Option<(Timestamp, &'a Info)>,
    /// The newest that the room is said to be.
    pub info: Option<&'a Info>,
    pub deleted: Option<Timestamp>,
    pub last_message: Option<MessageId>,
    pub seats: BTreeMap<UserId, Seat>,
    /// Banned, or not banned any more.
    pub bans: BTreeMap<UserId, bool>,
    /// Muted until then, or not muted any more.
    pub mutes: BTreeMap<UserId, Option<Timestamp>>,
    pub messages: Vec<(&'a Message, &'a Mentions)>,
    pub events: Vec<&'a Change>,
}

/// Folds the changes of a batch.
pub fn plan(changes: &[Change]) -> BTreeMap<RoomId, RoomPlan<'_>> {
    let mut rooms: BTreeMap<RoomId, RoomPlan> = BTreeMap::new();
    for change in changes {
        rooms.entry(change.room).or_default().take_in(change);
    }
    rooms
}

impl<'a> RoomPlan<'a> {
    fn take_in(&mut self, change: &'a Change) {
        self.position = change.position;
        match &change.event {
            Event::Message { message, mentions } => self.post(message, mentions, change),
            // Written one by one, after the new messages.
            Event::Edited { .. } | Event::Deleted { .. } | Event::Reaction { .. } => {}
            Event::RoomCreated { info, members, .. } => self.create(info, members, change),
            Event::RoomUpdated { info, .. } => self.info = Some(info),
            Event::RoomDeleted { .. } => self.delete(change),
            Event::MemberAdded { member, .. } => {
                self.bans.insert(member.person.id, false);
                self.seat(member, change.position);
                self.unmute_admin(member);
            }
            Event::MemberUpdated { member, .. } => {
                self.promote(member);
                self.unmute_admin(member);
            }
            Event::MemberMuted { member, until, .. } => {
                self.mutes.insert(member.person.id, Some(*until));
            }
            Event::MemberUnmuted { member, .. } => {
                self.mutes.insert(member.person.id, None);
            }
            Event::MemberRemoved { member, ban, .. } => {
                self.seats.insert(member.person.id, Seat::Left);
                if *ban {
                    self.bans.insert(member.person.id, true);
                }
            }
            Event::MemberBanned { person, .. } => drop(self.bans.insert(person.id, true)),
        }
        if !matches!(change.event, Event::Message { .. }) {
            self.events.push(change);
        }
    }

    fn post(&mut self, message: &'a Message, mentions: &'a Mentions, change: &Change) {
        self.last_message = Some(message.id);
        self.messages.push((message, mentions));
        // Who says something has read what was said before.
        match self.kept(message.sender.id) {
            Seat::Taken { read, .. } => *read = change.position,
            Seat::Kept { read, .. } => *read = Some((change.position, change.at)),
            Seat::Left => {}
        }
    }

    fn create(&mut self, info: &'a Info, members: &'a [Member], change: &Change) {
        self.created = Some((change.at, info));
        for member in members {
            self.seat(member, change.position);
        }
    }

    fn seat(&mut self, member: &Member, position: Position) {
        let Member { person, role, joined_at } = member;
        let seat = Seat::Taken { role: *role, joined_at: *joined_at, read: position };
        self.seats.insert(person.id, seat);
    }

    fn promote(&mut self, member: &Member) {
        match self.kept(member.person.id) {
            Seat::Taken { role, .. } => *role = member.role,
            Seat::Kept { role, .. } => *role = Some(member.role),
            Seat::Left => {}
        }
    }

    /// Admins are not muted, and those who were are not any more.
    fn unmute_admin(&mut self, member: &Member) {
        if member.role == Role::Admin {
            self.mutes.insert(member.person.id, None);
        }
    }

    fn kept(&mut self, user: UserId) -> &mut Seat {
        self.seats.entry(user).or_insert(Seat::Kept { role: None, read: None })
    }

    /// Nothing is left but the room's empty row and the event that says so.
    fn delete(&mut self, change: &Change) {
        let created = self.created;
        let position = self.position;
        *self = RoomPlan { position, created, deleted: Some(change.at), ..RoomPlan::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::message::example;
    use crate::core::types::Person;

    const ROOM: RoomId = RoomId::Group(1);

    fn member(id: i64) -> Member {
        let name = format!("user{id}");
        let person = Person { id: UserId(id), username: name.clone(), display_name: name };
        Member { person, role: Role::Member, joined_at: Timestamp(5) }
    }

    fn changes(events: Vec<Event>) -> Vec<Change> {
        let change = |(position, event)| Change {
            room: ROOM,
            position: Position(position),
            at: Timestamp(position),
            hub_admin: false,
            event,
        };
        (1..).zip(events).map(change).collect()
    }

    fn message(id: i64, sender: i64) -> Event {
        let sender = member(sender).person;
        let message = Message { sender, ..example(MessageId(id), Position(id)) };
        Event::Message { message, mentions: Mentions::default() }
    }

    #[test]
    fn who_comes_speaks_and_goes_leaves_only_what_was_said() {
        let by = UserId(1);
        let batch = changes(vec![
            Event::MemberAdded { member: member(2), muted_until: None, by },
            message(2, 2),
            Event::MemberRemoved { member: member(2), ban: true, by },
        ]);
        let room = &plan(&batch)[&ROOM];
        assert_eq!(room.seats[&UserId(2)], Seat::Left);
        assert!(room.bans[&UserId(2)]);
        assert_eq!((room.messages.len(), room.events.len()), (1, 2));
        assert_eq!((room.last_message, room.position), (Some(MessageId(2)), Position(3)));
    }

    #[test]
    fn who_speaks_has_read_everything_before() {
        let by = UserId(1);
        let batch = changes(vec![
            message(1, 1),
            Event::MemberAdded { member: member(2), muted_until: None, by },
            message(3, 2),
        ]);
        let room = &plan(&batch)[&ROOM];
        let read = Some((Position(1), Timestamp(1)));
        assert_eq!(room.seats[&UserId(1)], Seat::Kept { role: None, read });
        let seat = Seat::Taken { role: Role::Member, joined_at: Timestamp(5), read: Position(3) };
        assert_eq!(room.seats[&UserId(2)], seat);
    }

    #[test]
    fn a_deleted_room_leaves_nothing_but_that() {
        let by = UserId(1);
        let batch = changes(vec![
            Event::MemberAdded { member: member(2), muted_until: None, by },
            message(2, 2),
            Event::RoomDeleted { by, members: vec![by] },
        ]);
        let room = &plan(&batch)[&ROOM];
        assert!(room.seats.is_empty() && room.messages.is_empty() && room.bans.is_empty());
        assert_eq!((room.deleted, room.events.len()), (Some(Timestamp(3)), 1));
    }
}
