//! The rules of rooms as small stories, told through the public core: what a room admits and
//! what a record does when it comes back from the log.

use rookery::core::message::{Message, Quote, REACTIONS};
use rookery::core::record::{Action, Changes, Founding, Post, Record, Seat};
use rookery::core::room::{Doer, Event, MAX_MEMBERS, Refusal, Room, Standing};
use rookery::core::types::{
    Person, Place, Position, Role, RoomId, RoomKind, Timestamp, UserId, Visibility,
};
use uuid::Uuid;

const ANN: UserId = UserId(1);
const BOB: UserId = UserId(2);
const CAT: UserId = UserId(3);
const DAN: UserId = UserId(4);

fn person(user: UserId) -> Person {
    let name = match user {
        ANN => "ann".to_owned(),
        BOB => "bob".to_owned(),
        CAT => "cat".to_owned(),
        DAN => "dan".to_owned(),
        UserId(number) => format!("user{number}"),
    };
    Person { id: user, username: name.clone(), display_name: name }
}

/// A room and the log that makes it: each action is a record at the next offset.
struct Story {
    room: Room,
    next: i64,
}

impl Story {
    fn about(id: RoomId) -> Story {
        Story { room: Room::absent(id), next: 0 }
    }

    /// A group that ann runs, with others in it.
    fn group(visibility: Visibility, others: &[UserId]) -> Story {
        let mut story = Story::about(RoomId::Group(7));
        story.did(ANN, founding(RoomKind::Group, visibility, ANN, others));
        story
    }

    /// The two of a direct room.
    fn direct() -> Story {
        let mut story = Story::about(RoomId::direct(ANN, BOB).unwrap());
        story.did(ANN, founding(RoomKind::Direct, Visibility::Private, ANN, &[BOB]));
        story
    }

    /// What became of an action, asked before and told after: the two must agree.
    fn tries(&mut self, by: Doer, action: Action) -> Result<Event, Refusal> {
        let before = self.room.position;
        let place = Place { epoch: 0, partition: 0, offset: self.next };
        self.next += 1;
        let at = Timestamp(self.next);
        let admitted = self.room.admit(by, &action, at);
        let record = Record::new(action, self.room.id, by, at, Uuid::now_v7());
        let applied = self.room.apply(&record, place);
        assert_eq!(admitted.map(drop), applied.as_ref().map(drop).map_err(|refusal| *refusal));
        let moved = if applied.is_ok() { place.position() } else { before };
        assert_eq!(self.room.position, moved, "only what was accepted moves the position");
        applied
    }

    fn did(&mut self, by: UserId, action: Action) -> Event {
        self.does(by.into(), action)
    }

    fn does(&mut self, by: Doer, action: Action) -> Event {
        self.tries(by, action).expect("accepted")
    }

    /// What would become of an action now.
    fn admits(&self, by: impl Into<Doer>, action: &Action) -> Result<Doer, Refusal> {
        self.room.admit(by.into(), action, Timestamp(self.next + 1))
    }

    fn refused(&mut self, by: UserId, action: Action) -> Refusal {
        self.tries(by.into(), action).expect_err("refused")
    }

    fn said(&mut self, by: UserId, body: &str) -> Message {
        let Event::Message { message, .. } = self.did(by, says(by, body)) else { panic!() };
        message
    }

    /// A reply whose publisher read this of what it quotes.
    fn replied(&mut self, by: UserId, to: &Message) -> Message {
        let (sender, reply_to) = (person(by), Some(to.to_quote()));
        let post = Post { sender, body: "oh".into(), client_id: None, reply_to };
        let Event::Message { message, .. } = self.did(by, Action::Message(post)) else { panic!() };
        message
    }

    fn role(&self, user: UserId) -> Option<Role> {
        self.room.members.get(&user).map(|member| member.role)
    }
}

fn founding(kind: RoomKind, visibility: Visibility, by: UserId, others: &[UserId]) -> Action {
    let seat = |user, role| Seat { person: person(user), role };
    let mut members = vec![seat(by, Role::Admin)];
    members.extend(others.iter().map(|user| seat(*user, Role::Member)));
    let name = (kind == RoomKind::Group).then(|| "birds".to_owned());
    Action::RoomCreated(Founding { kind, name, visibility, members })
}

fn says(by: UserId, body: &str) -> Action {
    Action::Message(Post { sender: person(by), body: body.into(), client_id: None, reply_to: None })
}

fn says_once(by: UserId, body: &str, client_id: &str) -> Action {
    let client_id = Some(client_id.to_owned());
    Action::Message(Post { sender: person(by), body: body.into(), client_id, reply_to: None })
}

fn edits(message: &Message, body: &str) -> Action {
    Action::Edited { message: message.original(), body: body.into(), quote: None }
}

fn deletes(message: &Message) -> Action {
    Action::Deleted { message: message.original() }
}

fn reacts(message: &Message, emoji: &str, on: bool) -> Action {
    Action::Reaction { message: message.original(), emoji: emoji.into(), on }
}

fn seats(user: UserId, role: Role) -> Action {
    Action::MemberSet { member: person(user), role }
}

fn removes(user: UserId) -> Action {
    Action::MemberRemoved { member: person(user), ban: false }
}

fn bans(user: UserId) -> Action {
    Action::MemberRemoved { member: person(user), ban: true }
}

fn renames(name: &str) -> Action {
    Action::RoomUpdated(Changes { name: Some(name.into()), ..Changes::default() })
}

fn opens(visibility: Visibility) -> Action {
    Action::RoomUpdated(Changes { visibility: Some(visibility), ..Changes::default() })
}

fn joins(user: UserId) -> Action {
    seats(user, Role::Member)
}

#[test]
fn ann_makes_a_group_and_runs_it_and_bob_speaks() {
    let mut story = Story::group(Visibility::Private, &[BOB]);
    assert_eq!((story.role(ANN), story.role(BOB)), (Some(Role::Admin), Some(Role::Member)));
    let Event::Message { message, .. } = story.did(BOB, says(BOB, "hi")) else { panic!() };
    assert_eq!((message.body.as_deref(), message.sender.id), (Some("hi"), BOB));
    assert_eq!(message.position, Position::new(0, 1));
    assert_eq!(
        story.refused(ANN, founding(RoomKind::Group, Visibility::Public, ANN, &[])),
        Refusal::Exists
    );
}

#[test]
fn a_room_that_nobody_made_does_not_exist() {
    let mut story = Story::about(RoomId::Group(7));
    for action in [says(ANN, "hi"), joins(ANN), removes(ANN), renames("x"), Action::RoomDeleted] {
        assert_eq!(story.refused(ANN, action), Refusal::NotFound);
    }
}

#[test]
fn a_direct_room_has_its_two_people_for_ever() {
    let mut story = Story::direct();
    let unchangeable = || {
        [
            joins(CAT),
            removes(BOB),
            removes(ANN),
            bans(BOB),
            seats(BOB, Role::Admin),
            renames("x"),
            opens(Visibility::Public),
            Action::RoomDeleted,
            mutes(BOB, 1_000),
            unmutes(BOB),
        ]
    };
    for action in unchangeable() {
        assert_eq!(story.refused(ANN, action), Refusal::DirectRoom);
    }
    for action in unchangeable() {
        assert_eq!(story.refused(CAT, action), Refusal::NotFound, "it is none of cat's business");
    }
    story.did(BOB, says(BOB, "still here"));
    story.did(ANN, says(ANN, "me too"));
    assert_eq!(story.refused(CAT, says(CAT, "and me?")), Refusal::NotFound);
    assert_eq!(story.room.visibility, Visibility::Private);
}

#[test]
fn a_direct_room_is_of_its_own_pair() {
    let id = RoomId::direct(ANN, BOB).unwrap();
    let made = |kind, by, others: &[UserId]| {
        Story::about(id).tries(Doer::from(by), founding(kind, Visibility::Private, by, others))
    };
    assert!(made(RoomKind::Direct, BOB, &[ANN]).is_ok());
    assert_eq!(made(RoomKind::Direct, ANN, &[]), Err(Refusal::Nonsense));
    assert_eq!(made(RoomKind::Direct, ANN, &[CAT]), Err(Refusal::Nonsense));
    assert_eq!(made(RoomKind::Direct, ANN, &[BOB, CAT]), Err(Refusal::Nonsense));
    assert_eq!(made(RoomKind::Group, ANN, &[BOB]), Err(Refusal::Nonsense));
}

#[test]
fn a_direct_room_stays_private_whatever_its_record_says() {
    let mut story = Story::about(RoomId::direct(ANN, BOB).unwrap());
    story.did(ANN, founding(RoomKind::Direct, Visibility::Public, ANN, &[BOB]));
    assert_eq!(story.room.standing(CAT), Standing::Stranger);
    assert_eq!(story.refused(CAT, joins(CAT)), Refusal::NotFound);
}

#[test]
fn the_last_admin_hands_over_before_leaving() {
    let mut story = Story::group(Visibility::Private, &[BOB]);
    assert_eq!(story.refused(ANN, removes(ANN)), Refusal::LastAdmin);
    assert_eq!(story.refused(ANN, seats(ANN, Role::Member)), Refusal::LastAdmin);
    story.did(ANN, seats(BOB, Role::Admin));
    story.did(BOB, seats(ANN, Role::Member));
    assert_eq!(story.refused(BOB, seats(BOB, Role::Member)), Refusal::LastAdmin);
    story.did(ANN, removes(ANN));
    assert_eq!(story.room.members.len(), 1);
}

#[test]
fn the_last_one_may_go_and_who_comes_into_the_empty_group_runs_it() {
    let mut story = Story::group(Visibility::Public, &[]);
    story.did(ANN, removes(ANN));
    assert_eq!(story.refused(ANN, says(ANN, "hello?")), Refusal::NotAMember);
    let Event::MemberAdded { member, by, .. } = story.did(CAT, joins(CAT)) else { panic!() };
    assert_eq!((member.role, by), (Role::Admin, CAT));
    story.did(BOB, joins(BOB));
    assert_eq!(story.role(BOB), Some(Role::Member));
    story.did(CAT, renames("cat's"));
}

#[test]
fn the_banned_stay_out_until_an_admin_adds_them() {
    let mut story = Story::group(Visibility::Public, &[BOB]);
    story.did(ANN, bans(BOB));
    assert_eq!(story.refused(BOB, joins(BOB)), Refusal::Banned);
    assert_eq!(story.refused(ANN, bans(BOB)), Refusal::Unchanged);
    story.did(ANN, seats(BOB, Role::Member));
    story.did(BOB, removes(BOB));
    story.did(BOB, joins(BOB));
    assert_eq!(story.role(BOB), Some(Role::Member), "the ban was lifted for good");
}

#[test]
fn removing_is_not_banning() {
    let mut story = Story::group(Visibility::Public, &[BOB]);
    story.did(ANN, removes(BOB));
    story.did(BOB, joins(BOB));
    story.did(BOB, removes(BOB));
    let Event::MemberBanned { person, .. } = story.did(ANN, bans(BOB)) else { panic!() };
    assert_eq!(person.id, BOB);
    assert_eq!(story.refused(BOB, joins(BOB)), Refusal::Banned, "who left can be kept out, too");
}

#[test]
fn nobody_bans_themselves() {
    let mut story = Story::group(Visibility::Public, &[BOB]);
    let Event::MemberRemoved { ban, .. } = story.did(BOB, bans(BOB)) else { panic!() };
    assert!(!ban);
    story.did(BOB, joins(BOB));
}

#[test]
fn a_public_group_is_open_and_a_private_one_does_not_exist_for_strangers() {
    let mut story = Story::group(Visibility::Private, &[]);
    assert_eq!(story.room.standing(BOB), Standing::Stranger);
    assert_eq!(story.refused(BOB, joins(BOB)), Refusal::NotFound);
    assert_eq!(story.refused(BOB, says(BOB, "hi")), Refusal::NotFound);
    assert_eq!(story.refused(BOB, renames("bob's")), Refusal::NotFound);

    story.did(ANN, opens(Visibility::Public));
    assert_eq!(story.room.standing(BOB), Standing::Outsider);
    assert_eq!(story.refused(BOB, says(BOB, "hi")), Refusal::NotAMember);
    assert_eq!(story.refused(BOB, removes(ANN)), Refusal::NotAMember);
    assert_eq!(story.refused(BOB, seats(BOB, Role::Admin)), Refusal::NotAMember);
    story.did(BOB, joins(BOB));

    story.did(ANN, opens(Visibility::Private));
    story.did(BOB, says(BOB, "I am in"));
    assert_eq!(story.refused(CAT, joins(CAT)), Refusal::NotFound);
}

#[test]
fn only_admins_change_a_group() {
    let mut story = Story::group(Visibility::Public, &[BOB, CAT]);
    for action in [
        seats(DAN, Role::Member),
        seats(CAT, Role::Admin),
        seats(BOB, Role::Admin),
        removes(CAT),
        bans(CAT),
        renames("bob's"),
        Action::RoomDeleted,
    ] {
        assert_eq!(story.refused(BOB, action), Refusal::Forbidden);
    }
    story.did(ANN, seats(BOB, Role::Admin));
    story.did(BOB, seats(DAN, Role::Member));
    story.did(BOB, removes(ANN));
    assert_eq!(story.refused(ANN, renames("mine")), Refusal::NotAMember);
}

#[test]
fn nobody_speaks_after_their_removal_even_if_they_asked_before_it() {
    let mut story = Story::group(Visibility::Private, &[BOB]);
    let late = says(BOB, "too late");
    assert!(story.admits(BOB, &late).is_ok());
    story.did(ANN, removes(BOB));
    assert_eq!(story.refused(BOB, late), Refusal::NotFound);
}

#[test]
fn a_repeat_gets_the_first_message_whatever_its_text() {
    let mut story = Story::group(Visibility::Private, &[BOB]);
    let Event::Message { message, .. } = story.did(ANN, says_once(ANN, "one", "k")) else {
        panic!()
    };
    for text in ["one", "two"] {
        let Refusal::Repeat(first) = story.refused(ANN, says_once(ANN, text, "k")) else {
            panic!()
        };
        assert_eq!((first.id, first.position), (message.id, message.position));
    }
    story.did(BOB, says_once(BOB, "one", "k"));
    story.did(ANN, says_once(ANN, "one", "K"));
    story.did(ANN, says(ANN, "one"));
    story.did(ANN, says(ANN, "one"));
}

#[test]
fn a_repeat_by_who_was_removed_is_not_told_of_the_first() {
    let mut story = Story::group(Visibility::Private, &[BOB]);
    story.did(BOB, says_once(BOB, "one", "k"));
    story.did(ANN, removes(BOB));
    assert_eq!(story.refused(BOB, says_once(BOB, "one", "k")), Refusal::NotFound);
    story.did(ANN, seats(BOB, Role::Member));
    assert!(matches!(story.refused(BOB, says_once(BOB, "one", "k")), Refusal::Repeat(_)));
}

#[test]
fn nobody_speaks_in_anothers_name() {
    let mut story = Story::group(Visibility::Private, &[BOB]);
    assert_eq!(story.refused(BOB, says(ANN, "I resign")), Refusal::Nonsense);
}

#[test]
fn what_is_so_already_is_said_to_be() {
    let mut story = Story::group(Visibility::Public, &[BOB]);
    assert_eq!(story.refused(BOB, joins(BOB)), Refusal::Unchanged);
    assert_eq!(story.refused(ANN, seats(BOB, Role::Member)), Refusal::Unchanged);
    assert_eq!(story.refused(ANN, seats(ANN, Role::Admin)), Refusal::Unchanged);
    story.did(ANN, renames("Readers"));
    assert_eq!(story.refused(ANN, renames("Readers")), Refusal::Unchanged);
    assert_eq!(story.refused(ANN, Action::RoomUpdated(Changes::default())), Refusal::Unchanged);
    assert_eq!(story.refused(BOB, renames("Readers")), Refusal::Forbidden);
    assert_eq!(story.refused(ANN, removes(CAT)), Refusal::NotFound);
}

#[test]
fn a_deleted_room_never_comes_back() {
    let mut story = Story::group(Visibility::Public, &[BOB]);
    story.did(BOB, says_once(BOB, "one", "k"));
    story.did(ANN, Action::RoomDeleted);
    assert_eq!(story.room.standing(ANN), Standing::Stranger);
    for action in [
        says_once(BOB, "one", "k"),
        joins(ANN),
        Action::RoomDeleted,
        founding(RoomKind::Group, Visibility::Public, ANN, &[]),
    ] {
        let by = if matches!(action, Action::Message(_)) { BOB } else { ANN };
        assert_eq!(story.refused(by, action), Refusal::NotFound);
    }
}

#[test]
fn a_founding_that_contradicts_itself_makes_nothing() {
    let made = |by, others: &[UserId]| {
        let founding = founding(RoomKind::Group, Visibility::Private, ANN, others);
        Story::about(RoomId::Group(7)).tries(Doer::from(by), founding)
    };
    assert!(made(ANN, &[BOB]).is_ok());
    assert_eq!(made(ANN, &[BOB, BOB]), Err(Refusal::Nonsense), "one person sits once");
    assert_eq!(made(CAT, &[BOB]), Err(Refusal::Nonsense), "who makes a room is in it");
}

#[test]
fn a_full_group_takes_nobody_in_but_lets_its_members_change() {
    let others: Vec<UserId> = (2..=MAX_MEMBERS as i64).map(UserId).collect();
    let mut story = Story::group(Visibility::Public, &others);
    let outsider = UserId(MAX_MEMBERS as i64 + 1);
    assert_eq!(story.refused(outsider, joins(outsider)), Refusal::RoomFull);
    assert_eq!(story.refused(ANN, joins(outsider)), Refusal::RoomFull);
    story.did(ANN, seats(BOB, Role::Admin));
    story.did(BOB, removes(BOB));
    story.did(outsider, joins(outsider));

    let mut many = others;
    many.push(outsider);
    let founding = founding(RoomKind::Group, Visibility::Public, ANN, &many);
    assert_eq!(Story::about(RoomId::Group(8)).refused(ANN, founding), Refusal::RoomFull);
}

#[test]
fn a_mention_names_members_and_only_an_admin_calls_everyone() {
    let mut story = Story::group(Visibility::Private, &[BOB, CAT]);
    let mut called = |by: UserId, text: &str| {
        let Event::Message { mentions, .. } = story.did(by, says(by, text)) else { panic!() };
        (mentions.all, mentions.users)
    };
    assert_eq!(called(BOB, "@Ann, @CAT. and @dan"), (false, vec![ANN, CAT]));
    assert_eq!(called(BOB, "@bob mails bob@ann and @all"), (false, vec![]));
    assert_eq!(called(ANN, "@all: @bob"), (true, vec![BOB]));
}

#[test]
fn only_its_author_edits_a_message() {
    let mut story = Story::group(Visibility::Private, &[BOB]);
    let hi = story.said(BOB, "hi");
    assert_eq!(story.refused(ANN, edits(&hi, "bye")), Refusal::Forbidden, "not even an admin");
    assert_eq!(story.refused(CAT, edits(&hi, "bye")), Refusal::NotFound);
    let Event::Edited { message, mentions } = story.did(BOB, edits(&hi, "hello @ann")) else {
        panic!()
    };
    assert_eq!((message.id, message.position), (hi.id, hi.position));
    assert_eq!(message.body.as_deref(), Some("hello @ann"));
    assert!(message.edited_at.is_some() && mentions.users == [ANN]);
    story.did(BOB, removes(BOB));
    assert_eq!(story.refused(BOB, edits(&hi, "gone")), Refusal::NotFound);
}

#[test]
fn authors_and_admins_delete_and_nothing_comes_after() {
    let mut story = Story::group(Visibility::Private, &[BOB, CAT]);
    let (one, two) = (story.said(BOB, "one"), story.said(BOB, "two"));
    assert_eq!(story.refused(CAT, deletes(&one)), Refusal::Forbidden);
    story.did(BOB, deletes(&one));
    let Event::Deleted { message, by } = story.did(ANN, deletes(&two)) else { panic!() };
    assert!(message.deleted && message.body.is_none() && by == ANN);
    assert_eq!(message.position, two.position);
    // Their publishers had read the messages before.
    assert_eq!(story.refused(BOB, deletes(&one)), Refusal::Unchanged);
    assert_eq!(story.refused(BOB, edits(&one, "back")), Refusal::Gone);
    assert_eq!(story.refused(CAT, reacts(&two, "👍", true)), Refusal::Gone);
}

#[test]
fn a_reply_that_crosses_a_deletion_does_not_bring_the_text_back() {
    let mut story = Story::group(Visibility::Private, &[BOB]);
    let secret = story.said(ANN, "secret");
    let earlier = story.replied(BOB, &secret);
    assert_eq!(earlier.quote, Some(secret.to_quote()));
    story.did(ANN, deletes(&secret));
    let gone = Quote { body: None, deleted: true, ..secret.to_quote() };
    // Their publishers had read the message before it was deleted.
    assert_eq!(story.replied(BOB, &secret).quote, Some(gone.clone()));
    let quote = earlier.quote.clone();
    let edit = Action::Edited { message: earlier.original(), body: "hm".into(), quote };
    let Event::Edited { message, .. } = story.did(BOB, edit) else { panic!() };
    assert_eq!((message.reply_to, message.quote), (Some(secret.id), Some(gone)));
}

#[test]
fn in_a_direct_room_each_has_their_own_messages() {
    let mut story = Story::direct();
    let hi = story.said(ANN, "hi");
    assert_eq!(story.refused(BOB, deletes(&hi)), Refusal::Forbidden);
    story.did(BOB, reacts(&hi, "👍", true));
    story.did(ANN, edits(&hi, "hello"));
    story.did(ANN, deletes(&hi));
}

#[test]
fn reactions_that_cross_are_all_counted() {
    let mut story = Story::group(Visibility::Private, &[BOB]);
    let hi = story.said(ANN, "hi");
    // Both publishers saw the message without any.
    for (who, expected) in [(ANN, 1), (BOB, 2)] {
        let Event::Reaction { count, user, on, .. } = story.did(who, reacts(&hi, "👍", true))
        else {
            panic!()
        };
        assert_eq!((count, user, on), (expected, who, true));
    }
    assert_eq!(story.refused(BOB, reacts(&hi, "👍", true)), Refusal::Unchanged);
    assert_eq!(story.refused(BOB, reacts(&hi, "🎉", false)), Refusal::Unchanged);
    let Event::Edited { message, .. } = story.did(ANN, edits(&hi, "hello")) else { panic!() };
    assert_eq!(message.reactions[0].users, [ANN, BOB], "an edit keeps them");
    let Event::Reaction { count, all, .. } = story.did(ANN, reacts(&hi, "👍", false)) else {
        panic!()
    };
    assert_eq!((count, all[0].users.as_slice()), (1, [BOB].as_slice()));
}

#[test]
fn a_message_has_so_many_reactions_and_no_more() {
    let mut story = Story::group(Visibility::Private, &[BOB]);
    let mut original = story.said(ANN, "hi").original();
    for user in 0..REACTIONS {
        original.react(UserId(1_000 + user as i64), "👍", true);
    }
    let one_more = Action::Reaction { message: original, emoji: "👍".into(), on: true };
    assert_eq!(story.refused(BOB, one_more), Refusal::TooManyReactions);
}

#[test]
fn nobody_writes_to_a_deleted_account() {
    let mut story = Story::direct();
    let event = story.did(BOB, says(BOB, "hello?"));
    let Event::Message { message, .. } = event else { panic!("{event:?}") };
    story.did(ANN, Action::Reaction { message: message.original(), emoji: "👍".into(), on: true });
    story.room.rename(&Person::deleted(ANN));
    let line = says(BOB, "still there?");
    assert_eq!(story.admits(BOB, &line), Err(Refusal::AccountDeleted));
    let edit = Action::Edited { message: message.original(), body: "farewell".into(), quote: None };
    assert!(story.admits(BOB, &edit).is_ok(), "one's own words are one's own");
    // No record tells of it, so what comes back from the log is taken alike everywhere.
    let place = Place { epoch: 0, partition: 0, offset: 99 };
    let record = Record::new(line, story.room.id, BOB.into(), Timestamp(99), Uuid::nil());
    assert!(story.room.apply(&record, place).is_ok());

    let mut group = Story::group(Visibility::Private, &[BOB]);
    group.room.rename(&Person::deleted(BOB));
    assert!(group.admits(ANN, &says(ANN, "hello")).is_ok());
    assert!(group.room.members[&BOB].person.is_deleted());
}

/// Somebody who is a hub admin.
fn as_hub_admin(user: UserId) -> Doer {
    Doer { user, hub_admin: true }
}

#[test]
fn a_hub_admin_runs_a_public_group_without_being_in_it() {
    let mut story = Story::group(Visibility::Public, &[BOB]);
    let rude = story.said(BOB, "rude");
    let dan = as_hub_admin(DAN);
    for action in [
        renames("aviary"),
        seats(CAT, Role::Member),
        seats(CAT, Role::Admin),
        removes(BOB),
        bans(BOB),
        deletes(&rude),
    ] {
        assert_eq!(story.admits(dan, &action), Ok(dan), "the record has to say it: {action:?}");
        story.does(dan, action);
    }
    assert_eq!((story.role(CAT), story.role(BOB)), (Some(Role::Admin), None));
    assert!(story.room.require_reader(dan).is_ok());
    // What is no administration needs a seat.
    assert_eq!(story.admits(dan, &says(DAN, "hi")), Err(Refusal::NotAMember));
    assert_eq!(story.admits(dan, &reacts(&rude, "👍", true)), Err(Refusal::NotAMember));
    assert_eq!(story.admits(dan, &removes(DAN)), Err(Refusal::NotAMember));
    // No ban holds them off.
    story.did(ANN, bans(DAN));
    assert_eq!(story.admits(DAN, &joins(DAN)), Err(Refusal::Banned));
    story.does(dan, joins(DAN));
    story.did(DAN, says(DAN, "hi"));
}

#[test]
fn a_hub_admin_is_nobody_in_private() {
    let mut story = Story::group(Visibility::Private, &[BOB]);
    for action in [renames("x"), seats(CAT, Role::Member), removes(BOB), joins(DAN)] {
        assert_eq!(story.admits(as_hub_admin(DAN), &action), Err(Refusal::NotFound));
        assert_eq!(
            story.admits(as_hub_admin(BOB), &renames("x")),
            Err(Refusal::Forbidden),
            "a member is a member"
        );
    }
    assert_eq!(story.room.require_reader(as_hub_admin(DAN)), Err(Refusal::NotFound));
    assert_eq!(Story::direct().admits(as_hub_admin(DAN), &removes(BOB)), Err(Refusal::NotFound));
    story.did(ANN, opens(Visibility::Public));
    story.does(as_hub_admin(DAN), opens(Visibility::Private));
    assert_eq!(story.admits(as_hub_admin(DAN), &renames("x")), Err(Refusal::NotFound));
}

#[test]
fn the_right_of_a_hub_admin_is_used_only_where_it_is_needed() {
    let story = Story::group(Visibility::Public, &[BOB]);
    let plain = |user: UserId| Ok(Doer::from(user));
    assert_eq!(story.admits(as_hub_admin(ANN), &renames("x")), plain(ANN));
    assert_eq!(story.admits(as_hub_admin(DAN), &joins(DAN)), plain(DAN));
    assert_eq!(story.admits(as_hub_admin(BOB), &removes(BOB)), plain(BOB));
}

#[test]
fn not_even_a_hub_admin_leaves_a_group_without_an_admin() {
    let mut story = Story::group(Visibility::Public, &[BOB]);
    let dan = as_hub_admin(DAN);
    assert_eq!(story.admits(dan, &bans(ANN)), Err(Refusal::LastAdmin));
    assert_eq!(story.admits(dan, &seats(ANN, Role::Member)), Err(Refusal::LastAdmin));
    story.does(dan, seats(BOB, Role::Admin));
    story.does(dan, bans(ANN));
    story.does(dan, removes(BOB));
    assert!(story.room.members.is_empty(), "the last of all may go");
}

fn mutes(user: UserId, until: i64) -> Action {
    Action::MemberMuted { member: person(user), until: Timestamp(until) }
}

fn unmutes(user: UserId) -> Action {
    Action::MemberUnmuted { member: person(user) }
}

#[test]
fn who_is_muted_reads_and_reacts_but_does_not_write_until_it_is_over() {
    let mut story = Story::group(Visibility::Private, &[BOB, CAT]);
    let (own, anns) = (story.said(BOB, "hi"), story.said(ANN, "hush"));
    let end = story.next + 7;
    let Event::MemberMuted { member, until, by } = story.did(ANN, mutes(BOB, end)) else {
        panic!()
    };
    assert_eq!((member.person.id, until, by), (BOB, Timestamp(end), ANN));
    let muted = Refusal::Muted(Timestamp(end));
    assert_eq!(story.refused(BOB, says(BOB, "but")), muted);
    assert_eq!(story.refused(BOB, edits(&own, "but")), muted);
    story.did(BOB, reacts(&anns, "👍", true));
    story.did(BOB, deletes(&own));
    story.did(CAT, says(CAT, "I may"));
    assert_eq!(story.next, end - 1, "the next record is at the end: it is over by then");
    story.did(BOB, says(BOB, "thank you"));
}

#[test]
fn a_clock_that_is_behind_makes_no_difference_between_folds() {
    let mut story = Story::group(Visibility::Private, &[BOB]);
    story.did(ANN, mutes(BOB, 100));
    let record = |at, offset| {
        let record = Record::new(says(BOB, "hm"), story.room.id, BOB.into(), at, Uuid::nil());
        let place = Place { epoch: 0, partition: 0, offset };
        story.room.clone().apply(&record, place).map(drop)
    };
    assert_eq!(record(Timestamp(99), 9), Err(Refusal::Muted(Timestamp(100))));
    assert_eq!(record(Timestamp(100), 9), Ok(()));
}

#[test]
fn a_repeat_is_answered_even_to_the_muted() {
    let mut story = Story::group(Visibility::Private, &[BOB]);
    story.did(BOB, says_once(BOB, "hi", "k"));
    story.did(ANN, mutes(BOB, 1_000));
    assert!(matches!(story.refused(BOB, says_once(BOB, "hi", "k")), Refusal::Repeat(_)));
}

#[test]
fn leaving_and_coming_back_ends_no_mute() {
    let mut story = Story::group(Visibility::Public, &[BOB]);
    let muted = Refusal::Muted(Timestamp(1_000));
    story.did(ANN, mutes(BOB, 1_000));
    story.did(BOB, removes(BOB));
    let Event::MemberAdded { muted_until, .. } = story.did(BOB, joins(BOB)) else { panic!() };
    assert_eq!(muted_until, Some(Timestamp(1_000)));
    assert_eq!(story.refused(BOB, says(BOB, "hi again")), muted);
    story.did(ANN, bans(BOB));
    story.did(ANN, seats(BOB, Role::Member));
    assert_eq!(story.refused(BOB, says(BOB, "hi again")), muted);
    story.did(ANN, unmutes(BOB));
    story.did(BOB, says(BOB, "hi again"));
}

#[test]
fn admins_mute_members_and_not_each_other() {
    let mut story = Story::group(Visibility::Public, &[BOB, CAT]);
    assert_eq!(story.refused(BOB, mutes(CAT, 1_000)), Refusal::Forbidden);
    assert_eq!(story.refused(DAN, mutes(CAT, 1_000)), Refusal::NotAMember);
    assert_eq!(story.refused(ANN, mutes(DAN, 1_000)), Refusal::NotFound, "not in it");
    assert_eq!(story.refused(ANN, mutes(ANN, 1_000)), Refusal::IsAdmin);
    story.did(ANN, mutes(BOB, 1_000));
    assert_eq!(story.refused(ANN, mutes(BOB, 1_000)), Refusal::Unchanged);
    story.did(ANN, mutes(BOB, 2_000));
    assert_eq!(story.refused(BOB, unmutes(BOB)), Refusal::Forbidden);
    assert_eq!(story.refused(ANN, unmutes(CAT)), Refusal::Unchanged);
    story.did(ANN, seats(BOB, Role::Admin));
    story.did(BOB, says(BOB, "an admin speaks"));
    assert_eq!(story.refused(ANN, mutes(BOB, 1_000)), Refusal::IsAdmin);
    story.did(ANN, seats(BOB, Role::Member));
    story.did(BOB, says(BOB, "and is not muted afterwards"));
    story.does(as_hub_admin(DAN), mutes(BOB, 1_000));
    story.does(as_hub_admin(DAN), unmutes(BOB));
}
