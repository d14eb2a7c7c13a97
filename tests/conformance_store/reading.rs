//! Markers that are set back, and who is told how far others have read.

use std::collections::HashMap;

use rookery::core::types::{Position, Visibility};
use rookery::store::{Marker, ReadMark};

use crate::world::{Place, World};

pub async fn a_marker_that_is_set_back_has_a_higher_version(place: &Place) {
    let mut world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = world.group("Rooks", Visibility::Private, &[&ann, &bob]).await;
    let one = world.say(room, &ann, "one").position;
    let two = world.say(room, &ann, "two, @all").position;
    world.write().await;
    let store = world.store.clone();
    let mark = |position, version| ReadMark { room, user: bob.id, position, version };
    store.set_read(&[mark(two, None)]).await.unwrap();

    let before = Position(one.0 - 1);
    let set_back = Marker { version: 1, position: before, receipt: Some(two) };
    assert_eq!(store.set_unread(room, bob.id, one).await.unwrap(), Some(set_back));
    let view = store.room_view(room, bob.id).await.unwrap().unwrap();
    assert_eq!((view.unread, view.mentions, view.read_version), (Some(2), Some(1), Some(1)));
    // What is there already stays, in the next version.
    let again = Marker { version: 2, ..set_back };
    assert_eq!(store.set_unread(room, bob.id, two).await.unwrap(), Some(again));

    // Only who knows that version moves it, and those who know of none.
    store.set_read(&[mark(two, Some(1))]).await.unwrap();
    assert_eq!(store.marker(room, bob.id).await.unwrap(), Some(again));
    store.set_read(&[mark(one, Some(2))]).await.unwrap();
    let moved = Marker { position: one, ..again };
    assert_eq!(store.marker(room, bob.id).await.unwrap(), Some(moved));
    store.set_read(&[mark(two, None)]).await.unwrap();
    assert_eq!(store.read_position(room, bob.id).await.unwrap(), Some(two));

    // The beginning is as far back as it goes; sending moves it on, in that version.
    let set_back = store.set_unread(room, bob.id, Position(0)).await.unwrap().unwrap();
    assert_eq!((set_back.version, set_back.position), (3, Position(0)));
    let three = world.say(room, &bob, "three").position;
    world.write().await;
    let sent = Marker { version: 3, position: three, receipt: Some(three) };
    assert_eq!(store.marker(room, bob.id).await.unwrap(), Some(sent));
    // One's own @all is not unread, whatever the marker.
    store.set_unread(room, ann.id, one).await.unwrap();
    let view = store.room_view(room, ann.id).await.unwrap().unwrap();
    assert_eq!((view.unread, view.mentions), (Some(1), Some(0)));
    let eve = world.person("eve").await;
    assert_eq!(store.set_unread(room, eve.id, one).await.unwrap(), None);
}

pub async fn receipts_are_for_small_rooms_and_of_those_who_want(place: &Place) {
    let mut world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = world.group("Rooks", Visibility::Private, &[&ann, &bob]).await;
    let made = world.rooms[&room].position;
    let one = world.say(room, &ann, "one").position;
    world.write().await;
    let store = world.store.clone();
    let both = HashMap::from([(ann.id, one), (bob.id, made)]);
    assert_eq!(store.receipts(room, 2).await.unwrap(), both);
    assert_eq!(store.receipts(room, 1).await.unwrap(), HashMap::new());
    store.set_read_receipts(bob.id, false).await.unwrap();
    assert_eq!(store.receipts(room, 2).await.unwrap(), HashMap::from([(ann.id, one)]));
    assert_eq!(store.marker(room, bob.id).await.unwrap().unwrap().receipt, None);
    let wants = async |user| store.user(user).await.unwrap().unwrap().read_receipts;
    assert_eq!((wants(ann.id).await, wants(bob.id).await), (true, false));
}
