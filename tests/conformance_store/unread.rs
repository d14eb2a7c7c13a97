//! Unread counts by the numbers of messages, held against a plain count.

use std::collections::BTreeMap;

use rookery::core::message::Message;
use rookery::core::record::Action;
use rookery::core::room::Event;
use rookery::core::types::{Position, RoomId, UserId, Visibility};
use rookery::store::{Numbering, ReadMark};

use crate::rooms::thrown;
use crate::world::{Place, World};

/// What is in the store of some rooms: their messages that were not deleted.
type Said = BTreeMap<Position, (RoomId, Message)>;

/// Two instances of which one may be of the version before numbers; `ROOKERY_TEST_SEED` repeats a
/// run.
pub async fn unread_by_numbers_is_unread_by_counting(place: &Place) {
    let mut dice = thrown();
    let mut world = World::new(place).await;
    let mut people = Vec::new();
    for name in ["ann", "bob", "carol", "dave"] {
        people.push(world.person(name).await);
    }
    let everyone: Vec<_> = people.iter().collect();
    let mut rooms = Vec::new();
    for name in ["One", "Two"] {
        rooms.push(world.group(name, Visibility::Public, &everyone).await);
    }
    world.write().await;
    let (mut said, mut written) = (Said::new(), Position::START);
    for step in 0..600 {
        let room = *dice.one_of(&rooms);
        let by = dice.one_of(&people).clone();
        let of_room: Vec<&Message> =
            said.values().filter(|(of, _)| *of == room).map(|(_, message)| message).collect();
        let some = (!of_room.is_empty()).then(|| (*dice.one_of(&of_room)).clone());
        match (dice.below(16), some) {
            (0 | 1, Some(message)) if message.position <= written => {
                let (user, position) = (by.id, message.position);
                let mark = ReadMark { room, user, position, version: None };
                world.store.set_read(&[mark]).await.unwrap();
            }
            (2, Some(message)) if message.position <= written => {
                world.store.set_unread(room, by.id, message.position).await.unwrap();
            }
            (3, Some(message)) => {
                let message = message.original();
                if let Ok(Event::Deleted { message, .. }) =
                    world.act(room, &people[0], Action::Deleted { message })
                {
                    said.remove(&message.position);
                }
            }
            (4, _) if by != people[0] => {
                let gone = Action::MemberRemoved { member: by.clone(), ban: false };
                // They may be gone already.
                let _ = world.act(room, &people[0], gone);
            }
            (5, _) => drop(world.add(room, &people[0], &by)),
            _ => {
                if let Ok(message) = world.say_as(room, &by, "hi", None) {
                    said.insert(message.position, (room, message));
                }
            }
        }
        if !dice.chance(12) && step < 599 {
            continue;
        }
        world.write().await;
        if dice.chance(30) {
            as_by_the_version_before(place, written).await;
        }
        written = rooms.iter().map(|room| world.rooms[room].position).max().unwrap_or(written);
        let caught_up = dice.chance(30) || step == 599;
        if caught_up {
            let mut numbering = Numbering::default();
            while numbering != Numbering::Done {
                numbering = world.store.number_some(numbering).await.unwrap();
            }
        }
        assert_counts(&world, &said, &rooms).await;
        if caught_up {
            let uncounted = "rooms r JOIN messages m ON m.id = r.last_message_id
                 WHERE r.counted_to <> m.position";
            assert_eq!(place.count(uncounted).await, 0);
            let unnumbered = "members WHERE read_number_at <> read_position OR read_number IS NULL";
            assert_eq!(place.count(unnumbered).await, 0);
        }
    }
}

/// Leaves what was written after a position as an instance leaves it that knows no numbers.
async fn as_by_the_version_before(place: &Place, written: Position) {
    let sql = format!(
        "UPDATE messages SET number = NULL WHERE position > {written};
         UPDATE rooms SET
            counted = (SELECT COUNT(*) FROM messages m
                       WHERE m.room_id = rooms.id AND m.number IS NOT NULL),
            counted_to = (SELECT COALESCE(MAX(m.position), 0) FROM messages m
                          WHERE m.room_id = rooms.id AND m.number IS NOT NULL);
         UPDATE members SET read_number_at = -1 WHERE read_position > {written};"
    );
    place.fill(&sql, &sql).await;
}

async fn assert_counts(world: &World, said: &Said, rooms: &[RoomId]) {
    for &room in rooms {
        for &user in world.rooms[&room].members.keys() {
            let read = world.store.read_position(room, user).await.unwrap().unwrap();
            let is_unread = |(of, message): &&(RoomId, Message)| {
                *of == room && message.position > read && message.sender.id != user
            };
            let expected = said.values().filter(is_unread).count() as i64;
            assert_eq!(world.unread(room, user).await, expected, "{room}, {user}");
            assert_eq!(listed(world, room, user).await, Some(expected), "{room}, {user}");
        }
    }
}

/// What the list of all rooms says.
async fn listed(world: &World, room: RoomId, user: UserId) -> Option<i64> {
    let rooms = world.store.rooms_of(user).await.unwrap();
    rooms.into_iter().find(|view| view.id == room).and_then(|view| view.unread)
}
