//! Pages, replays, and finding a message again.

use rookery::core::recent::WINDOW;
use rookery::core::room::{Event, Refusal};
use rookery::core::types::{MessageId, Person, Position, RoomId, Visibility};
use rookery::store::{Page, PageOf, Parting};

use crate::rooms::without_mentions;
use crate::world::{PARTITION, PARTITIONS, Place, World};

/// A room with messages "0" to "9", with other records and another room in between.
async fn ten(place: &Place) -> (World, RoomId, Vec<Position>) {
    let mut world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = world.group("Rooks", Visibility::Private, &[&ann]).await;
    let other = world.group("Other", Visibility::Private, &[&ann]).await;
    let mut positions = Vec::new();
    for n in 0..10 {
        positions.push(world.say(room, &ann, &n.to_string()).position);
        world.say(other, &ann, "elsewhere");
        if n == 4 {
            world.add(room, &ann, &bob);
        }
    }
    world.write().await;
    (world, room, positions)
}

fn bodies(page: &Page) -> String {
    page.messages.iter().map(|message| message.body.as_deref().unwrap_or("-")).collect()
}

pub async fn pages_have_edges(place: &Place) {
    let (world, room, positions) = ten(place).await;
    let page = async |which, limit| {
        let page = world.store.page(room, PARTITION, which, limit).await.unwrap();
        assert_eq!(page.next, world.batch.from);
        (bodies(&page), page.has_older, page.has_newer)
    };
    let is = |text: &str, older, newer| (text.to_owned(), older, newer);

    assert_eq!(page(PageOf::Newest, 3).await, is("789", true, false));
    assert_eq!(page(PageOf::Newest, 10).await, is("0123456789", false, false));
    assert_eq!(page(PageOf::Newest, 11).await, is("0123456789", false, false));

    assert_eq!(page(PageOf::Before(positions[3]), 3).await, is("012", false, true));
    assert_eq!(page(PageOf::Before(positions[3]), 2).await, is("12", true, true));
    assert_eq!(page(PageOf::Before(positions[0]), 3).await, is("", false, true));
    assert_eq!(page(PageOf::Before(Position(i64::MAX)), 2).await, is("89", true, false));

    assert_eq!(page(PageOf::After(positions[6]), 3).await, is("789", true, false));
    assert_eq!(page(PageOf::After(positions[6]), 2).await, is("78", true, true));
    assert_eq!(page(PageOf::After(positions[9]), 3).await, is("", true, false));
    assert_eq!(page(PageOf::After(Position::START), 2).await, is("01", false, true));

    let empty = world.store.page(RoomId::Group(99), PARTITION, PageOf::Newest, 3).await.unwrap();
    assert_eq!((bodies(&empty), empty.has_older, empty.has_newer), is("", false, false));
    // A partition that the store has nothing of.
    let other = world.store.page(room, PARTITIONS as u16 - 1, PageOf::Newest, 3).await.unwrap();
    assert_eq!(other.next, 0);
}

pub async fn a_page_around_a_message_has_both_sides(place: &Place) {
    let (world, room, positions) = ten(place).await;
    let around = async |position, limit| {
        let which = PageOf::Around(position);
        let page = world.store.page(room, PARTITION, which, limit).await.unwrap();
        (bodies(&page), page.has_older, page.has_newer)
    };
    let is = |text: &str, older, newer| (text.to_owned(), older, newer);
    assert_eq!(around(positions[5], 4).await, is("3456", true, true));
    assert_eq!(around(positions[5], 1).await, is("5", true, true));
    assert_eq!(around(positions[0], 4).await, is("0123", false, true));
    assert_eq!(around(positions[9], 4).await, is("6789", true, false));
    assert_eq!(around(positions[5], 50).await, is("0123456789", false, false));
    assert_eq!(around(Position::START, 2).await, is("01", false, true));
    assert_eq!(around(Position(i64::MAX), 2).await, is("89", true, false));
}

pub async fn a_message_is_found_by_its_names(place: &Place) {
    let mut world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = world.group("Rooks", Visibility::Private, &[&ann, &bob]).await;
    let first = world.say_as(room, &ann, "hello", Some("a")).unwrap();
    world.say_as(room, &bob, "hi", Some("a")).unwrap();
    let blank = world.say_as(room, &ann, "with a blank", Some("a ")).unwrap();
    let upper = world.say_as(room, &ann, "in upper case", Some("A")).unwrap();
    world.write().await;

    assert_eq!(world.store.message(first.id).await.unwrap().as_ref(), Some(&first));
    assert_eq!(world.store.message(MessageId(1 << 40)).await.unwrap(), None);
    let find = async |room, user, client_id: &str| {
        world.store.message_by_client_id(room, user, client_id).await.unwrap()
    };
    assert_eq!(find(room, ann.id, "a").await.as_ref(), Some(&first));
    assert_eq!(find(room, ann.id, "a ").await.as_ref(), Some(&blank));
    assert_eq!(find(room, ann.id, "A").await.as_ref(), Some(&upper));
    assert_eq!(find(room, bob.id, "a ").await, None);
    assert_eq!(find(RoomId::Group(99), ann.id, "a").await, None);

    // Old messages carry the name that their sender has now.
    world.store.set_display_name(ann.id, "Anna").await.unwrap();
    let again = world.store.message(first.id).await.unwrap().unwrap();
    assert_eq!(again.sender.display_name, "Anna");
}

pub async fn of_two_sends_under_one_name_the_first_counts(place: &Place) {
    let mut world = World::new(place).await;
    let ann = world.person("ann").await;
    let room = world.group("Busy", Visibility::Private, &[&ann]).await;
    let first = world.say_as(room, &ann, "first", Some("a")).unwrap();
    assert!(matches!(world.say_as(room, &ann, "again", Some("a")), Err(Refusal::Repeat(_))));
    // The fold alone has forgotten it after this; the store has not.
    for _ in 0..WINDOW {
        world.say(room, &ann, "hi");
    }
    world.say_as(room, &ann, "much later", Some("a")).unwrap();
    world.write().await;
    let found = world.store.message_by_client_id(room, ann.id, "a").await.unwrap();
    assert_eq!(found, Some(first));
}

pub async fn texts_come_back_as_they_were_sent(place: &Place) {
    let mut world = World::new(place).await;
    let ann = world.person("ann").await;
    let room = world.group("名前 🦉 'quoted' \\", Visibility::Private, &[&ann]).await;
    let long = "🦉".repeat(4_000);
    let texts = ["\u{301} e\u{301}\n\ttabs", "'; DROP TABLE users; --", "\\ % _ ? :a $1", &long];
    let said: Vec<_> = texts.iter().map(|text| world.say(room, &ann, text)).collect();
    world.write().await;
    world.assert_restored(room).await;
    let page = world.store.page(room, PARTITION, PageOf::Newest, 10).await.unwrap();
    assert_eq!(page.messages, said);
}

pub async fn a_replay_has_everything_in_one_order(place: &Place) {
    let (world, room, positions) = ten(place).await;
    let expected: Vec<_> = world
        .changes
        .iter()
        .filter(|change| change.room == room)
        .map(|change| (change.position, without_mentions(&change.event)))
        .collect();
    let replay =
        async |after, limit| world.store.replay(room, PARTITION, after, limit).await.unwrap();
    let all = replay(Position::START, 12).await;
    assert_eq!((all.events, all.too_much, all.next), (expected.clone(), false, world.batch.from));
    let some = replay(positions[3], 100).await;
    assert_eq!(some.events, expected[5..]);
    assert!(matches!(some.events[1].1, Event::MemberAdded { .. }));
    assert!(replay(Position::START, 11).await.too_much);
    let none = replay(positions[9], 0).await;
    assert_eq!((none.events, none.too_much), (vec![], false));
}

pub async fn a_removal_is_where_a_replay_ends(place: &Place) {
    let mut world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let cat = world.person("cat").await;
    let room = world.group("Rooks", Visibility::Public, &[&ann, &bob]).await;
    world.write().await;
    let parting = async |world: &World, person: &Person, since: Position| {
        world.store.parting(room, person.id, since).await.unwrap()
    };
    assert_eq!(parting(&world, &bob, Position::START).await, None);

    let removed = world.remove(room, &ann, &bob, false);
    world.say(room, &ann, "he is away");
    let back = world.add(room, &ann, &bob);
    let left = world.remove(room, &bob, &bob, false);
    world.say(room, &ann, "he is gone");
    let banned = world.remove(room, &ann, &bob, true);
    world.remove(room, &ann, &cat, true);
    world.write().await;
    let just = |until: Position| Some(Parting { after: Position(until.0 - 1), until });
    let start = Position::START;
    assert_eq!(parting(&world, &bob, start).await, Some(Parting { after: start, until: removed }));
    assert_eq!(parting(&world, &bob, removed).await, just(left));
    assert_eq!(parting(&world, &bob, back).await, Some(Parting { after: back, until: left }));
    assert_eq!(parting(&world, &bob, left).await, None);
    assert_eq!(parting(&world, &bob, banned).await, None);
    assert_eq!(parting(&world, &ann, start).await, None);
    assert_eq!(parting(&world, &cat, start).await, None);

    let deleted = world.delete(room, &ann);
    world.write().await;
    assert_eq!(parting(&world, &ann, start).await, just(deleted));
    assert_eq!(parting(&world, &bob, start).await, None);
}
