//! Rooms: what the fold made of them comes back, and what people see of it.

use std::collections::BTreeMap;

use rookery::core::recent::WINDOW;
use rookery::core::record::{Action, Changes};
use rookery::core::room::{Doer, Event, Refusal, Status};
use rookery::core::types::{Person, Position, Role, RoomId, Timestamp, UserId, Visibility};
use rookery::guarantees::dice::Dice;
use rookery::store::{PageOf, ReadMark};

use crate::world::{PARTITION, Place, World};

pub async fn a_written_fold_comes_back_as_it_was(place: &Place) {
    let mut world = World::new(place).await;
    let ann = world.person("ann").await;
    let (bob, carol) = (world.person("bob").await, world.person("carol").await);
    let room = world.group("Rooks", Visibility::Public, &[&ann, &bob]).await;
    world.write().await;
    world.assert_restored(room).await;

    world.say_as(room, &bob, "hi", Some("b-1")).unwrap();
    world.say(room, &ann, "hello");
    let topic = Some("Birds".to_owned());
    world.update(room, &ann, Changes { topic, ..Changes::default() });
    world.add(room, &ann, &carol);
    world.remove(room, &ann, &bob, true);
    let admin = Action::MemberSet { member: carol.clone(), role: Role::Admin };
    world.act(room, &ann, admin).unwrap();
    world.write().await;
    world.assert_restored(room).await;

    // An admin's adding lifts the ban, and who comes back starts with nothing unread.
    let back = world.add(room, &carol, &bob);
    world.write().await;
    world.assert_restored(room).await;
    assert_eq!(world.store.read_position(room, bob.id).await.unwrap(), Some(back));
    assert_eq!(world.store.member_ids(room).await.unwrap(), [ann.id, bob.id, carol.id]);
    assert!(world.store.is_member(room, bob.id).await.unwrap());
    assert!(!world.store.is_member(RoomId::Group(99), bob.id).await.unwrap());

    world.store.set_last_seen(&[(bob.id, Timestamp(5))]).await.unwrap();
    let members = world.store.members(room).await.unwrap();
    let expected = world.rooms[&room].members.values().cloned();
    let seen = [None, Some(Timestamp(5)), None];
    let members: Vec<_> =
        members.into_iter().map(|listed| (listed.member, listed.last_seen)).collect();
    assert_eq!(members, expected.zip(seen).collect::<Vec<_>>());

    let absent = world.store.snapshot(RoomId::Group(99), PARTITION).await.unwrap();
    assert_eq!(absent.room.status, Status::Absent);
    assert_eq!(absent.next, world.batch.from);
}

pub async fn a_mute_outlives_leaving_and_ends_with_the_room(place: &Place) {
    let mut world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let carol = world.person("carol").await;
    let room = world.group("Rooks", Visibility::Public, &[&ann, &bob, &carol]).await;
    let mutes = async |world: &World| -> BTreeMap<UserId, Timestamp> {
        world.store.mutes(room).await.unwrap().into_iter().collect()
    };
    let mute = |person: &Person, until| Action::MemberMuted {
        member: person.clone(),
        until: Timestamp(until),
    };
    world.act(room, &ann, mute(&bob, 50_000)).unwrap();
    world.act(room, &ann, mute(&carol, 60_000)).unwrap();
    world.write().await;
    world.assert_restored(room).await;
    let view = world.store.room_view(room, bob.id).await.unwrap().unwrap();
    assert_eq!(view.muted_until, Some(Timestamp(50_000)));
    assert_eq!(view.clone().at(Timestamp(49_999)).muted_until, Some(Timestamp(50_000)));
    assert_eq!(view.at(Timestamp(50_000)).muted_until, None, "it is over");

    world.remove(room, &ann, &bob, false);
    world.act(room, &ann, mute(&carol, 70_000)).unwrap();
    world.write().await;
    world.assert_restored(room).await;
    let both = [(bob.id, Timestamp(50_000)), (carol.id, Timestamp(70_000))];
    assert_eq!(mutes(&world).await, BTreeMap::from(both));
    world.add(room, &ann, &bob);
    assert!(matches!(world.say_as(room, &bob, "hi", None), Err(Refusal::Muted(_))));
    world.act(room, &ann, Action::MemberUnmuted { member: bob.clone() }).unwrap();
    let admin = Action::MemberSet { member: carol.clone(), role: Role::Admin };
    world.act(room, &ann, admin).unwrap();
    world.write().await;
    world.assert_restored(room).await;
    assert_eq!(mutes(&world).await, BTreeMap::new());

    world.act(room, &ann, mute(&bob, 80_000)).unwrap();
    world.write().await;
    world.act(room, &ann, Action::RoomDeleted).unwrap();
    world.write().await;
    assert_eq!(mutes(&world).await, BTreeMap::new());
}

pub async fn the_audit_says_what_a_hub_admin_did_as_one(place: &Place) {
    let mut world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = world.group("Rooks", Visibility::Public, &[&ann]).await;
    let rude = world.say(room, &ann, "rude");
    let hub_admin = Doer { user: bob.id, hub_admin: true };
    let add = Action::MemberSet { member: bob.clone(), role: Role::Admin };
    world.act_as(room, hub_admin, Action::Deleted { message: rude.original() }).unwrap();
    world.act_as(room, hub_admin, add).unwrap();
    world.act(room, &bob, Action::MemberRemoved { member: ann.clone(), ban: true }).unwrap();
    world.write().await;
    let deeds = world.store.audit(room, Position(i64::MAX), 10).await.unwrap();
    let by: Vec<_> = deeds.iter().map(|deed| (deed.by, deed.hub_admin)).collect();
    assert_eq!(by, [(bob.id, false), (bob.id, true), (bob.id, true), (ann.id, false)]);
    let banned = world.store.banned(room).await.unwrap();
    assert_eq!(banned, [ann]);
}

/// People and rooms at random, in batches of random sizes; `ROOKERY_TEST_SEED` repeats one.
pub async fn random_days_come_back_as_they_were(place: &Place) {
    let mut world = World::new(place).await;
    let mut people = Vec::new();
    for name in ["ann", "bob", "carol", "dave", "eve"] {
        people.push(world.person(name).await);
    }
    let mut rooms = Vec::new();
    let mut dice = thrown();
    for _ in 0..400 {
        let by = people[dice.below(5)].clone();
        let whom = people[dice.below(5)].clone();
        if rooms.is_empty() || dice.below(25) == 0 {
            rooms.push(world.group("A room", Visibility::Public, &[&by]).await);
        }
        let room = rooms[dice.below(rooms.len())];
        let number = dice.below(20).to_string();
        let action = match dice.below(24) {
            0 => Some(Action::RoomDeleted),
            1..4 => Some(Action::RoomUpdated(Changes {
                name: Some(number.clone()),
                topic: (dice.below(2) == 0).then(|| "t".into()),
                visibility: None,
            })),
            4..8 => Some(Action::MemberSet { member: whom, role: Role::Member }),
            8..10 => Some(Action::MemberSet { member: whom, role: Role::Admin }),
            10..12 => Some(Action::MemberSet { member: by.clone(), role: Role::Member }),
            12..15 => Some(Action::MemberRemoved { member: whom, ban: dice.below(2) == 0 }),
            _ => None,
        };
        let _ = match action {
            Some(action) => world.act(room, &by, action).map(drop),
            None => world.say_as(room, &by, "@bob @all hi", Some(&number)).map(drop),
        };
        if dice.below(12) == 0 {
            world.write().await;
        }
    }
    world.write().await;
    for room in rooms {
        world.assert_restored(room).await;
        assert_views(&world, room).await;
        assert_history(&world, room).await;
    }
}

/// What the members see is what a plain reading of the events gives.
async fn assert_views(world: &World, room: RoomId) {
    let mut read: BTreeMap<UserId, Position> = BTreeMap::new();
    let changes = || world.changes.iter().filter(|change| change.room == room);
    for change in changes() {
        match &change.event {
            Event::RoomCreated { members, .. } => {
                read.extend(members.iter().map(|member| (member.person.id, change.position)));
            }
            Event::MemberAdded { member, .. } => {
                read.insert(member.person.id, change.position);
            }
            Event::Message { message, .. } => {
                read.insert(message.sender.id, change.position);
            }
            Event::MemberRemoved { member, .. } => drop(read.remove(&member.person.id)),
            Event::RoomDeleted { .. } => read.clear(),
            Event::Edited { .. }
            | Event::Deleted { .. }
            | Event::Reaction { .. }
            | Event::RoomUpdated { .. }
            | Event::MemberUpdated { .. }
            | Event::MemberMuted { .. }
            | Event::MemberUnmuted { .. }
            | Event::MemberBanned { .. } => {}
        }
    }
    let stored = world.store.member_ids(room).await.unwrap();
    assert_eq!(stored, read.keys().copied().collect::<Vec<_>>());
    for (user, position) in read {
        let (mut unread, mut mentions) = (0, 0);
        for change in changes().filter(|change| change.position > position) {
            if let Event::Message { message, mentions: called } = &change.event {
                unread += i64::from(message.sender.id != user);
                mentions += i64::from(called.all || called.users.contains(&user));
            }
        }
        let view = world.store.room_view(room, user).await.unwrap().unwrap();
        assert_eq!(view.read_position, Some(position));
        assert_eq!((view.unread, view.mentions), (Some(unread), Some(mentions)));
        assert_eq!(view.member_count as usize, world.rooms[&room].members.len());
        let mine = world.store.rooms_of(user).await.unwrap();
        assert!(mine.contains(&view), "the list and the room agree");
    }
}

async fn assert_history(world: &World, room: RoomId) {
    let deleted = world.rooms[&room].status == Status::Deleted;
    let changes = world.changes.iter().filter(|change| change.room == room);
    let expected: Vec<_> = changes
        .filter(|change| !deleted || matches!(change.event, Event::RoomDeleted { .. }))
        .map(|change| (change.position, without_mentions(&change.event)))
        .collect();
    let replay = world.store.replay(room, PARTITION, Position::START, 10_000).await.unwrap();
    assert_eq!(replay.events, expected);
    assert!(!replay.too_much);
}

/// As a replay tells it: whom a message called is known from its text alone.
pub fn without_mentions(event: &Event) -> Event {
    match event {
        Event::Message { message, .. } => {
            Event::Message { message: message.clone(), mentions: Default::default() }
        }
        other => other.clone(),
    }
}

pub async fn a_room_lived_through_in_one_batch_leaves_a_tombstone(place: &Place) {
    let mut world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = world.group("Short", Visibility::Public, &[&ann, &bob]).await;
    world.say(room, &bob, "hi @ann");
    world.remove(room, &ann, &bob, true);
    world.delete(room, &ann);
    world.write().await;
    world.assert_restored(room).await;
    assert_empty(place, &world, room).await;
}

pub async fn a_deleted_room_leaves_nothing(place: &Place) {
    let mut world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = world.group("Secret", Visibility::Public, &[&ann, &bob]).await;
    let other = world.group("Other", Visibility::Public, &[&ann, &bob]).await;
    world.say(room, &ann, "@all @bob hi");
    world.say(other, &ann, "@all still here");
    world.remove(room, &ann, &bob, true);
    world.write().await;
    assert_ne!(place.indexed(room).await, 0);
    world.say(room, &ann, "the last word");
    world.delete(room, &ann);
    world.write().await;
    world.assert_restored(room).await;
    assert_empty(place, &world, room).await;

    assert_eq!(world.store.rooms_of(ann.id).await.unwrap().len(), 1);
    assert_eq!(world.store.room_view(room, ann.id).await.unwrap(), None);
    let listed = world.store.public_rooms("", None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|view| view.id).collect::<Vec<_>>(), [other]);
    world.assert_restored(other).await;
    assert_ne!(world.store.allocate_room(Timestamp(3)).await.unwrap(), room);
}

async fn assert_empty(place: &Place, world: &World, room: RoomId) {
    let to_bury = format!("burials WHERE room_id = '{room}'");
    assert_eq!(place.count(&to_bury).await, 1);
    while world.store.bury_some().await.unwrap() {}
    assert_eq!(place.count(&to_bury).await, 0);
    for table in ["members", "bans", "messages", "mentions"] {
        assert_eq!(place.count(&format!("{table} WHERE room_id = '{room}'")).await, 0, "{table}");
    }
    assert_eq!(place.indexed(room).await, 0);
    let blank = "name IS NULL AND topic = '' AND search_key = '' AND member_count = 0";
    assert_eq!(place.count(&format!("rooms WHERE id = '{room}' AND {blank}")).await, 1);
    let replay = world.store.replay(room, PARTITION, Position::START, 10).await.unwrap();
    let [(position, Event::RoomDeleted { .. })] = replay.events[..] else {
        panic!("{:?}", replay.events)
    };
    assert_eq!(position, world.rooms[&room].position);
    let page = world.store.page(room, PARTITION, PageOf::Newest, 10).await.unwrap();
    assert_eq!(page.messages, []);
}

/// More rows than one transaction removes.
pub async fn a_large_deleted_room_leaves_nothing(place: &Place) {
    let mut world = World::new(place).await;
    let ann = world.person("ann").await;
    let room = world.group("Large", Visibility::Private, &[&ann]).await;
    for number in 0..2_500 {
        world.say(room, &ann, &format!("line {number} @all"));
        if number % 500 == 0 {
            world.write().await;
        }
    }
    world.write().await;
    assert!(place.indexed(room).await >= 2_500);
    world.delete(room, &ann);
    world.write().await;
    world.assert_restored(room).await;
    assert_empty(place, &world, room).await;
}

pub async fn unread_is_what_others_said_since(place: &Place) {
    let mut world = World::new(place).await;
    let ann = world.person("ann").await;
    let (bob, carol) = (world.person("bob").await, world.person("carol").await);
    let room = world.group("Rooks", Visibility::Private, &[&ann, &bob]).await;
    world.say(room, &ann, "one");
    let two = world.say(room, &ann, "two");
    world.say(room, &ann, "three");
    world.write().await;
    assert_eq!((world.unread(room, ann.id).await, world.unread(room, bob.id).await), (0, 3));

    let mark = ReadMark { room, user: bob.id, position: two.position, version: None };
    assert_eq!(world.store.set_read(&[mark]).await.unwrap(), []);
    assert_eq!(world.unread(room, bob.id).await, 1);

    // Sending moves the marker to what was sent; who joins starts with nothing unread.
    let four = world.say(room, &bob, "four");
    world.add(room, &ann, &carol);
    world.write().await;
    assert_eq!((world.unread(room, ann.id).await, world.unread(room, bob.id).await), (1, 0));
    assert_eq!(world.unread(room, carol.id).await, 0);
    assert_eq!(world.store.read_position(room, bob.id).await.unwrap(), Some(four.position));
}

pub async fn read_markers_only_grow(place: &Place) {
    let mut world = World::new(place).await;
    let ann = world.person("ann").await;
    let (bob, eve) = (world.person("bob").await, world.person("eve").await);
    let room = world.group("Rooks", Visibility::Private, &[&ann, &bob]).await;
    let first = world.say(room, &ann, "one").position;
    let second = world.say(room, &ann, "two").position;
    world.write().await;
    let store = world.store.clone();
    let read = async || store.read_position(room, bob.id).await.unwrap().unwrap();
    let mark = |position| ReadMark { room, user: bob.id, position, version: None };

    assert_eq!(world.store.set_read(&[mark(second), mark(first)]).await.unwrap(), []);
    assert_eq!(read().await, second);
    world.store.set_read(&[mark(first)]).await.unwrap();
    assert_eq!(read().await, second);

    // Past the end as the store has it: clamped, and handed back to be given again.
    let beyond = mark(Position(second.0 + 1));
    assert_eq!(world.store.set_read(&[beyond]).await.unwrap(), [beyond]);
    assert_eq!(read().await, second);

    // Neither strangers nor rooms that are not there get a row.
    let stranger = ReadMark { room, user: eve.id, position: first, version: None };
    let nowhere =
        ReadMark { room: RoomId::Group(99), user: bob.id, position: first, version: None };
    assert_eq!(world.store.set_read(&[stranger, nowhere]).await.unwrap(), []);
    assert_eq!(world.store.read_position(room, eve.id).await.unwrap(), None);
    assert_eq!(place.count("members").await, 2);

    let third = world.say(room, &ann, "three").position;
    world.write().await;
    assert_eq!(world.store.set_read(&vec![mark(third); 1_200]).await.unwrap(), []);
    assert_eq!(read().await, third);
    assert_eq!(world.store.set_read(&[]).await.unwrap(), []);
}

pub async fn a_mention_counts_once(place: &Place) {
    let mut world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = world.group("Rooks", Visibility::Private, &[&ann, &bob]).await;
    world.say(room, &ann, "@bob and @all");
    world.say(room, &ann, "@bob");
    let last = world.say(room, &ann, "no one");
    world.write().await;
    let view = world.store.room_view(room, bob.id).await.unwrap().unwrap();
    assert_eq!((view.unread, view.mentions), (Some(3), Some(2)));
    let mark = ReadMark { room, user: bob.id, position: last.position, version: None };
    world.store.set_read(&[mark]).await.unwrap();
    let view = world.store.room_view(room, bob.id).await.unwrap().unwrap();
    assert_eq!((view.unread, view.mentions), (Some(0), Some(0)));
}

pub async fn rooms_look_different_from_inside_and_outside(place: &Place) {
    let mut world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let open = world.group("Open", Visibility::Public, &[&ann]).await;
    let closed = world.group("Closed", Visibility::Private, &[&ann]).await;
    let quiet = world.group("Quiet", Visibility::Private, &[&ann]).await;
    world.say(closed, &ann, "psst");
    let said = world.say(open, &ann, "hello");
    world.write().await;

    let inside = world.store.room_view(open, ann.id).await.unwrap().unwrap();
    assert_eq!(inside.role, Some(Role::Admin));
    assert_eq!(inside.last_message.as_ref(), Some(&said));
    assert_eq!((inside.position, inside.member_count), (said.position, 1));

    let outside = world.store.room_view(open, bob.id).await.unwrap().unwrap();
    assert_eq!((outside.name.as_deref(), outside.role), (Some("Open"), None));
    assert_eq!((outside.unread, outside.mentions, outside.read_position), (None, None, None));
    assert_eq!(outside.last_message, None);
    assert_eq!(world.store.room_view(closed, bob.id).await.unwrap(), None);
    assert_eq!(world.store.room_view(RoomId::Group(99), bob.id).await.unwrap(), None);

    // The newest message first, and what was never spoken in at its making.
    let mine = world.store.rooms_of(ann.id).await.unwrap();
    assert_eq!(mine.iter().map(|view| view.id).collect::<Vec<_>>(), [open, closed, quiet]);
    assert_eq!(mine[0], inside);
    assert_eq!(world.store.rooms_of(bob.id).await.unwrap(), []);
}

pub async fn a_direct_room_is_named_after_the_other(place: &Place) {
    let mut world = World::new(place).await;
    let ann = world.person("ann").await;
    let (bob, eve) = (world.person("bob").await, world.person("eve").await);
    let room = world.direct(&bob, &ann);
    world.direct(&bob, &eve);
    world.write().await;
    world.assert_restored(room).await;
    world.store.set_display_name(bob.id, "Robert").await.unwrap();

    let mine = world.store.rooms_of(ann.id).await.unwrap();
    assert_eq!(mine.len(), 1);
    assert_eq!(mine[0].name.as_deref(), Some("Robert"));
    assert_eq!(mine[0].people.iter().map(|person| person.id).collect::<Vec<_>>(), [ann.id, bob.id]);
    let view = world.store.room_view(room, bob.id).await.unwrap().unwrap();
    assert_eq!(view.name.as_deref(), Some("The ann"));
    assert_eq!(view.people, mine[0].people);
    assert_eq!(world.store.room_view(room, eve.id).await.unwrap(), None);
    assert_eq!(world.store.rooms_of(bob.id).await.unwrap().len(), 2);
}

pub async fn public_rooms_are_listed_in_the_order_they_were_made(place: &Place) {
    let mut world = World::new(place).await;
    let ann = world.person("ann").await;
    let mut made = Vec::new();
    for n in 0..12 {
        made.push(world.group(&format!("Room_{n}"), Visibility::Public, &[&ann]).await);
    }
    world.group("Room hidden", Visibility::Private, &[&ann]).await;
    let topic = Some("ÖL %".to_owned());
    world.update(made[3], &ann, Changes { topic, ..Changes::default() });
    world.write().await;

    let ids = async |query: &str, after, limit| -> Vec<RoomId> {
        let views = world.store.public_rooms(query, after, limit).await.unwrap();
        views.iter().map(|view| view.id).collect()
    };
    assert_eq!(ids("", None, 20).await, made);
    assert_eq!(ids("", None, 5).await, made[..5]);
    assert_eq!(ids("", Some(made[8]), 20).await, made[9..]);
    assert_eq!(ids("rOOM_1", None, 20).await, [made[1], made[10], made[11]]);
    assert_eq!(ids("öl", None, 20).await, [made[3]]);
    assert_eq!(ids("%", None, 20).await, [made[3]]);
    assert_eq!(ids("hidden", None, 20).await, []);
    // The end of a name and the start of a topic are no words together.
    assert_eq!(ids("3öl", None, 20).await, []);

    let private = Changes { visibility: Some(Visibility::Private), ..Changes::default() };
    world.update(made[3], &ann, private);
    world.write().await;
    assert_eq!(world.store.public_rooms("öl", None, 20).await.unwrap(), []);
}

pub async fn a_full_window_says_that_there_was_more(place: &Place) {
    let mut world = World::new(place).await;
    let ann = world.person("ann").await;
    let room = world.group("Busy", Visibility::Private, &[&ann]).await;
    for n in 0..WINDOW {
        world.say_as(room, &ann, "hi", (n % 2 == 0).then(|| n.to_string()).as_deref()).unwrap();
    }
    world.write().await;
    assert!(world.rooms[&room].recent.is_complete());
    world.assert_restored(room).await;
    world.say(room, &ann, "one more");
    world.write().await;
    assert!(!world.rooms[&room].recent.is_complete());
    world.assert_restored(room).await;
}

/// Prints the seed, so that a failure names it.
pub fn thrown() -> Dice {
    let given = std::env::var("ROOKERY_TEST_SEED").ok().map(|seed| seed.parse().unwrap());
    let seed = given.unwrap_or_else(|| uuid::Uuid::now_v7().as_u64_pair().1);
    eprintln!("ROOKERY_TEST_SEED={seed}");
    Dice::new(seed)
}
