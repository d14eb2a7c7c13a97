//! Messages by their words.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rookery::core::message::Message;
use rookery::core::record::Action;
use rookery::core::room::Event;
use rookery::core::search::Query;
use rookery::core::types::{MessageId, Person, RoomId, Visibility};
use rookery::guarantees::dice::Dice;

use crate::rooms::thrown;
use crate::world::{Place, World};

/// Some that begin alike, and one script without spaces.
const WORDS: [&str; 12] = [
    "tide", "tides", "tidal", "low", "lower", "lowest", "heron", "herons", "上海", "海", "x",
    "2026",
];

fn text(dice: &mut Dice) -> String {
    let words = (0..dice.between(1, 9)).map(|_| *dice.one_of(&WORDS));
    words.collect::<Vec<_>>().join(" ")
}

async fn found(
    world: &World,
    who: &Person,
    query: &str,
    room: Option<RoomId>,
    limit: usize,
) -> Vec<MessageId> {
    let query = Query::parse(query).unwrap();
    let (mut found, mut before): (Vec<MessageId>, Option<Message>) = (Vec::new(), None);
    loop {
        // In pages, so that each has to go on where the one before it ended.
        let page = world.store.search(who.id, &query, room, before.as_ref(), limit).await.unwrap();
        found.extend(page.iter().map(|message| message.id));
        before = page.last().cloned();
        if page.len() < limit {
            return found;
        }
    }
}

/// Rooms with much and little said in them, in batches of all sizes; `ROOKERY_TEST_SEED` repeats
/// one.
pub async fn what_matches_is_found_however_it_came(place: &Place) {
    let mut dice = thrown();
    let mut world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let mut rooms = Vec::new();
    for name in ["Busy", "Slow", "Quiet"] {
        rooms.push(world.group(name, Visibility::Public, &[&ann, &bob]).await);
    }
    let closed = world.group("Closed", Visibility::Private, &[&bob]).await;
    let mut said: BTreeMap<MessageId, (RoomId, Message)> = BTreeMap::new();
    for _ in 0..400 {
        // Of two instances, one has a clock that is ahead.
        world.ahead = if dice.chance(40) { 50 } else { 0 };
        if dice.chance(8) {
            world.write().await;
        }
        let room = match dice.below(20) {
            0 => rooms[2],
            1 => closed,
            2..6 => rooms[1],
            _ => rooms[0],
        };
        let of_room: Vec<&Message> =
            said.values().filter(|(of, _)| *of == room).map(|(_, message)| message).collect();
        let event = match dice.below(12) {
            0 if !of_room.is_empty() => {
                let message = dice.one_of(&of_room).original();
                world.act(
                    room,
                    &bob,
                    Action::Edited { message, body: text(&mut dice), quote: None },
                )
            }
            1 if !of_room.is_empty() => {
                let message = dice.one_of(&of_room).original();
                world.act(room, &bob, Action::Deleted { message })
            }
            _ => {
                let message = world.say(room, &bob, &text(&mut dice));
                said.insert(message.id, (room, message));
                continue;
            }
        };
        match event {
            Ok(Event::Edited { message, .. }) => drop(said.insert(message.id, (room, message))),
            Ok(Event::Deleted { message, .. }) => drop(said.remove(&message.id)),
            // It was deleted before.
            _ => {}
        }
    }
    world.write().await;

    for _ in 0..40 {
        let words = (0..dice.between(1, 4)).map(|_| *dice.one_of(&WORDS));
        let mut query = words.collect::<Vec<_>>().join(" ");
        if dice.chance(30) {
            query += *dice.one_of(&[" ti", " lo", " he", " low"]);
        }
        let parsed = Query::parse(&query).unwrap();
        let one = dice.chance(30).then(|| *dice.one_of(&rooms));
        let matches = |room: RoomId, message: &Message| {
            room != closed
                && one.is_none_or(|one| one == room)
                && message.body.as_deref().is_some_and(|body| parsed.matches(body))
        };
        let expected = said.values().filter(|(room, message)| matches(*room, message));
        let mut expected: Vec<_> =
            expected.map(|(_, message)| Reverse((message.sent_at, message.id))).collect();
        expected.sort_unstable();
        let expected: Vec<MessageId> = expected.into_iter().map(|Reverse((_, id))| id).collect();
        assert_eq!(found(&world, &ann, &query, one, 7).await, expected, "{query:?} in {one:?}");
    }
}

/// An instance of the version before edits the message that a row is named by.
pub async fn an_edit_is_found_where_its_row_is_there_already(place: &Place) {
    let mut world = World::new(place).await;
    let ann = world.person("ann").await;
    let room = world.group("Rooks", Visibility::Public, &[&ann]).await;
    let first = world.say(room, &ann, "a heron").id;
    let second = world.say(room, &ann, "low tide");
    world.write().await;
    let body = "low tide, and a heron".to_owned();
    let edit = Action::Edited { message: second.original(), body, quote: None };
    world.act(room, &ann, edit).unwrap();
    world.write().await;
    let both = vec![second.id, first];
    assert_eq!(found(&world, &ann, "heron", None, 1).await, both);
    assert_eq!(found(&world, &ann, "heron tide", None, 5).await, both[..1]);
    // A list that nobody can read hides nothing but what it lists.
    place.fill("UPDATE words SET postings = x'80'", "UPDATE words SET postings = x'80'").await;
    assert_eq!(found(&world, &ann, "tide", None, 5).await, both[..1]);
}

/// Far more than is looked up at once lies before a page, said by two clocks.
pub async fn a_page_far_back_misses_nothing(place: &Place) {
    let mut world = World::new(place).await;
    let ann = world.person("ann").await;
    let room = world.group("Rooks", Visibility::Public, &[&ann]).await;
    let mut said = Vec::new();
    for n in 0..6_000_i64 {
        // Minutes go by.
        world.ahead = n * 20 + if n % 3 == 0 { 2_000 } else { 0 };
        let message = world.say(room, &ann, "tide");
        said.push(((message.sent_at, message.id), message));
        if n % 1_000 == 999 {
            world.write().await;
        }
    }
    said.sort_unstable_by_key(|(at, _)| Reverse(*at));
    let query = Query::parse("tide").unwrap();
    for from in [10, 5_000, 5_900] {
        let before = &said[from].1;
        let page = world.store.search(ann.id, &query, None, Some(before), 20).await.unwrap();
        let expected: Vec<_> = said[from + 1..from + 21].iter().map(|((_, id), _)| *id).collect();
        let found: Vec<_> = page.iter().map(|message| message.id).collect();
        assert_eq!(found, expected, "after {from}");
    }
}

/// More than a row holds, and rows that are not many.
pub async fn what_is_said_together_is_indexed_together(place: &Place) {
    let mut world = World::new(place).await;
    let ann = world.person("ann").await;
    let room = world.group("Rooks", Visibility::Public, &[&ann]).await;
    let mut ids = Vec::new();
    for n in 0..2_100 {
        let tide = if n % 100 == 0 { "spring tide" } else { "low tide" };
        ids.push(world.say(room, &ann, tide).id);
    }
    world.write().await;
    ids.reverse();
    assert_eq!(found(&world, &ann, "tide", None, 100).await, ids);
    let spring: Vec<_> = ids.iter().rev().step_by(100).rev().copied().collect();
    assert_eq!(found(&world, &ann, "spring tide", None, 7).await, spring);
    // At most 1,024 messages in a row: three for each of two words, and two for one that is rare.
    assert_eq!(place.count("words").await, 8);
}

/// More words of one beginning in a batch than are read at once, and one that was edited away more
/// often than is looked up at once.
pub async fn a_beginning_of_many_words_is_found(place: &Place) {
    let mut world = World::new(place).await;
    let ann = world.person("ann").await;
    let room = world.group("Rooks", Visibility::Public, &[&ann]).await;
    let mut ids = vec![world.say(room, &ann, "tide").id];
    world.write().await;
    let many: Vec<String> = (0..400).map(|n| format!("tide{n}")).collect();
    for words in many.chunks(100) {
        ids.push(world.say(room, &ann, &words.join(" ")).id);
    }
    world.write().await;
    ids.reverse();
    assert_eq!(found(&world, &ann, "tid", None, 3).await, ids);
    assert_eq!(found(&world, &ann, "tide7 tid", None, 3).await, ids[3..4]);
    for _ in 0..200 {
        world.say(room, &ann, "a heron");
    }
    world.write().await;
    for change in world.changes.clone() {
        if let Event::Message { message, .. } = change.event
            && message.body.as_deref() == Some("a heron")
        {
            let edit = Action::Edited {
                message: message.original(),
                body: "an egret".to_owned(),
                quote: None,
            };
            world.act(room, &ann, edit).unwrap();
        }
    }
    let last = world.say(room, &ann, "heron").id;
    world.write().await;
    assert_eq!(found(&world, &ann, "heron", None, 3).await, [last]);
}

/// A word that few rooms have is found in all of them, and none of a common one is missed, however
/// many rooms somebody is in.
pub async fn many_rooms_are_searched(place: &Place) {
    let mut world = World::new(place).await;
    let ann = world.person("ann").await;
    let (mut common, mut rare) = (Vec::new(), Vec::new());
    for n in 0..150 {
        let room = world.group("Rooks", Visibility::Public, &[&ann]).await;
        common.push(world.say(room, &ann, "low tide").id);
        if n % 40 == 0 {
            rare.push(world.say(room, &ann, "a heron").id);
        }
    }
    world.write().await;
    common.reverse();
    rare.reverse();
    assert_eq!(found(&world, &ann, "tide", None, 40).await, common);
    assert_eq!(found(&world, &ann, "heron", None, 40).await, rare);
}
