//! One suite for both logs: whatever is promised of the one must hold for the other.
//!
//! Kafka's address comes from `ROOKERY_TEST_KAFKA` (see `tests/services`). Every story has topics
//! of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use rookery::log::kafka::{KafkaLog, KafkaSettings};
use rookery::log::local::{LocalBus, LocalLog};
use rookery::log::{
    Bus, Channel, Entry, Feed, Heard, Log, LogError, Refused, Share, StoredOffsets,
};
use tokio::sync::mpsc;

/// A deadline for what should take milliseconds, on a machine that does other things too.
const SOON: Duration = Duration::from_secs(30);

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(SOON, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// The largest entry that the logs here are made for.
const LARGE: usize = 5_000_000;

/// A place for a log, which can be opened more than once.
enum Place {
    Local(tempfile::TempDir),
    Kafka(KafkaSettings),
}

impl Place {
    fn local() -> Place {
        Place::Local(tempfile::tempdir().unwrap())
    }

    fn kafka() -> Place {
        let brokers = std::env::var("ROOKERY_TEST_KAFKA").unwrap_or_else(|_| {
            panic!("ROOKERY_TEST_KAFKA is not set; try: eval \"$(tests/services/up)\"")
        });
        Place::Kafka(KafkaSettings {
            brokers,
            topic_prefix: format!("test-{}", uuid::Uuid::now_v7().simple()),
            partitions: 4,
            entry_bytes: LARGE,
            ..KafkaSettings::default()
        })
    }

    async fn open(&self) -> Arc<dyn Log> {
        match self {
            Place::Local(dir) => LocalLog::open(dir.path()).unwrap(),
            Place::Kafka(settings) => KafkaLog::open(settings.clone()).await.unwrap(),
        }
    }

    fn settings(&self) -> KafkaSettings {
        match self {
            Place::Kafka(settings) => settings.clone(),
            Place::Local(_) => unreachable!("this story is about Kafka"),
        }
    }

    async fn bus(&self) -> Arc<dyn Bus> {
        match self {
            Place::Local(_) => LocalBus::new(),
            Place::Kafka(settings) => KafkaLog::open(settings.clone()).await.unwrap(),
        }
    }
}

/// A broker of small means need not keep what a story is done with.
impl Drop for Place {
    fn drop(&mut self) {
        let Place::Kafka(settings) = self else { return };
        let topics = ["messages", "presence", "signals", "inbound", "quarantine"]
            .map(|name| format!("{}-{name}", settings.topic_prefix));
        let brokers = settings.brokers.clone();
        let removing = std::thread::spawn(move || {
            let admin: AdminClient<_> =
                ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
            let waiting = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let topics = topics.each_ref().map(String::as_str);
            // A story that failed early made none of them.
            let _ = waiting.block_on(admin.delete_topics(&topics, &AdminOptions::new()));
        });
        removing.join().unwrap();
    }
}

/// Runs each story on both logs.
macro_rules! stories {
    ($($story:ident),+ $(,)?) => {
        mod local { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() { super::$story(super::Place::local()).await }
        )+ }
        mod kafka { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() { super::$story(super::Place::kafka()).await }
        )+ }
    };
}

stories! {
    concurrent_appends_are_in_order_by_key_and_without_gaps,
    an_entry_of_megabytes_is_taken,
    a_follower_that_starts_in_the_middle_misses_and_repeats_nothing,
    two_followers_agree,
    a_slow_follower_does_not_stop_appends,
    reopening_keeps_everything,
    the_ends_cover_every_confirmed_append,
    a_share_starts_where_the_store_stands,
    a_share_waits_for_a_store_that_is_down,
    a_new_share_takes_over_from_an_earlier_one,
    a_persister_that_is_stuck_for_a_while_gets_everything,
    closing_appends_what_is_queued_and_ends_the_feeds,
    presence_is_the_last_values_then_caught_up_then_what_changes,
    signals_are_heard_from_now_on,
}

fn value(text: impl ToString) -> Bytes {
    Bytes::from(text.to_string())
}

async fn append(log: &dyn Log, key: &str, text: impl ToString) -> i64 {
    let receipt = log.append(key, value(text)).expect("not refused");
    soon("a receipt", receipt).await.unwrap().expect("appended")
}

async fn append_many(log: &dyn Log, count: usize) {
    let mut receipts = Vec::new();
    for n in 0..count {
        let key = format!("room-{}", n % 16);
        loop {
            match log.append(&key, value(n)) {
                Ok(receipt) => break receipts.push(receipt),
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    }
    for receipt in receipts {
        soon("a receipt", receipt).await.unwrap().expect("appended");
    }
}

async fn gather(feed: &mut Feed, count: usize) -> Vec<Entry> {
    let mut entries = Vec::new();
    while entries.len() < count {
        entries.extend(soon("entries", feed.recv()).await.expect("the feed goes on"));
    }
    assert_eq!(entries.len(), count);
    entries
}

/// Each partition is contiguous from the given offset on. Returns the ends.
fn assert_contiguous(entries: &[Entry], from: &[i64]) -> Vec<i64> {
    let mut next = from.to_vec();
    for entry in entries {
        let expected = &mut next[usize::from(entry.partition)];
        assert_eq!(entry.offset, *expected, "in partition {}", entry.partition);
        *expected += 1;
    }
    next
}

fn zeros(log: &dyn Log) -> Vec<i64> {
    vec![0; usize::from(log.partitions())]
}

async fn concurrent_appends_are_in_order_by_key_and_without_gaps(place: Place) {
    let log = place.open().await;
    assert!(log.is_new() && log.is_up());
    let mut feed = log.follow(zeros(&*log)).await.unwrap();
    let people = (0..8).map(|person| {
        let log = log.clone();
        tokio::spawn(async move {
            let key = format!("room-{person}");
            let mut confirmed = Vec::new();
            for n in 0..100 {
                confirmed.push(log.append(&key, value(n)).unwrap());
            }
            let mut offsets = Vec::new();
            for receipt in confirmed {
                offsets.push(soon("a receipt", receipt).await.unwrap().unwrap());
            }
            (key, offsets)
        })
    });
    let mut told = BTreeMap::new();
    for person in people.collect::<Vec<_>>() {
        let (key, offsets) = person.await.unwrap();
        told.insert(key, offsets);
    }
    let entries = gather(&mut feed, 800).await;
    assert_contiguous(&entries, &zeros(&*log));
    for (key, offsets) in told {
        let read: Vec<_> = entries.iter().filter(|entry| *entry.key == key).collect();
        assert!(read.iter().all(|entry| entry.partition == log.partition_of(&key)));
        assert_eq!(read.iter().map(|entry| entry.offset).collect::<Vec<_>>(), offsets);
        let said: Vec<_> = read.iter().map(|entry| entry.value.clone()).collect();
        assert_eq!(said, (0..100).map(value).collect::<Vec<_>>());
    }
}

/// Bytes that cannot be compressed to less.
fn noise(bytes: usize) -> Bytes {
    let mut noise = vec![0; bytes];
    getrandom::fill(&mut noise).unwrap();
    noise.into()
}

async fn an_entry_of_megabytes_is_taken(place: Place) {
    let log = place.open().await;
    let mut feed = log.follow(zeros(&*log)).await.unwrap();
    let large = noise(LARGE);
    let receipt = log.append("room", large.clone()).expect("not refused");
    soon("a receipt", receipt).await.unwrap().expect("appended");
    append(&*log, "room", "small").await;
    let entries = gather(&mut feed, 2).await;
    assert!(entries[0].value == large && entries[1].value == "small");
}

async fn a_follower_that_starts_in_the_middle_misses_and_repeats_nothing(place: Place) {
    let log = place.open().await;
    append_many(&*log, 500).await;
    let middle: Vec<i64> = log.ends().await.unwrap().iter().map(|end| end / 2).collect();
    let mut feed = log.follow(middle.clone()).await.unwrap();
    let writing = {
        let log = log.clone();
        tokio::spawn(async move { append_many(&*log, 500).await })
    };
    let expected = 1_000 - middle.iter().sum::<i64>() as usize;
    let entries = gather(&mut feed, expected).await;
    let next = assert_contiguous(&entries, &middle);
    writing.await.unwrap();
    assert_eq!(next, log.ends().await.unwrap());
}

async fn two_followers_agree(place: Place) {
    let log = place.open().await;
    let mut one = log.follow(zeros(&*log)).await.unwrap();
    append_many(&*log, 300).await;
    let mut other = log.follow(zeros(&*log)).await.unwrap();
    append_many(&*log, 300).await;
    let by_partition = |entries: Vec<Entry>| {
        let mut sorted = entries;
        sorted.sort_by_key(|entry| (entry.partition, entry.offset));
        sorted
    };
    let one = by_partition(gather(&mut one, 600).await);
    assert_eq!(one, by_partition(gather(&mut other, 600).await));
}

async fn a_slow_follower_does_not_stop_appends(place: Place) {
    let log = place.open().await;
    // More than the feed holds: 64 batches of 1 MiB.
    let big = Bytes::from(vec![b'x'; 60_000]);
    let mut slow = log.follow(zeros(&*log)).await.unwrap();
    let mut quick = log.follow(zeros(&*log)).await.unwrap();
    let mut receipts = Vec::new();
    let count = 1_500;
    for n in 0..count {
        let key = format!("room-{n}");
        let deadline = Instant::now() + SOON;
        let receipt = loop {
            match log.append(&key, big.clone()) {
                Ok(receipt) => break receipt,
                Err(refused) if Instant::now() > deadline => panic!("{refused}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        };
        receipts.push(receipt);
    }
    for receipt in receipts {
        soon("a receipt", receipt).await.unwrap().unwrap();
    }
    let ends = log.ends().await.unwrap();
    for feed in [&mut quick, &mut slow] {
        let entries = gather(feed, count).await;
        assert_eq!(assert_contiguous(&entries, &zeros(&*log)), ends);
    }
}

async fn reopening_keeps_everything(place: Place) {
    let log = place.open().await;
    append_many(&*log, 200).await;
    let ends = log.ends().await.unwrap();
    soon("closing", log.close()).await;
    assert!(log.append("room", value("late")).is_err());
    drop(log);

    let log = place.open().await;
    assert!(!log.is_new());
    assert_eq!(log.ends().await.unwrap(), ends);
    let offset = append(&*log, "room", "again").await;
    assert_eq!(offset, ends[usize::from(log.partition_of("room"))]);
    let entries = gather(&mut log.follow(zeros(&*log)).await.unwrap(), 201).await;
    assert_contiguous(&entries, &zeros(&*log));
}

async fn the_ends_cover_every_confirmed_append(place: Place) {
    let log = place.open().await;
    assert_eq!(log.ends().await.unwrap(), zeros(&*log));
    for n in 0..50 {
        let key = format!("room-{n}");
        let offset = append(&*log, &key, n).await;
        let ends = log.ends().await.unwrap();
        assert_eq!(ends[usize::from(log.partition_of(&key))], offset + 1);
    }
}

/// A store that only knows how far it is, and whether it is up.
#[derive(Default)]
struct Shelf {
    next: Mutex<BTreeMap<u16, i64>>,
    /// How often it still fails to answer.
    failing: AtomicI64,
}

#[async_trait]
impl StoredOffsets for Shelf {
    async fn next_offset(&self, partition: u16) -> Result<i64, LogError> {
        if self.failing.fetch_sub(1, Ordering::SeqCst) > 0 {
            return Err(LogError("the store is down".to_owned()));
        }
        Ok(self.next.lock().unwrap().get(&partition).copied().unwrap_or(0))
    }
}

/// A persister that writes down what it gets and checks that it comes as promised.
struct Persister {
    log: Arc<dyn Log>,
    shelf: Arc<Shelf>,
    shares: mpsc::Receiver<Share>,
    owned: BTreeMap<u16, i64>,
    written: Vec<Entry>,
}

impl Persister {
    async fn start(log: &Arc<dyn Log>, shelf: &Arc<Shelf>) -> Persister {
        let shares = log.share(shelf.clone()).await.unwrap();
        let (log, shelf) = (log.clone(), shelf.clone());
        Persister { log, shelf, shares, owned: BTreeMap::new(), written: Vec::new() }
    }

    async fn turn(&mut self) {
        let share = soon("a share", self.shares.recv()).await.expect("the share goes on");
        self.take(share);
    }

    fn take(&mut self, share: Share) {
        let mut shelf = self.shelf.next.lock().unwrap();
        match share {
            Share::Assigned(partitions) => {
                for partition in partitions {
                    let next = shelf.get(&partition).copied().unwrap_or(0);
                    let before = self.owned.insert(partition, next);
                    assert_eq!(before, None, "{partition} was assigned twice");
                }
            }
            Share::Revoked(partitions) => {
                for partition in partitions {
                    assert!(self.owned.remove(&partition).is_some(), "{partition} was not ours");
                }
            }
            Share::Entries(entries) => {
                for entry in entries {
                    let next = self.owned.get_mut(&entry.partition).expect("ours");
                    assert_eq!(entry.offset, *next, "in partition {}", entry.partition);
                    *next += 1;
                    shelf.insert(entry.partition, *next);
                    self.log.stored(entry.partition, *next);
                    self.written.push(entry);
                }
            }
        }
    }

    async fn until_written(&mut self, count: usize) {
        while self.written.len() < count {
            self.turn().await;
        }
        assert_eq!(self.written.len(), count);
    }
}

async fn a_share_starts_where_the_store_stands(place: Place) {
    let log = place.open().await;
    append_many(&*log, 200).await;
    let ends = log.ends().await.unwrap();
    let shelf = Arc::new(Shelf::default());
    let mut first = Persister::start(&log, &shelf).await;
    first.until_written(200).await;
    assert_eq!(first.owned.len(), usize::from(log.partitions()));
    // The group has been told the ends. But the store lost its last writes, and has the say.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    drop(first);
    let back: BTreeMap<u16, i64> = (0..).zip(ends.iter().map(|end| end / 3)).collect();
    let missing: i64 = ends.iter().zip(back.values()).map(|(end, next)| end - next).sum();
    *shelf.next.lock().unwrap() = back;
    let mut second = Persister::start(&log, &shelf).await;
    second.until_written(missing as usize).await;
    append_many(&*log, 10).await;
    second.until_written(missing as usize + 10).await;
}

async fn a_share_waits_for_a_store_that_is_down(place: Place) {
    let log = place.open().await;
    append_many(&*log, 20).await;
    let shelf = Arc::new(Shelf { failing: AtomicI64::new(3), ..Shelf::default() });
    let mut persister = Persister::start(&log, &shelf).await;
    persister.until_written(20).await;
}

async fn a_new_share_takes_over_from_an_earlier_one(place: Place) {
    let log = place.open().await;
    let shelf = Arc::new(Shelf::default());
    let mut first = Persister::start(&log, &shelf).await;
    append_many(&*log, 20).await;
    first.until_written(20).await;
    // The first is not even dropped: it ends by itself.
    let mut second = Persister::start(&log, &shelf).await;
    append_many(&*log, 20).await;
    second.until_written(20).await;
    while soon("the end of the first", first.shares.recv()).await.is_some() {}
}

async fn a_persister_that_is_stuck_for_a_while_gets_everything(place: Place) {
    let log = place.open().await;
    let shelf = Arc::new(Shelf::default());
    let mut persister = Persister::start(&log, &shelf).await;
    while persister.owned.is_empty() {
        persister.turn().await;
    }
    // Far more batches than its channel holds, one at a time.
    for n in 0..400 {
        append(&*log, "room", n).await;
        if n % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    persister.until_written(400).await;
    append_many(&*log, 100).await;
    persister.until_written(500).await;
}

async fn closing_appends_what_is_queued_and_ends_the_feeds(place: Place) {
    let log = place.open().await;
    let mut feed = log.follow(zeros(&*log)).await.unwrap();
    let receipts: Vec<_> = (0..500).map(|n| log.append("room", value(n)).unwrap()).collect();
    soon("closing", log.close()).await;
    for receipt in receipts {
        assert!(soon("a receipt", receipt).await.unwrap().is_ok());
    }
    let mut heard = 0;
    while let Some(entries) = soon("the end of the feed", feed.recv()).await {
        heard += entries.len();
    }
    assert_eq!(heard, 500);
}

fn heard(key: &str, text: Option<&'static str>) -> Heard {
    Heard::Value { key: key.into(), value: text.map(Bytes::from) }
}

async fn presence_is_the_last_values_then_caught_up_then_what_changes(place: Place) {
    let bus = place.bus().await;
    let tell = |key: &str, text: Option<&'static str>| {
        bus.tell(Channel::Presence, key, text.map(Bytes::from));
    };
    let mut empty = bus.listen(Channel::Presence).await.unwrap();
    assert_eq!(soon("the start", empty.recv()).await, Some(Heard::CaughtUp));

    tell("one", Some("old"));
    tell("two", Some("here"));
    tell("gone", Some("here"));
    tell("one", Some("new"));
    tell("gone", None);
    bus.flush().await;

    let mut listener = bus.listen(Channel::Presence).await.unwrap();
    let mut last = BTreeMap::new();
    let mut told = soon("what was told", listener.recv()).await;
    while let Some(Heard::Value { key, value }) = told {
        last.insert(key.to_string(), value);
        told = soon("what was told", listener.recv()).await;
    }
    assert_eq!(told, Some(Heard::CaughtUp));
    last.retain(|_, value| value.is_some());
    let kept = [("one", "new"), ("two", "here")];
    assert_eq!(last, kept.map(|(key, text)| (key.to_owned(), Some(text.into()))).into());

    tell("two", None);
    assert_eq!(soon("news", listener.recv()).await, Some(heard("two", None)));
    tell("three", Some("came"));
    assert_eq!(soon("news", listener.recv()).await, Some(heard("three", Some("came"))));
    // Who listened from the start heard how each key ended, and was not told twice to be level.
    let mut news = BTreeMap::new();
    while !news.contains_key("three") {
        match soon("news", empty.recv()).await {
            Some(Heard::Value { key, value }) => news.insert(key.to_string(), value),
            other => panic!("{other:?}"),
        };
    }
    assert_eq!(news["one"], Some("new".into()));
    assert_eq!((&news["two"], &news["gone"]), (&None, &None));
}

async fn signals_are_heard_from_now_on(place: Place) {
    let bus = place.bus().await;
    bus.tell(Channel::Signals, "room", Some("before".into()));
    bus.flush().await;
    let mut one = bus.listen(Channel::Signals).await.unwrap();
    let mut other = bus.listen(Channel::Signals).await.unwrap();
    for text in ["first", "second"] {
        bus.tell(Channel::Signals, "room", Some(text.into()));
    }
    for listener in [&mut one, &mut other] {
        for text in ["first", "second"] {
            assert_eq!(soon("a signal", listener.recv()).await, Some(heard("room", Some(text))));
        }
    }
}

// What only a cluster can do.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_cover_what_another_instance_appended() {
    let place = Place::kafka();
    let (one, other) = (place.open().await, place.open().await);
    for n in 0..100 {
        let key = format!("room-{n}");
        let (writer, reader) = if n % 2 == 0 { (&one, &other) } else { (&other, &one) };
        let offset = append(&**writer, &key, n).await;
        let ends = reader.ends().await.unwrap();
        assert_eq!(ends[usize::from(reader.partition_of(&key))], offset + 1);
    }
    // Those who ask together are answered together.
    let before = Instant::now();
    let asking: Vec<_> = (0..2_000)
        .map(|_| {
            let one = one.clone();
            tokio::spawn(async move { one.ends().await.unwrap() })
        })
        .collect();
    for asked in asking {
        assert_eq!(asked.await.unwrap().iter().sum::<i64>(), 100);
    }
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_share_the_partitions_and_one_takes_over() {
    let place = Place::kafka();
    let (one, other) = (place.open().await, place.open().await);
    let shelf = Arc::new(Shelf::default());
    append_many(&*one, 100).await;
    let mut first = Persister::start(&one, &shelf).await;
    first.until_written(100).await;
    let mut second = Persister::start(&other, &shelf).await;
    let all: BTreeSet<u16> = (0..one.partitions()).collect();
    let deadline = Instant::now() + SOON;
    loop {
        let shared: Vec<u16> = first.owned.keys().chain(second.owned.keys()).copied().collect();
        if !first.owned.is_empty() && !second.owned.is_empty() && shared.len() == all.len() {
            assert_eq!(shared.into_iter().collect::<BTreeSet<_>>(), all);
            break;
        }
        assert!(Instant::now() < deadline, "{:?} {:?}", first.owned, second.owned);
        tokio::select! {
            share = first.shares.recv() => first.take(share.unwrap()),
            share = second.shares.recv() => second.take(share.unwrap()),
        }
    }
    append_many(&*one, 100).await;
    while first.written.len() + second.written.len() < 200 {
        tokio::select! {
            share = first.shares.recv() => first.take(share.unwrap()),
            share = second.shares.recv() => second.take(share.unwrap()),
        }
    }
    let gone = Instant::now();
    soon("closing", one.close()).await;
    drop((first, one));
    while second.owned.len() < all.len() {
        second.turn().await;
    }
    let took = gone.elapsed();
    assert!(took < Duration::from_secs(6), "{took:?}");
    let before = second.written.len();
    append_many(&*other, 100).await;
    second.until_written(before + 100).await;
    assert_eq!(shelf.next.lock().unwrap().values().sum::<i64>(), 300);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_presence_told_on_one_instance_is_heard_on_another() {
    let place = Place::kafka();
    let (one, other) = (place.bus().await, place.bus().await);
    let mut signals = other.listen(Channel::Signals).await.unwrap();
    one.tell(Channel::Signals, "room", Some("typing".into()));
    assert_eq!(soon("a signal", signals.recv()).await, Some(heard("room", Some("typing"))));
    one.tell(Channel::Presence, "one", Some("here".into()));
    one.flush().await;
    let mut presence = other.listen(Channel::Presence).await.unwrap();
    assert_eq!(soon("presence", presence.recv()).await, Some(heard("one", Some("here"))));
    assert_eq!(soon("presence", presence.recv()).await, Some(Heard::CaughtUp));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_number_of_partitions_is_an_error_that_names_both() {
    let place = Place::kafka();
    let settings = place.settings();
    let log = KafkaLog::open(settings.clone()).await.unwrap();
    log.close().await;
    let more = KafkaSettings { partitions: 6, ..settings };
    let error = KafkaLog::open(more).await.err().expect("an error").to_string();
    assert!(error.contains("has 4 partitions") && error.contains("say 6"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_start_at_once_on_an_empty_broker() {
    let place = Place::kafka();
    let (one, other) = tokio::join!(place.open(), place.open());
    assert!(one.is_new() != other.is_new(), "one of them made the topic");
    let mut feed = other.follow(zeros(&*other)).await.unwrap();
    append(&*one, "room", "hello").await;
    assert_eq!(gather(&mut feed, 1).await[0].value, "hello");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_past_the_end_goes_on_at_the_earliest() {
    let place = Place::kafka();
    let log = place.open().await;
    append_many(&*log, 40).await;
    let beyond = vec![1_000_000; usize::from(log.partitions())];
    let mut feed = log.follow(beyond).await.unwrap();
    assert_contiguous(&gather(&mut feed, 40).await, &zeros(&*log));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreadable_entry_is_copied_with_the_reason() {
    let place = Place::kafka();
    let log = place.open().await;
    let entry = Entry { partition: 3, offset: 7, key: "room".into(), value: value("{") };
    log.quarantine(&entry, "not a record");
    let KafkaSettings { brokers, topic_prefix, .. } = place.settings();
    let copied = tokio::task::spawn_blocking(move || {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers).set("group.id", &topic_prefix);
        let consumer: BaseConsumer = config.create().unwrap();
        let mut list = TopicPartitionList::new();
        let topic = format!("{topic_prefix}-quarantine");
        list.add_partition_offset(&topic, 0, Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        let copy = consumer.poll(SOON).expect("a copy").unwrap();
        let headers = copy.headers().expect("headers").iter();
        let told: BTreeMap<String, String> = headers
            .map(|header| {
                let text = String::from_utf8_lossy(header.value.unwrap_or_default());
                (header.key.to_owned(), text.into_owned())
            })
            .collect();
        assert_eq!((copy.key(), copy.payload()), (Some(&b"room"[..]), Some(&b"{"[..])));
        told
    });
    let told = copied.await.unwrap();
    let topic = format!("{}-messages", place.settings().topic_prefix);
    let expected =
        [("offset", "7"), ("partition", "3"), ("reason", "not a record"), ("topic", &topic)];
    assert_eq!(told, expected.map(|(key, text)| (key.to_owned(), text.to_owned())).into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_is_refused_for_good_and_nothing_else_is() {
    let place = Place::kafka();
    let log = place.open().await;
    let refused = log.append("room", noise(2 * LARGE)).unwrap_err();
    assert_eq!(refused, Refused::TooLarge);
    log.close().await;
    drop(log);

    // Topics that were made with less than the largest entry needs.
    let (warnings, small) = (listen_to_warnings(), Place::kafka());
    let topic = format!("{}-messages", small.settings().topic_prefix);
    let bytes =
        NewTopic::new(&topic, 4, TopicReplication::Fixed(1)).set("max.message.bytes", "20000");
    let brokers = small.settings().brokers;
    let admin: AdminClient<_> =
        ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
    admin.create_topics([&bytes], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
    let log = small.open().await;
    let told = String::from_utf8(warnings.0.lock().unwrap().clone()).unwrap();
    let told = told.lines().find(|line| line.contains(&topic)).expect("a warning");
    assert!(told.contains("max.message.bytes of the topic is 20000"), "{told}");

    assert_eq!(log.append("room", noise(30_000)).unwrap_err(), Refused::TooLarge);
    // Many at once are more than a batch may have.
    let receipts: Vec<_> = (0..100).map(|_| log.append("room", noise(1_000)).unwrap()).collect();
    for receipt in receipts {
        soon("a receipt", receipt).await.unwrap().expect("appended");
    }
}

/// What this process warns of.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Warnings {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn listen_to_warnings() -> Warnings {
    let warnings = Warnings::default();
    let writer = warnings.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    warnings
}
