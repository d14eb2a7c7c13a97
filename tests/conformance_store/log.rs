//! The store as a fold of the log: fences, epochs, and many at once.

use std::time::{Duration, Instant};

use rookery::core::batch::Batch;
use rookery::core::types::{Person, Position, Timestamp, Visibility};
use rookery::store::{PageOf, ReadMark, StoreError};

use crate::world::{PARTITION, PARTITIONS, Place, World};

pub async fn of_two_persisters_one_is_fenced(place: &Place) {
    let mut world = World::new(place).await;
    let ann = world.person("ann").await;
    let room = world.group("Rooks", Visibility::Private, &[&ann]).await;
    for n in 0..20 {
        world.say(room, &ann, &n.to_string());
    }
    let (one, other) = (place.open().await, place.open().await);
    let (first, second) = tokio::join!(one.write(&world.batch), other.write(&world.batch));
    let results = [&first, &second];
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    assert!(results.iter().any(|result| matches!(result, Err(StoreError::Fenced))), "{results:?}");
    assert_eq!(one.next_offset(PARTITION).await.unwrap(), 21);
    assert_eq!(place.count("messages").await, 20);
}

pub async fn a_fenced_batch_leaves_nothing(place: &Place) {
    let mut world = World::new(place).await;
    let ann = world.person("ann").await;
    let room = world.group("Rooks", Visibility::Private, &[&ann]).await;
    world.say(room, &ann, "hi");
    let ahead = Batch { from: 5, next: 7, ..world.batch.clone() };
    assert!(matches!(world.store.write(&ahead).await, Err(StoreError::Fenced)));
    assert_eq!((place.count("messages").await, place.count("rooms").await), (0, 0));
    assert_eq!(world.store.next_offset(PARTITION).await.unwrap(), 0);

    // A batch whose rows cannot be written moves no offset either.
    world.write().await;
    let again = Batch { from: 2, next: 4, ..ahead };
    assert!(matches!(world.store.write(&again).await, Err(StoreError::Broken(_))));
    assert_eq!(world.store.next_offset(PARTITION).await.unwrap(), 2);

    // Nothing accepted for a while: only the offset moves.
    let quiet = Batch { partition: PARTITION, from: 2, next: 9, changes: vec![] };
    world.store.write(&quiet).await.unwrap();
    assert_eq!(world.store.offsets().await.unwrap(), [(0, 0, 9), (1, 0, 0)]);
}

pub async fn a_log_made_anew_raises_the_epoch(place: &Place) {
    let mut world = World::new(place).await;
    let ann = world.person("ann").await;
    let room = world.group("Rooks", Visibility::Private, &[&ann]).await;
    let old = world.say(room, &ann, "in the old log");
    world.write().await;
    let store = world.store.clone();
    let stored = store.offsets().await.unwrap();

    // The same log, as long as stored or longer.
    for ends in [[2, 0], [9, 9]] {
        assert_eq!(store.open_log(&stored, &ends, false).await.unwrap(), 0);
    }
    assert_eq!(store.offsets().await.unwrap(), stored);
    // A shorter one has lost its end. What is left of it is not to be said again.
    assert_eq!(store.open_log(&stored, &[1, 0], false).await.unwrap(), 1);
    assert_eq!(store.offsets().await.unwrap(), [(0, 1, 1), (1, 1, 0)]);
    // Who looked before that was done finds it done.
    assert_eq!(store.open_log(&stored, &[1, 0], false).await.unwrap(), 1);

    // Life goes on in the same room, after everything before.
    world.epoch = 1;
    world.batch = Batch::starting_at(PARTITION, 1);
    let new = world.say(room, &ann, "in the new log");
    assert!(new.position > old.position);
    world.write().await;
    world.assert_restored(room).await;
    let page = store.page(room, PARTITION, PageOf::After(Position::START), 5).await.unwrap();
    assert_eq!(page.messages, [old, new]);

    // A log that this start made has nothing of what is stored.
    let stored = store.offsets().await.unwrap();
    assert_eq!(store.open_log(&stored, &[1, 0], true).await.unwrap(), 2);
    assert_eq!(store.offsets().await.unwrap(), [(0, 2, 0), (1, 2, 0)]);
    let stored = store.offsets().await.unwrap();
    assert_eq!(store.open_log(&stored, &[0, 0], true).await.unwrap(), 2);
}

pub async fn two_instances_open_the_log_at_once(place: &Place) {
    let (one, other) = tokio::join!(place.open(), place.open());
    let ends = [0; PARTITIONS];
    let (first, second) =
        tokio::join!(one.open_log(&[], &ends, true), other.open_log(&[], &ends, false));
    assert_eq!((first.unwrap(), second.unwrap()), (0, 0));

    let batch = Batch { partition: 0, from: 0, next: 5, changes: vec![] };
    one.write(&batch).await.unwrap();
    let stored = one.offsets().await.unwrap();
    let (first, second) =
        tokio::join!(one.open_log(&stored, &ends, true), other.open_log(&stored, &ends, false));
    assert_eq!((first.unwrap(), second.unwrap()), (1, 1));
    assert_eq!(one.offsets().await.unwrap(), [(0, 1, 0), (1, 1, 0)]);
}

pub async fn what_a_second_instance_appends_is_no_new_log(place: &Place) {
    let store = place.open().await;
    store.open_log(&[], &[0; PARTITIONS], true).await.unwrap();
    // An instance that starts asks the store, then the log; then another appends and stores.
    let stored = store.offsets().await.unwrap();
    let ends = [0; PARTITIONS];
    let batch = Batch { partition: 0, from: 0, next: 5, changes: vec![] };
    store.write(&batch).await.unwrap();
    assert_eq!(store.open_log(&stored, &ends, false).await.unwrap(), 0);
    assert_eq!(store.next_offset(0).await.unwrap(), 5);
}

pub async fn another_number_of_partitions_is_refused(place: &Place) {
    let store = place.open().await;
    store.open_log(&[], &[0; 3], true).await.unwrap();
    let stored = store.offsets().await.unwrap();
    let Err(StoreError::Broken(why)) = store.open_log(&stored, &[0; 4], false).await else {
        panic!("4 partitions are not 3");
    };
    assert!(why.contains("the log has 4 partitions"), "{why}");
    assert!(matches!(store.open_log(&stored, &[0; 2], true).await, Err(StoreError::Broken(_))));
}

pub async fn two_instances_migrate_at_once(place: &Place) {
    let (one, two, three) = tokio::join!(place.open(), place.open(), place.open());
    for store in [one, two, three] {
        store.ping().await.unwrap();
        store.offsets().await.unwrap();
    }
}

pub async fn many_write_at_once(place: &Place) {
    const WRITERS: usize = 50;
    const EACH: usize = 4;
    let store = place.open().await;
    let started = Instant::now();
    let writers = (0..WRITERS).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..EACH {
                // Every other one wants a name that somebody has; that spoils nobody's write.
                let name = if n % 2 == 0 { format!("user-{writer}-{n}") } else { "user".into() };
                match store.create_user(&name, "U", "hash", Timestamp(1)).await {
                    Ok(_) | Err(StoreError::Taken) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    println!("{} writes in {:?}", WRITERS * EACH, started.elapsed());
    let expected = WRITERS * EACH / 2 + 1;
    assert_eq!(store.accounts(None, 1_000).await.unwrap().len(), expected);
}

pub async fn readers_and_writers_of_one_room_do_not_fail_each_other(place: &Place) {
    let mut world = World::new(place).await;
    let mut people = Vec::new();
    for n in 0..20 {
        people.push(world.person(&format!("user{n}")).await);
    }
    let room = world.group("Busy", Visibility::Private, &people.iter().collect::<Vec<_>>()).await;
    world.write().await;
    let mut others = Vec::new();
    for n in 0..4 {
        let (store, mut users) = (place.open().await, people.clone());
        users.rotate_left(n);
        others.push(tokio::spawn(async move {
            let deadline = Instant::now() + Duration::from_secs(30);
            while store.next_offset(PARTITION).await.unwrap() < 401 {
                assert!(Instant::now() < deadline);
                let position = Position(i64::MAX);
                let mark =
                    |user: &Person| ReadMark { room, user: user.id, position, version: None };
                store.set_read(&users.iter().map(mark).collect::<Vec<_>>()).await.unwrap();
                let seen: Vec<_> = users.iter().map(|user| (user.id, Timestamp(9))).collect();
                store.set_last_seen(&seen).await.unwrap();
            }
        }));
    }
    for _ in 0..2 {
        let store = world.store.clone();
        others.push(tokio::spawn(async move {
            let mut next = 0;
            while next < 401 {
                // One state: the room ends just where the offset says.
                let snapshot = store.snapshot(room, PARTITION).await.unwrap();
                next = snapshot.next;
                assert_eq!(snapshot.room.position.offset() + 1, next);
            }
        }));
    }
    for n in 0..400 {
        world.say(room, &people[n % 20], "hi");
        world.write().await;
    }
    for other in others {
        other.await.unwrap();
    }
    world.assert_restored(room).await;
}

pub async fn a_large_batch_is_written_whole(place: &Place) {
    let mut world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let mut rooms = Vec::new();
    for n in 0..40 {
        rooms.push(world.group(&format!("Room {n}"), Visibility::Private, &[&ann, &bob]).await);
    }
    let text = "x".repeat(3_000);
    for n in 0..2_000 {
        let sender = if n % 3 == 0 { &ann } else { &bob };
        world.say_as(rooms[n % 40], sender, &text, Some(&n.to_string())).unwrap();
    }
    let started = Instant::now();
    world.write().await;
    println!("2,000 messages in {:?}", started.elapsed());
    for room in &rooms {
        world.assert_restored(*room).await;
    }
    assert_eq!(place.count("messages").await, 2_000);
    let views = world.store.rooms_of(ann.id).await.unwrap();
    assert_eq!(views.len(), 40);
}
