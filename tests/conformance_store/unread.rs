//! Unread counts by the numbers of messages, held against a plain count.

use std::collections::BTreeMap;

use rookery::core::message::Message;
use rookery::core::record::Action;
use rookery::core::room::Event;
use rookery::core::types::{Position, Role, RoomId, UserId, Visibility};
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
    let mut numbering = Numbering::default();
    let doomed = world.group("Doomed", Visibility::Public, &everyone).await;
    world.say(doomed, &people[0], "hi");
    world.write().await;
    world.delete(doomed, &people[0]);
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
                match dice.chance(30) {
                    true => read_as_before(place, mark).await,
                    false => drop(world.store.set_read(&[mark]).await.unwrap()),
                }
            }
            (2, Some(message)) if message.position <= written => match dice.chance(30) {
                true => unread_as_before(place, room, by.id, message.position).await,
                false => {
                    world.store.set_unread(room, by.id, message.position).await.unwrap();
                }
            },
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
            (5, _) => {
                // They may be in it already.
                let back = Action::MemberSet { member: by.clone(), role: Role::Member };
                let _ = world.act(room, &people[0], back);
            }
            _ => {
                if let Ok(message) = world.say_as(room, &by, "hi", None) {
                    said.insert(message.position, (room, message));
                }
            }
        }
        if !dice.chance(12) && step < 599 {
            continue;
        }
        if dice.chance(30) {
            place.fill(REMEMBER, REMEMBER).await;
            world.write().await;
            as_by_the_version_before(place, written).await;
        } else {
            world.write().await;
        }
        written = rooms.iter().map(|room| world.rooms[room].position).max().unwrap_or(written);
        // Another instance may write while the numbering is half done.
        numbering = world.store.number_some(numbering).await.unwrap().0;
        let caught_up = dice.chance(30) || step == 599;
        if caught_up {
            numbering = Numbering::default();
            while numbering != Numbering::Done {
                numbering = world.store.number_some(numbering).await.unwrap().0;
            }
        }
        if numbering == Numbering::Done {
            numbering = Numbering::default();
        }
        assert_counts(&world, &said, &rooms).await;
        if caught_up {
            let uncounted = "rooms r JOIN messages m ON m.id = r.last_message_id
                 WHERE r.counted_to <> m.position";
            assert_eq!(place.count(uncounted).await, 0);
            let unnumbered = "members WHERE read_number_at <> read_position
                 OR read_number_version <> read_version OR read_number IS NULL";
            assert_eq!(place.count(unnumbered).await, 0);
        }
    }
}

/// By an instance that knows no numbers, a marker is moved and set back to where it was: what was
/// known of that place is not true any more.
pub async fn a_marker_that_comes_back_is_reckoned_anew(place: &Place) {
    let mut world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = world.group("Rooks", Visibility::Public, &[&ann, &bob]).await;
    let first = world.say(room, &bob, "one").position;
    world.write().await;
    world.store.set_unread(room, ann.id, first).await.unwrap();
    place.fill(REMEMBER, REMEMBER).await;
    world.say(room, &ann, "two");
    world.write().await;
    as_by_the_version_before(place, first).await;
    unread_as_before(place, room, ann.id, first).await;
    assert_eq!(world.unread(room, ann.id).await, 1);
    // With this one, the messages of the room are numbered.
    world.say(room, &bob, "three");
    world.write().await;
    assert_eq!(place.count("messages WHERE number IS NULL").await, 0);
    assert_eq!(world.unread(room, ann.id).await, 2);
}

/// What an instance that knows no numbers leaves as it was.
const REMEMBER: &str = "CREATE TABLE before_it AS
    SELECT room_id, user_id, read_number, read_number_at, own_after FROM members;";

/// Leaves what was written after a position as such an instance does.
async fn as_by_the_version_before(place: &Place, written: Position) {
    let was = |column: &str, new: &str| {
        format!(
            "{column} = CASE WHEN EXISTS (SELECT 1 FROM before_it b
                    WHERE b.room_id = members.room_id AND b.user_id = members.user_id)
                 THEN (SELECT b.{column} FROM before_it b
                    WHERE b.room_id = members.room_id AND b.user_id = members.user_id)
                 ELSE {new} END"
        )
    };
    let number = was("read_number", "NULL");
    let (at, own) = (was("read_number_at", "-1"), was("own_after", "0"));
    let sql = format!(
        "UPDATE messages SET number = NULL WHERE position > {written};
         UPDATE rooms SET
            counted = (SELECT COUNT(*) FROM messages m
                       WHERE m.room_id = rooms.id AND m.number IS NOT NULL),
            counted_to = (SELECT COALESCE(MAX(m.position), 0) FROM messages m
                          WHERE m.room_id = rooms.id AND m.number IS NOT NULL);
         UPDATE members SET {number}, {at}, {own};
         DROP TABLE before_it;"
    );
    place.fill(&sql, &sql).await;
}

/// Moves a marker forward as an instance does that knows no numbers.
async fn read_as_before(place: &Place, ReadMark { room, user, position, .. }: ReadMark) {
    let sql = format!(
        "UPDATE members SET read_position = {position}
         WHERE room_id = '{room}' AND user_id = {user} AND read_position < {position};"
    );
    place.fill(&sql, &sql).await;
}

/// Sets it back so.
async fn unread_as_before(place: &Place, room: RoomId, user: UserId, from: Position) {
    let before = from.0 - 1;
    let sql = format!(
        "UPDATE members SET read_version = read_version + 1,
             read_position = CASE WHEN read_position > {before} THEN {before}
                 ELSE read_position END
         WHERE room_id = '{room}' AND user_id = {user};"
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
