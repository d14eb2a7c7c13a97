//! What becomes of messages: edited, deleted, reacted to, replied to.

use rookery::core::message::{CHANGED, Message};
use rookery::core::record::{Action, Post};
use rookery::core::room::Event;
use rookery::core::types::{Person, Position, RoomId, UserId, Visibility};
use rookery::store::PageOf;

use crate::world::{PARTITION, Place, World};

async fn two(place: &Place) -> (World, RoomId, Person, Person) {
    let mut world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = world.group("Rooks", Visibility::Private, &[&ann, &bob]).await;
    (world, room, ann, bob)
}

fn edited(message: &Message, body: &str) -> Action {
    let quote = message.quote.clone();
    Action::Edited { message: message.original(), body: body.into(), quote }
}

fn deleted(message: &Message) -> Action {
    Action::Deleted { message: message.original() }
}

fn reaction(message: &Message, emoji: &str, on: bool) -> Action {
    Action::Reaction { message: message.original(), emoji: emoji.into(), on }
}

fn reply(sender: &Person, body: &str, to: &Message) -> Action {
    let (sender, body) = (sender.clone(), body.into());
    Action::Message(Post { sender, body, client_id: None, reply_to: Some(to.to_quote()) })
}

async fn stored(world: &World, message: &Message) -> Message {
    world.store.message(message.id).await.unwrap().expect("it is there")
}

/// In the batch of the message itself, and in a later one.
pub async fn an_edit_and_a_deletion_are_written(place: &Place) {
    let (mut world, room, ann, bob) = two(place).await;
    for later in [false, true] {
        let (one, two) = (world.say(room, &ann, "one @bob"), world.say(room, &ann, "two @bob"));
        if later {
            world.write().await;
            let view = world.store.room_view(room, bob.id).await.unwrap().unwrap();
            assert_eq!((view.unread, view.mentions), (Some(3), Some(3)));
        }
        world.act(room, &ann, edited(&one, "one, for everyone: @all")).unwrap();
        world.act(room, &ann, deleted(&two)).unwrap();
        world.write().await;
        world.assert_restored(room).await;

        let one = stored(&world, &one).await;
        assert_eq!(one.body.as_deref(), Some("one, for everyone: @all"));
        assert!(one.edited_at.is_some_and(|at| at > one.sent_at));
        let two = stored(&world, &two).await;
        assert!(two.deleted && two.body.is_none() && two.edited_at.is_none());
        let number = if later { 2 } else { 1 };
        let view = world.store.room_view(room, bob.id).await.unwrap().unwrap();
        assert_eq!((view.unread, view.mentions), (Some(number), Some(number)));
    }
}

pub async fn reactions_are_written_in_order(place: &Place) {
    let (mut world, room, ann, bob) = two(place).await;
    let message = world.say(room, &ann, "hi");
    world.write().await;
    world.act(room, &ann, reaction(&message, "👍", true)).unwrap();
    world.act(room, &bob, reaction(&message, "🎉", true)).unwrap();
    world.act(room, &bob, reaction(&message, "👍", true)).unwrap();
    world.write().await;
    world.assert_restored(room).await;
    let seen = stored(&world, &message).await.seen_by(ann.id);
    let all: Vec<_> =
        seen.reactions.iter().map(|one| (one.emoji.as_str(), one.count, one.mine)).collect();
    assert_eq!(all, [("👍", 2, true), ("🎉", 1, false)]);

    world.act(room, &ann, edited(&message, "hello")).unwrap();
    for (who, emoji) in [(&ann, "👍"), (&bob, "🎉"), (&bob, "👍")] {
        world.act(room, who, reaction(&message, emoji, false)).unwrap();
    }
    world.write().await;
    world.assert_restored(room).await;
    let seen = stored(&world, &message).await;
    assert_eq!((seen.body.as_deref(), seen.reactions.len()), (Some("hello"), 0));
}

pub async fn a_reply_shows_what_it_replies_to_as_it_is_now(place: &Place) {
    let (mut world, room, ann, bob) = two(place).await;
    let first = world.say(room, &ann, &"long ".repeat(100));
    let Event::Message { message: answer, .. } =
        world.act(room, &bob, reply(&bob, "indeed", &first)).unwrap()
    else {
        panic!()
    };
    assert_eq!(answer.quote.as_ref().unwrap().body.as_ref().unwrap().chars().count(), 200);
    world.write().await;
    assert_eq!(stored(&world, &answer).await, answer);
    world.act(room, &ann, edited(&first, "short")).unwrap();
    world.act(room, &bob, edited(&stored(&world, &answer).await, "indeed!")).unwrap();
    world.write().await;
    let quote = stored(&world, &answer).await.quote.unwrap();
    assert_eq!((quote.id, quote.sender, quote.body), (first.id, ann.clone(), Some("short".into())));
    world.act(room, &ann, deleted(&first)).unwrap();
    world.write().await;
    let seen = stored(&world, &answer).await;
    let quote = seen.quote.unwrap();
    assert!(seen.reply_to == Some(first.id) && quote.deleted && quote.body.is_none());
    world.assert_restored(room).await;
}

/// A replay shows messages as they are now, so that nothing deleted comes back to life.
pub async fn a_replay_keeps_no_secret_of_the_past(place: &Place) {
    let (mut world, room, ann, bob) = two(place).await;
    let secret = world.say(room, &ann, "secret");
    let start = world.changes.last().unwrap().position;
    world.act(room, &ann, edited(&secret, "another secret")).unwrap();
    world.act(room, &bob, reaction(&secret, "👍", true)).unwrap();
    world.write().await;
    let replay = async |world: &World, after: Position| {
        world.store.replay(room, PARTITION, after, 100).await.unwrap().events
    };
    let events = replay(&world, start).await;
    let Event::Edited { message, .. } = &events[0].1 else { panic!("{events:?}") };
    assert_eq!(message.body.as_deref(), Some("another secret"));
    let Event::Reaction { emoji, user, on: true, count: 1, .. } = &events[1].1 else { panic!() };
    assert_eq!((emoji.as_str(), *user), ("👍", bob.id));

    world.act(room, &ann, deleted(&secret)).unwrap();
    world.write().await;
    let events = replay(&world, Position::START).await;
    assert_eq!(events.len(), 5);
    assert!(matches!(&events[4].1, Event::Deleted { by, .. } if *by == ann.id));
    assert!(!format!("{events:?}").contains("secret"), "{events:?}");
}

/// The fold remembers so many changed messages, and the store gives back just these.
pub async fn the_messages_changed_last_come_back(place: &Place) {
    let (mut world, room, ann, bob) = two(place).await;
    let messages: Vec<Message> =
        (0..CHANGED + 20).map(|n| world.say(room, &ann, &n.to_string())).collect();
    world.write().await;
    for message in &messages {
        world.act(room, &bob, reaction(message, "👍", true)).unwrap();
    }
    world.act(room, &ann, deleted(&messages[30])).unwrap();
    world.write().await;
    world.assert_restored(room).await;
    assert!(world.rooms[&room].changed.find(messages[0].id).is_none());
    let page = world.store.page(room, PARTITION, PageOf::Newest, CHANGED + 20).await.unwrap();
    let users = |message: &Message| message.reactions.first().map(|one| one.users.clone());
    let expected = |at| (at != 30).then(|| vec![UserId(bob.id.0)]);
    for (at, message) in page.messages.iter().enumerate() {
        assert_eq!(users(message), expected(at), "message {at}");
    }
}
