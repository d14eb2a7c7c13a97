//! What the index finds, held against a look at every text.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rookery::core::message::Message;
use rookery::core::record::Action;
use rookery::core::room::Event;
use rookery::core::search::Query;
use rookery::core::types::{MessageId, Person, RoomId, Timestamp, Visibility};
use rookery::guarantees::dice::Dice;

use crate::rooms::thrown;
use crate::world::{Place, World};

/// Pieces of texts. Some look like another room's words, some like operators of a query.
const PIECES: [&str; 24] = [
    "owl",
    "Owls",
    "owlet",
    "rook",
    "1_owl",
    "2",
    "d1-2_owl",
    "naïve",
    "Straße",
    "今日は",
    "東京都",
    "สวัสดี",
    "🎉",
    "\"quoted\"",
    "AND",
    "or* NOT",
    "NEAR(owl)",
    "terms:owl",
    "O'Brien",
    "-",
    "a",
    "к",
    "Ωμέγα",
    "loooooooooooooooooooooooooong",
];

fn text(dice: &mut Dice) -> String {
    let pieces: Vec<&str> = (0..dice.between(1, 6)).map(|_| *dice.one_of(&PIECES)).collect();
    pieces.join(" ")
}

/// Everything that can be read, by its place in the order of hits.
type Said = BTreeMap<Reverse<(Timestamp, MessageId)>, Message>;

fn keep(said: &mut Said, message: Message) {
    said.insert(Reverse((message.sent_at, message.id)), message);
}

/// `ROOKERY_TEST_SEED` repeats a run.
pub async fn it_finds_what_a_look_at_every_text_finds(place: &Place) {
    let mut dice = thrown();
    let mut world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let mut rooms = vec![world.direct(&ann, &bob)];
    for name in ["One", "Two", "Three"] {
        rooms.push(world.group(name, Visibility::Public, &[&ann, &bob]).await);
    }
    let mut said = Said::new();
    for step in 0..400 {
        let some = dice.below(said.len().max(1));
        let some = said.values().nth(some).map(|message| (message.room_id, message.original()));
        let by = if dice.chance(50) { &ann } else { &bob };
        match (dice.below(10), some) {
            (0 | 1, Some((room, message))) => {
                let action = Action::Edited { message, body: text(&mut dice), quote: None };
                change(&mut world, &mut said, &[&ann, &bob], room, action);
            }
            (2, Some((room, message))) => {
                change(&mut world, &mut said, &[&ann, &bob], room, Action::Deleted { message });
            }
            _ => {
                let room = *dice.one_of(&rooms);
                let body = text(&mut dice);
                keep(&mut said, world.say(room, by, &body));
            }
        }
        if step == 300 {
            let gone = rooms.pop().expect("a group");
            world.delete(gone, &ann);
            said.retain(|_, message| message.room_id != gone);
        }
        if dice.chance(15) {
            world.write().await;
            for _ in 0..8 {
                assert_found(&mut dice, &world, &said, &ann, &rooms).await;
            }
        }
    }
}

/// More than one statement asks, in some of which nothing was said for long.
pub async fn it_finds_as_much_in_many_rooms(place: &Place) {
    let mut dice = thrown();
    let mut world = World::new(place).await;
    let ann = world.person("ann").await;
    let mut rooms = Vec::new();
    for number in 0..150 {
        rooms.push(world.group(&format!("Room {number}"), Visibility::Public, &[&ann]).await);
    }
    let mut said = Said::new();
    for _ in 0..300 {
        world.later += i64::try_from(dice.below(30_000)).expect("half a minute");
        let room = *dice.one_of(&rooms);
        keep(&mut said, world.say(room, &ann, &text(&mut dice)));
    }
    world.write().await;
    for _ in 0..20 {
        assert_found(&mut dice, &world, &said, &ann, &rooms).await;
    }
}

/// By who said it.
fn change(world: &mut World, said: &mut Said, people: &[&Person], room: RoomId, action: Action) {
    let (Action::Edited { message, .. } | Action::Deleted { message }) = &action else { return };
    let by = people.iter().find(|person| person.id == message.sender.id).expect("one of them");
    match world.act(room, by, action).unwrap() {
        Event::Edited { message, .. } => keep(said, message),
        Event::Deleted { message, .. } => {
            said.remove(&Reverse((message.sent_at, message.id)));
        }
        other => panic!("a change became {other:?}"),
    }
}

/// All pages of a query, in all rooms or in one.
async fn assert_found(
    dice: &mut Dice,
    world: &World,
    said: &Said,
    person: &Person,
    rooms: &[RoomId],
) {
    let asked = text(dice);
    let Some(query) = Query::parse(&asked) else { return };
    let room = dice.chance(30).then(|| *dice.one_of(rooms));
    let is_hit = |message: &&Message| {
        room.is_none_or(|room| room == message.room_id)
            && message.body.as_deref().is_some_and(|body| query.matches(body))
    };
    let expected: Vec<MessageId> = said.values().filter(is_hit).map(|message| message.id).collect();
    let most = dice.between(1, 20);
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = world.store.search(person.id, &query, room, before.as_ref(), most);
        let page = page.await.unwrap();
        found.extend(page.iter().map(|message| message.id));
        assert!(page.len() <= most);
        match page.into_iter().next_back() {
            Some(last) => before = Some(last),
            None => break,
        }
    }
    assert_eq!(found, expected, "{asked:?} in {room:?}");
}
