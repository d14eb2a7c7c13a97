//! A database that the first version made, with a day of chat in it, is brought up to date.

use rookery::core::search::Query;
use rookery::core::types::{RoomId, UserId};
use rookery::store::PageOf;

use crate::world::{PARTITION, Place};

pub async fn what_an_older_version_wrote_is_kept(place: &Place) {
    place.fill(include_str!("upgrade/sqlite.sql"), include_str!("upgrade/mysql.sql")).await;
    // Two instances of the new version at once.
    let (store, other) = tokio::join!(place.open(), place.open());
    let (heron, wren) = (UserId(1), UserId(2));
    let account = store.user(heron).await.unwrap().unwrap();
    assert_eq!(account.person.display_name, "Grey Heron");
    let room = RoomId::Group(1);
    let view = store.room_view(room, wren).await.unwrap().unwrap();
    assert_eq!((view.name.as_deref(), view.topic.as_str()), (Some("Tidal pond"), "When to fish"));
    assert_eq!(view.member_count, 2);
    assert_eq!(store.rooms_of(heron).await.unwrap().len(), 2, "and the direct one");

    let partition = PARTITION;
    let page = store.page(room, partition, PageOf::Newest, 10).await.unwrap();
    let bodies: Vec<_> = page.messages.iter().filter_map(|one| one.body.as_deref()).collect();
    let expected =
        ["Low tide at 1, @wren", "Low tide at 2, @wren", "Low tide at 3, @wren", "今日は"];
    assert_eq!(bodies, expected);
    assert!(page.messages.iter().all(|one| one.reactions.is_empty() && one.reply_to.is_none()));
    let snapshot = store.snapshot(room, partition).await.unwrap();
    assert!(snapshot.room.recent.find(heron, "c2").is_some(), "a repeat is still known");
    let replay = store.replay(room, partition, Default::default(), 100).await.unwrap();
    assert_eq!(replay.events.len(), 6);

    // Both make the old messages findable, two at a time.
    while store.index_older(2).await.unwrap() || other.index_older(2).await.unwrap() {}
    let found = async |words: &str| {
        let query = Query::parse(words).unwrap();
        let found = store.search(wren, &query, None, None, 10).await.unwrap();
        found.into_iter().filter_map(|one| one.body).collect::<Vec<_>>()
    };
    assert_eq!(found("tide").await, [expected[2], expected[1], expected[0]]);
    assert_eq!(found("今日").await, [expected[3]]);
}
