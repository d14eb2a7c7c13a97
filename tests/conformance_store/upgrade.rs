//! Databases that older versions made, with a day of chat in them, are brought up to date. The files
//! are dumps, named by the migration they had come to.

use rookery::core::message::Message;
use rookery::core::search::Query;
use rookery::core::types::{Role, RoomId, UserId, Visibility};
use rookery::store::PageOf;

use crate::world::{PARTITION, Place, World};

pub async fn what_the_first_version_wrote_is_kept(place: &Place) {
    place.fill(include_str!("upgrade/sqlite_v1.sql"), include_str!("upgrade/mysql_v10.sql")).await;
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

pub async fn edits_reactions_and_bans_of_an_older_version_are_kept(place: &Place) {
    place.fill(include_str!("upgrade/sqlite_v3.sql"), include_str!("upgrade/mysql_v16.sql")).await;
    let store = place.open().await;
    let (heron, wren, coot) = (UserId(1), UserId(2), UserId(3));
    let room = RoomId::Group(1);
    let view = store.room_view(room, heron).await.unwrap().unwrap();
    assert_eq!((view.unread, view.mentions, view.member_count), (Some(1), Some(1), 2));

    let page = store.page(room, PARTITION, PageOf::Newest, 10).await.unwrap();
    let bodies: Vec<_> =
        page.messages.iter().map(|one| one.body.as_deref().unwrap_or("-")).collect();
    let expected = [
        "Low tide at 1, @wren",
        "Low tide at half past 2, @wren",
        "Which one?",
        "今日は **early**",
        "-",
        "not read by heron, @heron",
    ];
    assert_eq!(bodies, expected);
    let [first, second, reply, _, deleted, _] = &page.messages[..] else { panic!("six messages") };
    assert_eq!(first.reactions[0].users, [wren, coot]);
    assert!(second.edited_at.is_some() && deleted.deleted);
    assert_eq!(reply.quote.as_ref().map(|quote| quote.id), Some(first.id));

    let snapshot = store.snapshot(room, PARTITION).await.unwrap().room;
    assert!(snapshot.banned.contains(&coot) && !snapshot.members.contains_key(&coot));
    assert_eq!(snapshot.members[&wren].role, Role::Admin);
    while store.index_older(2).await.unwrap() {}
    let found = Query::parse("half").unwrap();
    let found = store.search(wren, &found, None, None, 10).await.unwrap();
    assert_eq!(found.iter().map(|one| one.id).collect::<Vec<_>>(), [second.id]);
}

/// On a schema that it does not know the version before goes on with the index that it knows.
pub async fn what_the_version_before_said_after_it_came_back_is_found(place: &Place) {
    let mut world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = world.group("Rooks", Visibility::Private, &[&ann, &bob]).await;
    let here = world.say(room, &ann, "an owl here");
    world.write().await;
    assert!(!world.store.index_older(10).await.unwrap());

    let there = world.say(room, &bob, "an owl there");
    let Message { id, position, .. } = there;
    let said = format!(
        "INSERT INTO messages (id, room_id, position, sender_id, body, sent_at)
             VALUES ({}, '{room}', {}, {}, 'an owl there', {});
         INSERT INTO words (room_id, word, position) VALUES
             ('{room}', 'an', {at}), ('{room}', 'owl', {at}), ('{room}', 'there', {at});",
        id.0,
        position.0,
        bob.id.0,
        there.sent_at.0,
        at = position.0
    );
    place.fill(&said, &said).await;
    let store = place.open().await;
    while store.index_older(1).await.unwrap() {}
    let found = store.search(ann.id, &Query::parse("owl").unwrap(), None, None, 10).await.unwrap();
    assert_eq!(found.iter().map(|one| one.id).collect::<Vec<_>>(), [there.id, here.id]);
}
