//! Every fold of the log agrees: instances that read on, instances that crashed and began again
//! from a snapshot, and the store, whatever people and other programs put into the log.
//!
//! Two simulated instances propose as real ones do, each from what it has read so far, so that
//! the log gets races, doubled drafts and nonsense. On a failure proptest prints the smallest
//! story that shows it; `PROPTEST_RNG_SEED` plays one again.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use rookery::core::batch::{Batch, Change};
use rookery::core::record::{Action, Changes, Founding, Post, Record, Seat};
use rookery::core::room::{Doer, Event, Mentions, Message, Refusal, Room, Status};
use rookery::core::types::{
    MessageId, Person, Place, Position, Role, RoomId, RoomKind, Timestamp, UserId, Visibility,
};
use rookery::store::{PageOf, ReadMark, Store};
use uuid::Uuid;

const PEOPLE: i64 = 5;
const HUB_ADMIN: UserId = UserId(5);
const PARTITIONS: u16 = 2;
const CLIENT_IDS: u8 = 4;

/// Two groups and a direct room, over two partitions.
fn room_id(number: usize) -> RoomId {
    [RoomId::Group(1), RoomId::Group(2), RoomId::Direct(UserId(1), UserId(2))][number % 3]
}

fn partition_of(room: RoomId) -> u16 {
    u16::from(room == RoomId::Group(2))
}

/// When a record is published: by clocks that do not agree.
fn at(record: u128) -> Timestamp {
    Timestamp(record as i64 * 10 + (record % 3) as i64 * 50)
}

fn person(user: i64) -> Person {
    let name = format!("user{user}");
    Person { id: UserId(user), username: name.clone(), display_name: format!("User {user}") }
}

/// One thing that happens in the simulated world.
#[derive(Debug, Clone)]
enum Step {
    /// Someone proposes on an instance, which publishes what it admits.
    Propose { instance: usize, room: usize, by: i64, action: Action },
    /// The same draft reaches both instances, as when a client sends again elsewhere.
    Twice { room: usize, by: i64, action: Action },
    /// Someone changes a message that the store has, through an instance: one of the newest.
    Change { instance: usize, room: usize, by: i64, newest: usize, what: Deed },
    /// Another program writes what it likes; some of it twice.
    Force { room: usize, by: i64, action: Action, copies: usize },
    /// Bytes that are no record.
    Garbage { room: usize },
    /// Many messages without a `client_id`, past what a fold remembers.
    Chatter { room: usize, by: i64, count: usize },
    /// An instance reads some of what it has not read.
    Read { instance: usize, entries: usize },
    /// An instance dies and begins again: from the store's snapshot, or from a copy of a fold.
    Restart { instance: usize, from_store: bool },
    /// The persister writes a batch of up to so many entries.
    Write { partition: u16, entries: usize },
    /// The persister dies and remembers nothing.
    Forget,
    /// Someone reads up to a part of the room, or past its end.
    Mark { room: usize, by: i64, percent: i64 },
}

/// What somebody does to a message.
#[derive(Debug, Clone)]
enum Deed {
    Edit(String),
    Delete,
    React(&'static str, bool),
}

impl Deed {
    fn to(self, message: &Message) -> Action {
        let original = message.original();
        match self {
            Deed::Edit(body) => Action::Edited { message: original, body, quote: None },
            Deed::Delete => Action::Deleted { message: original },
            Deed::React(emoji, on) => {
                Action::Reaction { message: original, emoji: emoji.to_owned(), on }
            }
        }
    }
}

fn change_of_message() -> impl Strategy<Value = Deed> {
    let emoji = prop_oneof![Just("👍"), Just("🎉")];
    prop_oneof![
        3 => prop_oneof![Just("hm"), Just("@all hm"), Just("@user1 hm")]
            .prop_map(|body| Deed::Edit(body.to_owned())),
        1 => Just(Deed::Delete),
        6 => (emoji, any::<bool>()).prop_map(|(emoji, on)| Deed::React(emoji, on)),
    ]
}

fn people() -> Range<i64> {
    1..PEOPLE + 1
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![2 => Just(Role::Member), 1 => Just(Role::Admin)]
}

fn visibility() -> impl Strategy<Value = Visibility> {
    prop_oneof![Just(Visibility::Private), Just(Visibility::Public)]
}

fn post(by: i64) -> impl Strategy<Value = Action> {
    let body = prop_oneof![
        4 => Just("hi".to_owned()),
        1 => Just("@all look".to_owned()),
        1 => people().prop_map(|user| format!("@user{user} hi")),
    ];
    // Now and then in somebody else's name.
    let sender = prop_oneof![30 => Just(by), 1 => people()];
    let client_id = proptest::option::weighted(0.7, 0..CLIENT_IDS);
    (sender, body, client_id).prop_map(|(sender, body, client_id)| {
        let client_id = client_id.map(|number| format!("c{number}"));
        Action::Message(Post { sender: person(sender), body, client_id, reply_to: None })
    })
}

fn founding(by: i64) -> impl Strategy<Value = Action> {
    let other = (people(), role()).prop_map(|(user, role)| Seat { person: person(user), role });
    let others = proptest::collection::vec(other, 0..4);
    let kind = prop_oneof![9 => Just(RoomKind::Group), 3 => Just(RoomKind::Direct)];
    (kind, visibility(), others).prop_map(move |(kind, visibility, mut members)| {
        if kind == RoomKind::Direct {
            members = vec![Seat { person: person(3 - by.min(2)), role: Role::Member }];
        }
        members.push(Seat { person: person(by), role: Role::Admin });
        let name = (kind == RoomKind::Group).then(|| "birds".to_owned());
        Action::RoomCreated(Founding { kind, name, visibility, members })
    })
}

fn changes() -> impl Strategy<Value = Action> {
    let text = || proptest::option::of("[a-z]{1,5}");
    (text(), text(), proptest::option::of(visibility())).prop_map(|(name, topic, visibility)| {
        Action::RoomUpdated(Changes { name, topic, visibility })
    })
}

fn action(by: i64) -> impl Strategy<Value = Action> {
    let set = |member, role| Action::MemberSet { member: person(member), role };
    let remove = |member, ban| Action::MemberRemoved { member: person(member), ban };
    prop_oneof![
        24 => post(by),
        5 => founding(by),
        4 => role().prop_map(move |role| set(by, role)),
        3 => Just(remove(by, false)),
        8 => (people(), role()).prop_map(move |(user, role)| set(user, role)),
        5 => (people(), any::<bool>()).prop_map(move |(user, ban)| remove(user, ban)),
        4 => (people(), 0..6_000i64).prop_map(|(user, until)| {
            Action::MemberMuted { member: person(user), until: Timestamp(until) }
        }),
        1 => people().prop_map(|user| Action::MemberUnmuted { member: person(user) }),
        3 => changes(),
        1 => proptest::bool::weighted(0.2).prop_map(|really| match really {
            true => Action::RoomDeleted,
            false => Action::RoomUpdated(Changes::default()),
        }),
    ]
}

fn deed() -> impl Strategy<Value = (usize, i64, Action)> {
    (0..3usize, people()).prop_flat_map(|(room, by)| (Just(room), Just(by), action(by)))
}

fn step() -> impl Strategy<Value = Step> {
    let instance = 0..2usize;
    prop_oneof![
        40 => (instance.clone(), deed()).prop_map(|(instance, (room, by, action))| {
            Step::Propose { instance, room, by, action }
        }),
        8 => deed().prop_map(|(room, by, action)| Step::Twice { room, by, action }),
        20 => (instance.clone(), 0..3usize, people(), 0..4usize, change_of_message()).prop_map(
            |(instance, room, by, newest, what)| Step::Change { instance, room, by, newest, what }
        ),
        12 => (deed(), 1..3usize).prop_map(|((room, by, action), copies)| {
            Step::Force { room, by, action, copies }
        }),
        1 => (0..3usize).prop_map(|room| Step::Garbage { room }),
        1 => (0..3usize, people(), 200..700usize)
            .prop_map(|(room, by, count)| Step::Chatter { room, by, count }),
        25 => (instance.clone(), 1..12usize)
            .prop_map(|(instance, entries)| Step::Read { instance, entries }),
        4 => (instance, any::<bool>())
            .prop_map(|(instance, from_store)| Step::Restart { instance, from_store }),
        8 => (0..PARTITIONS, prop_oneof![9 => 1..20usize, 1 => 1..2000usize])
            .prop_map(|(partition, entries)| Step::Write { partition, entries }),
        2 => Just(Step::Forget),
        5 => (0..3usize, people(), 0..130i64)
            .prop_map(|(room, by, percent)| Step::Mark { room, by, percent }),
    ]
}

/// What an entry of the log came to: `None` for one that nobody could read.
type Verdict = Option<Result<Event, Refusal>>;

#[derive(Debug, Clone)]
struct Logged {
    key: String,
    value: bytes::Bytes,
    verdict: Verdict,
}

/// The rooms of one partition, as far as some offset.
#[derive(Debug, Clone, Default)]
struct Fold {
    rooms: HashMap<RoomId, Room>,
    next: usize,
}

impl Fold {
    fn room(&mut self, id: RoomId) -> &mut Room {
        self.rooms.entry(id).or_insert_with(|| Room::absent(id))
    }

    fn take_in(&mut self, partition: u16, key: &str, value: &[u8]) -> Verdict {
        let place = Place { epoch: 0, partition, offset: self.next as i64 };
        self.next += 1;
        let record = Record::decode(key, value).ok()?;
        Some(self.room(record.room).apply(&record, place))
    }
}

/// What a person who counts by hand knows of a room.
#[derive(Debug, Default)]
struct Counted {
    messages: Vec<(Message, Mentions)>,
    /// The members, and how far they have read.
    read: BTreeMap<UserId, Position>,
}

impl Counted {
    fn message(&mut self, id: MessageId) -> &mut (Message, Mentions) {
        let mut messages = self.messages.iter_mut();
        messages.find(|(message, _)| message.id == id).expect("a message that was accepted")
    }
}

struct World {
    store: Store,
    log: Vec<Vec<Logged>>,
    /// Reads every entry the moment it is written: what all others are held against.
    truth: Vec<Fold>,
    instances: Vec<Vec<Fold>>,
    /// What the persister remembers of the rooms, and how far it has written.
    persister: Vec<Fold>,
    /// As far as the store has written.
    counted: BTreeMap<RoomId, Counted>,
    records: u128,
}

impl World {
    async fn new(dir: &std::path::Path) -> World {
        let store = Store::sqlite(&dir.join("rookery.db")).await.unwrap();
        for user in people() {
            let Person { username, display_name, .. } = person(user);
            let hash = "no password";
            let id = store.create_user(&username, &display_name, hash, Timestamp(0)).await;
            assert_eq!(id.unwrap(), UserId(user));
        }
        let partitions = usize::from(PARTITIONS);
        store.open_log(&[], &vec![0; partitions], true).await.unwrap();
        World {
            store,
            log: vec![Vec::new(); partitions],
            truth: vec![Fold::default(); partitions],
            instances: vec![vec![Fold::default(); partitions]; 2],
            persister: vec![Fold::default(); partitions],
            counted: BTreeMap::new(),
            records: 0,
        }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Propose { instance, room, by, action } => {
                self.propose(instance, room_id(room), UserId(by), action);
            }
            Step::Twice { room, by, action } => {
                self.propose(0, room_id(room), UserId(by), action.clone());
                self.propose(1, room_id(room), UserId(by), action);
            }
            Step::Change { instance, room, by, newest, what } => {
                let room = room_id(room);
                let page = self.store.page(room, partition_of(room), PageOf::Newest, 4).await;
                if let Some(message) = page.unwrap().messages.iter().rev().nth(newest) {
                    self.propose(instance, room, UserId(by), what.to(message));
                }
            }
            Step::Force { room, by, action, copies } => {
                // Whoever writes to the log is believed, whatever the store says of them.
                let by = Doer { user: UserId(by), hub_admin: copies > 1 };
                let record = self.record(room_id(room), by, action);
                (0..copies).for_each(|_| self.append(record.room, record.encode()));
            }
            Step::Garbage { room } => {
                self.append(room_id(room), bytes::Bytes::from_static(b"{\"message\":"));
            }
            Step::Chatter { room, by, count } => {
                for _ in 0..count {
                    let body = "la".to_owned();
                    let post = Post { sender: person(by), body, client_id: None, reply_to: None };
                    self.propose(0, room_id(room), UserId(by), Action::Message(post));
                }
            }
            Step::Read { instance, entries } => {
                for partition in 0..PARTITIONS {
                    self.read(instance, partition, entries);
                }
            }
            Step::Restart { instance, from_store } => self.restart(instance, from_store).await,
            Step::Write { partition, entries } => self.write(partition, entries).await,
            Step::Forget => self.persister.iter_mut().for_each(|fold| fold.rooms.clear()),
            Step::Mark { room, by, percent } => {
                self.mark(room_id(room), UserId(by), percent).await;
            }
        }
    }

    fn record(&mut self, room: RoomId, by: Doer, action: Action) -> Record {
        self.records += 1;
        Record::new(action, room, by, at(self.records), Uuid::from_u128(self.records))
    }

    /// An instance publishes what it admits. One that has read everything is not mistaken.
    fn propose(&mut self, instance: usize, room: RoomId, by: UserId, action: Action) {
        let partition = usize::from(partition_of(room));
        let fold = &mut self.instances[instance][partition];
        let by = Doer { user: by, hub_admin: by == HUB_ADMIN };
        let admitted = fold.room(room).admit(by, &action, at(self.records + 1));
        let has_read_all = fold.next == self.log[partition].len();
        let record = self.record(room, admitted.unwrap_or(by), action);
        if has_read_all {
            let place = Place {
                epoch: 0,
                partition: partition as u16,
                offset: self.log[partition].len() as i64,
            };
            let mut copy = self.truth[partition].room(room).clone();
            let applied = copy.apply(&record, place).map(drop);
            assert_eq!(admitted.map(drop), applied, "admitting and applying {record:?}");
        }
        if admitted.is_ok() {
            self.append(room, record.encode());
        }
    }

    fn append(&mut self, room: RoomId, value: bytes::Bytes) {
        let (partition, key) = (partition_of(room), room.to_string());
        let index = usize::from(partition);
        let before = self.truth[index].rooms.get(&room).cloned();
        let verdict = self.truth[index].take_in(partition, &key, &value);
        if let (Some(before), Some(Ok(event))) = (before, &verdict) {
            assert!(self.truth[index].rooms[&room].position > before.position);
            if let Event::Message { message, .. } = event {
                assert!(before.members.contains_key(&message.sender.id), "a stranger spoke");
                let (sender, at) = (message.sender.id, message.sent_at);
                assert_eq!(before.mutes.until(sender, at), None, "one who is muted spoke");
            }
        }
        self.log[index].push(Logged { key, value, verdict });
    }

    fn read(&mut self, instance: usize, partition: u16, entries: usize) {
        let index = usize::from(partition);
        let fold = &mut self.instances[instance][index];
        for logged in self.log[index].iter().skip(fold.next).take(entries) {
            let offset = fold.next;
            let verdict = fold.take_in(partition, &logged.key, &logged.value);
            assert_eq!(verdict, logged.verdict, "instance {instance} at {partition}/{offset}");
        }
    }

    /// All that the instance knew is gone. Rooms begin at the store's watermark, or where the
    /// other instance is.
    async fn restart(&mut self, instance: usize, from_store: bool) {
        for partition in 0..PARTITIONS {
            let index = usize::from(partition);
            let mut fold = self.instances[1 - instance][index].clone();
            if from_store {
                fold = Fold::default();
                for room in (0..3).map(room_id).filter(|room| partition_of(*room) == partition) {
                    let snapshot = self.store.snapshot(room, partition).await.unwrap();
                    fold.next = snapshot.next as usize;
                    fold.rooms.insert(room, snapshot.room);
                }
            }
            self.instances[instance][index] = fold;
        }
    }

    /// As the persister does: fold what follows, and write it with the offset in one batch.
    async fn write(&mut self, partition: u16, entries: usize) {
        let index = usize::from(partition);
        let from = self.persister[index].next;
        let upto = (from + entries).min(self.log[index].len());
        let mut batch = Batch::starting_at(partition, from as i64);
        for offset in from..upto {
            let logged = self.log[index][offset].clone();
            let Ok(record) = Record::decode(&logged.key, &logged.value) else {
                self.persister[index].next += 1;
                batch.push(offset as i64, None);
                continue;
            };
            if !self.persister[index].rooms.contains_key(&record.room) {
                let snapshot = self.store.snapshot(record.room, partition).await.unwrap();
                assert_eq!(snapshot.next, from as i64);
                self.persister[index].rooms.insert(record.room, snapshot.room);
            }
            let verdict = self.persister[index].take_in(partition, &logged.key, &logged.value);
            assert_eq!(verdict, logged.verdict, "the persister at {partition}/{offset}");
            let position = Place { epoch: 0, partition, offset: offset as i64 }.position();
            let (room, at, hub_admin) = (record.room, record.at, record.hub_admin);
            let change = |event| Change { room, position, at, hub_admin, event };
            batch.push(offset as i64, verdict.and_then(Result::ok).map(change));
        }
        if batch.is_empty() {
            return;
        }
        self.store.write(&batch).await.unwrap();
        batch.changes.iter().for_each(|change| self.count(change));
        // Another persister that wakes up late writes nothing twice.
        let again = self.store.write(&batch).await;
        assert!(matches!(again, Err(rookery::store::StoreError::Fenced)), "{again:?}");
    }

    /// The same by hand, one after another.
    fn count(&mut self, change: &Change) {
        let counted = self.counted.entry(change.room).or_default();
        match &change.event {
            Event::Message { message, mentions } => {
                counted.messages.push((message.clone(), mentions.clone()));
                counted.read.insert(message.sender.id, change.position);
            }
            Event::Edited { message, mentions } => {
                let (known, called) = counted.message(message.id);
                (known.body, known.edited_at) = (message.body.clone(), Some(change.at));
                *called = mentions.clone();
            }
            Event::Deleted { message, .. } => {
                let (known, called) = counted.message(message.id);
                *known = known.clone().into_deleted();
                *called = Mentions::default();
            }
            Event::Reaction { message, emoji, user, on, count, .. } => {
                let (known, _) = counted.message(*message);
                let mut original = known.original();
                assert_eq!(original.react(*user, emoji, *on), *count);
                known.reactions = original.reactions.into_iter().map(Into::into).collect();
            }
            Event::RoomCreated { members, .. } => {
                let read =
                    |member: &rookery::core::room::Member| (member.person.id, change.position);
                counted.read.extend(members.iter().map(read));
            }
            Event::MemberAdded { member, .. } => {
                counted.read.insert(member.person.id, change.position);
            }
            Event::MemberRemoved { member, .. } => {
                counted.read.remove(&member.person.id);
            }
            Event::RoomDeleted { .. } => *counted = Counted::default(),
            Event::RoomUpdated { .. }
            | Event::MemberUpdated { .. }
            | Event::MemberMuted { .. }
            | Event::MemberUnmuted { .. }
            | Event::MemberBanned { .. } => {}
        }
    }

    async fn mark(&mut self, room: RoomId, user: UserId, percent: i64) {
        let partition = partition_of(room);
        let end = self.store.snapshot(room, partition).await.unwrap().room.position;
        let position = Position(end.0 * percent / 100);
        self.store.set_read(&[ReadMark { room, user, position, version: None }]).await.unwrap();
        if let Some(read) = self.counted.entry(room).or_default().read.get_mut(&user) {
            *read = (*read).max(position.min(end));
        }
    }

    /// Everyone reads to the end: then all say the same.
    async fn agree(&mut self) {
        for partition in 0..PARTITIONS {
            self.write(partition, usize::MAX / 2).await;
            (0..2).for_each(|instance| self.read(instance, partition, usize::MAX / 2));
        }
        self.restart(1, true).await;
        for room in (0..3).map(room_id) {
            let index = usize::from(partition_of(room));
            let truth = self.truth[index].room(room).clone();
            for instance in &mut self.instances {
                assert_same(instance[index].room(room), &truth);
            }
            let history = self.history(room).await;
            let counted = self.counted.entry(room).or_default();
            let expected: Vec<&Message> =
                counted.messages.iter().map(|(message, _)| message).collect();
            assert_eq!(history.iter().collect::<Vec<_>>(), expected, "history of {room}");
            assert_no_repeats(&history);
            self.assert_views(room, &truth).await;
        }
    }

    async fn history(&self, room: RoomId) -> Vec<Message> {
        let (mut all, mut after) = (Vec::new(), Position::START);
        loop {
            let which = PageOf::After(after);
            let page = self.store.page(room, partition_of(room), which, 100).await.unwrap();
            all.extend(page.messages);
            match (page.has_newer, all.last()) {
                (true, Some(last)) => after = last.position,
                _ => return all,
            }
        }
    }

    async fn assert_views(&self, room: RoomId, truth: &Room) {
        let counted = &self.counted[&room];
        let members: Vec<_> = counted.read.keys().collect();
        assert_eq!(members, truth.members.keys().collect::<Vec<_>>(), "members of {room}");
        for (&user, &read) in &counted.read {
            let unread = || {
                let after = move |(message, _): &&(Message, Mentions)| message.position > read;
                counted.messages.iter().filter(after)
            };
            let counts = |message: &Message| message.sender.id != user && !message.deleted;
            let by_others = unread().filter(|(message, _)| counts(message)).count();
            let calls = |mentions: &Mentions| mentions.all || mentions.users.contains(&user);
            let mentions = unread().filter(|(_, mentions)| calls(mentions)).count();
            let view = self.store.room_view(room, user).await.unwrap().unwrap();
            assert_eq!(view.read_position, Some(read), "how far {user} has read {room}");
            assert_eq!(view.unread, Some(by_others as i64), "unread of {user} in {room}");
            assert_eq!(view.mentions, Some(mentions as i64), "mentions of {user} in {room}");
            assert_eq!(view.member_count, truth.members.len() as i64);
            assert_eq!(view.role, Some(truth.members[&user].role));
            assert_eq!(view.position, truth.position);
        }
    }
}

fn assert_same(one: &Room, other: &Room) {
    let known = |room: &Room| (room.status, room.kind, room.position);
    assert_eq!(known(one), known(other), "room {}", one.id);
    assert_eq!(one.info(), other.info());
    assert_eq!((&one.members, &one.banned), (&other.members, &other.banned), "room {}", one.id);
    assert_eq!(one.mutes, other.mutes, "room {}", one.id);
    assert_eq!(one.changed, other.changed, "room {}", one.id);
    if one.status == Status::Live {
        assert_eq!(one.recent.is_complete(), other.recent.is_complete());
        for (user, client_id) in people().flat_map(|user| (0..CLIENT_IDS).map(move |id| (user, id)))
        {
            let find = |room: &Room| room.recent.find(UserId(user), &format!("c{client_id}"));
            assert_eq!(find(one), find(other), "user {user}, client_id c{client_id}");
        }
    }
}

/// No `client_id` twice within the window that every fold remembers.
fn assert_no_repeats(history: &[Message]) {
    let mut last: HashMap<(UserId, &str), usize> = HashMap::new();
    for (index, message) in history.iter().enumerate() {
        assert!(index == 0 || history[index - 1].position < message.position);
        let Some(client_id) = &message.client_id else { continue };
        if let Some(before) = last.insert((message.sender.id, client_id), index) {
            assert!(
                index - before >= rookery::core::recent::WINDOW,
                "{client_id} was accepted twice"
            );
        }
    }
}

fn seed() -> u64 {
    let given = std::env::var("PROPTEST_RNG_SEED").ok().and_then(|seed| seed.parse().ok());
    let nanos = || std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    given.unwrap_or_else(nanos)
}

fn run(cases: u32, steps: Range<usize>) {
    let seed = seed();
    println!("PROPTEST_RNG_SEED={seed}");
    let rng_seed = RngSeed::Fixed(seed);
    let config = Config {
        cases,
        rng_seed,
        failure_persistence: None,
        max_shrink_iters: 300,
        ..Config::default()
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.unwrap();
    let story = proptest::collection::vec(step(), steps);
    let told = TestRunner::new(config).run(&story, |steps| {
        let dir = tempfile::tempdir().unwrap();
        runtime.block_on(async {
            let mut world = World::new(dir.path()).await;
            for room in 0..3 {
                let seat = |user, role| Seat { person: person(user), role };
                let members = vec![seat(1, Role::Admin), seat(2, Role::Member)];
                let kind = if room == 2 { RoomKind::Direct } else { RoomKind::Group };
                let visibility = Visibility::Public;
                let founding = Founding { kind, name: None, visibility, members };
                world.propose(0, room_id(room), UserId(1), Action::RoomCreated(founding));
            }
            for step in steps {
                world.take(step).await;
            }
            world.agree().await;
        });
        Ok(())
    });
    told.unwrap_or_else(|failure| panic!("PROPTEST_RNG_SEED={seed}: {failure}"));
}

#[test]
fn many_short_stories_end_the_same_for_everyone() {
    run(200, 1..120);
}

#[test]
fn a_few_long_ones_do_too() {
    run(10, 800..1_500);
}
