//! People, passwords and logins.

use std::collections::HashSet;

use rookery::core::avatar::Avatar;
use rookery::core::types::{Person, Position, Timestamp, UserId, Visibility};
use rookery::store::{Account, Client, LoginEnd, LoginId, StoreError, Ways};

use crate::world::{Place, World};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

pub async fn a_name_belongs_to_one_person_whatever_its_case(place: &Place) {
    let store = place.open().await;
    let zoe = store.create_user("Zoë", "Zoë Ø", "hash", NOW).await.unwrap();
    for again in ["Zoë", "zoë", "ZOË"] {
        let result = store.create_user(again, "Another", "hash", NOW).await;
        assert!(matches!(result, Err(StoreError::Taken)), "{again}: {result:?}");
        let found = store.credentials(again).await.unwrap().unwrap();
        assert_eq!((found.account.person.id, found.password_hash.as_str()), (zoe, "hash"));
        assert_eq!(found.account.person.username, "Zoë");
    }
    // Another letter is another name, for databases that would rather not look closely too.
    let zoe_too = store.create_user("Zoe", "Zoe", "hash", NOW).await.unwrap();
    assert!(zoe_too > zoe);
    assert!(store.credentials("nobody").await.unwrap().is_none());

    store.set_display_name(zoe, "Zoë 🦉").await.unwrap();
    let account = store.user(zoe).await.unwrap().unwrap();
    assert_eq!(account.person.display_name, "Zoë 🦉");
    assert_eq!((account.created_at, account.disabled, account.last_seen), (NOW, false, None));
    assert!(store.user(UserId(99)).await.unwrap().is_none());
    let all = store.accounts(None, 10).await.unwrap();
    assert_eq!(names(&all), ["Zoë", "Zoe"]);
    assert_eq!(names(&store.accounts(Some(zoe), 10).await.unwrap()), ["Zoe"]);
}

pub async fn some_people_come_in_pages_whichever_way_they_are_found(place: &Place) {
    let store = place.open().await;
    let mut these = HashSet::new();
    for number in 0..20 {
        let (username, display_name) = (format!("P{number:02}"), format!("Nr {}", number % 2));
        let user = store.create_user(&username, &display_name, "hash", NOW).await.unwrap();
        if number % 3 == 0 || number == 10 {
            these.insert(user);
        }
    }
    let gone = store.credentials("p03").await.unwrap().unwrap().account.person.id;
    store.set_disabled(gone, Some(NOW)).await.unwrap();

    let looked_up = Ways { few: 20, walked: 4, step: 2 };
    for ways in [looked_up, Ways { few: 0, ..looked_up }, Ways { few: 0, walked: 30, step: 30 }] {
        let all = async |query: &str, limit: usize| {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page =
                    store.directory_page_of(&these, query, after, limit, ways).await.unwrap();
                assert!(page.people.len() <= limit, "{ways:?}: {page:?}");
                found.extend(names(&page.people));
                after = page.next;
                if after.is_none() {
                    return found;
                }
            }
        };
        for limit in [1, 2, 7, 8, 50] {
            let found = all("", limit).await;
            assert_eq!(
                found,
                ["P00", "P06", "P09", "P10", "P12", "P15", "P18"],
                "{ways:?} {limit}"
            );
        }
        assert_eq!(all("NR 1", 2).await, ["P09", "P15"], "{ways:?}");
        assert_eq!(all("p1", 2).await, ["P10", "P12", "P15", "P18"], "{ways:?}");
    }
}

pub async fn the_directory_takes_a_query_literally(place: &Place) {
    let store = place.open().await;
    for (username, display_name) in [
        ("bob_1", "Bob"),
        ("Ann", "100% Ann"),
        ("bobby", "It's \\ Bobby"),
        ("zoë", "ZOË"),
        ("gone", "Bob"),
    ] {
        store.create_user(username, display_name, "hash", NOW).await.unwrap();
    }
    let gone = store.credentials("gone").await.unwrap().unwrap().account.person.id;
    store.set_disabled(gone, Some(NOW)).await.unwrap();

    let found = async |query: &str| names(&store.directory(query, None, 10).await.unwrap());
    assert_eq!(found("").await, ["Ann", "bob_1", "bobby", "zoë"]);
    assert_eq!(found("BOB").await, ["bob_1", "bobby"]);
    assert_eq!(found("_").await, ["bob_1"]);
    assert_eq!(found("%").await, ["Ann"]);
    assert_eq!(found("\\").await, ["bobby"]);
    assert_eq!(found("'").await, ["bobby"]);
    assert_eq!(found("Oë").await, ["zoë"]);
    assert_eq!(found("oe").await, [""; 0]);

    let page = store.directory("", Some("ANN"), 2).await.unwrap();
    assert_eq!(names(&page), ["bob_1", "bobby"]);
    assert_eq!(names(&store.directory("", Some("bobby"), 2).await.unwrap()), ["zoë"]);
}

pub async fn a_login_lives_until_it_is_ended(place: &Place) {
    let world = World::new(place).await;
    let ann = world.person("ann").await;
    let login = world.store.create_login(ann.id, &[1; 32], NOW, &Client::default()).await.unwrap();
    let found = world.store.login(&[1; 32]).await.unwrap().unwrap();
    assert_eq!((found.id, found.account.person), (login, ann));
    assert!(world.store.login(&[2; 32]).await.unwrap().is_none());
    assert!(world.store.delete_login(login).await.unwrap());
    assert!(!world.store.delete_login(login).await.unwrap());
    assert!(world.store.login(&[1; 32]).await.unwrap().is_none());
}

pub async fn a_new_password_ends_the_other_logins(place: &Place) {
    let world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let mut logins = Vec::new();
    for token in 0..3 {
        logins.push(
            world.store.create_login(ann.id, &[token; 32], NOW, &Client::default()).await.unwrap(),
        );
    }
    let of_bob = world.store.create_login(bob.id, &[9; 32], NOW, &Client::default()).await.unwrap();

    let ended = world.store.set_password(ann.id, "new", Some(logins[1])).await.unwrap();
    assert_eq!(ended, [logins[0], logins[2]]);
    assert!(world.store.login(&[0; 32]).await.unwrap().is_none());
    assert_eq!(login_of(&world, 1).await, Some(logins[1]));
    assert_eq!(login_of(&world, 9).await, Some(of_bob));
    let now = world.store.credentials_of(ann.id).await.unwrap().unwrap();
    assert_eq!(now.password_hash, "new");
    assert_eq!(world.store.set_password(ann.id, "newer", None).await.unwrap(), [logins[1]]);
}

pub async fn a_disabled_person_is_out_at_once(place: &Place) {
    let world = World::new(place).await;
    let ann = world.person("ann").await;
    let login = world.store.create_login(ann.id, &[1; 32], NOW, &Client::default()).await.unwrap();
    assert_eq!(world.store.set_disabled(ann.id, Some(NOW)).await.unwrap(), [login]);
    assert!(world.store.login(&[1; 32]).await.unwrap().is_none());
    assert!(world.store.user(ann.id).await.unwrap().unwrap().disabled);

    // A login that was being made meanwhile does not count either.
    world.store.create_login(ann.id, &[2; 32], NOW, &Client::default()).await.unwrap();
    assert!(world.store.login(&[2; 32]).await.unwrap().is_none());
    assert_eq!(world.store.set_disabled(ann.id, None).await.unwrap(), []);
    assert!(!world.store.user(ann.id).await.unwrap().unwrap().disabled);
}

pub async fn logins_that_are_over_are_told_with_the_reason(place: &Place) {
    let world = World::new(place).await;
    let (ann, bob, cat) =
        (world.person("ann").await, world.person("bob").await, world.person("cat").await);
    let mut logins = Vec::new();
    for (token, person) in [&ann, &ann, &bob, &cat].into_iter().enumerate() {
        let login = world
            .store
            .create_login(person.id, &[token as u8; 32], NOW, &Client::default())
            .await
            .unwrap();
        logins.push((login, person.id));
    }
    let ended = async || world.store.ended_logins(&logins).await.unwrap();
    assert_eq!(ended().await, []);
    world.store.delete_login(logins[1].0).await.unwrap();
    world.store.set_disabled(bob.id, Some(NOW)).await.unwrap();
    let over = [(logins[1].0, LoginEnd::LoggedOut), (logins[2].0, LoginEnd::Disabled)];
    assert_eq!(ended().await, over);
    assert_eq!(world.store.ended_logins(&[]).await.unwrap(), []);

    // A login that was being made while its account was disabled.
    let late = world.store.create_login(bob.id, &[9; 32], NOW, &Client::default()).await.unwrap();
    let ended = world.store.ended_logins(&[(late, bob.id)]).await.unwrap();
    assert_eq!(ended, [(late, LoginEnd::Disabled)]);
}

pub async fn a_hub_admin_is_one_until_it_is_taken_back(place: &Place) {
    let world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    world.store.create_login(ann.id, &[7; 32], NOW, &Client::default()).await.unwrap();
    let at_login = async || world.store.login(&[7; 32]).await.unwrap().unwrap().account.hub_admin;
    assert!(!at_login().await);
    world.store.set_hub_admin(ann.id, true).await.unwrap();
    assert!(at_login().await);
    assert!(world.store.credentials("ann").await.unwrap().unwrap().account.hub_admin);
    assert!(!world.store.user(bob.id).await.unwrap().unwrap().hub_admin);
    world.store.set_hub_admin(ann.id, false).await.unwrap();
    assert!(!at_login().await);
}

pub async fn last_seen_never_goes_back(place: &Place) {
    let world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let seen = async |user| world.store.user(user).await.unwrap().unwrap().last_seen;
    world.store.set_last_seen(&[(bob.id, Timestamp(7)), (ann.id, Timestamp(5))]).await.unwrap();
    world.store.set_last_seen(&[(bob.id, Timestamp(6)), (ann.id, Timestamp(6))]).await.unwrap();
    assert_eq!(seen(ann.id).await, Some(Timestamp(6)));
    assert_eq!(seen(bob.id).await, Some(Timestamp(7)));
    world.store.set_last_seen(&[]).await.unwrap();

    // More than go into one statement, each at another time.
    let mut many = Vec::new();
    for n in 0..150 {
        many.push((world.person(&format!("user{n}")).await.id, Timestamp(100 + n)));
    }
    world.store.set_last_seen(&many).await.unwrap();
    for (user, at) in many {
        assert_eq!(seen(user).await, Some(at));
    }
    assert_eq!(seen(ann.id).await, Some(Timestamp(6)));
}

pub async fn many_people_are_found_at_once(place: &Place) {
    let world = World::new(place).await;
    let mut ids = Vec::new();
    for n in 0..200 {
        ids.push(world.person(&format!("user{n}")).await.id);
    }
    let backwards: Vec<UserId> = ids.iter().rev().chain(&ids).copied().collect();
    let found = world.store.users(&backwards).await.unwrap();
    assert_eq!(found.iter().map(|account| account.person.id).collect::<Vec<_>>(), ids);
    assert_eq!(world.store.users(&[]).await.unwrap(), []);
    assert_eq!(world.store.users(&[UserId(9_999)]).await.unwrap(), []);
}

pub async fn a_login_knows_where_it_was_used_last(place: &Place) {
    let world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let client = |agent: &str| Client {
        user_agent: Some(agent.to_owned()),
        address: Some("2001:db8::/64".to_owned()),
    };
    let login = world.store.create_login(ann.id, &[1; 32], NOW, &client("one")).await.unwrap();
    let other = world.store.create_login(ann.id, &[2; 32], NOW, &Client::default()).await.unwrap();
    let later = |seconds: i64| Timestamp(NOW.0 + seconds * 1_000);
    world.store.note_use(login, later(60), &client("two ä")).await.unwrap();
    world.store.note_use(login, later(30), &client("late")).await.unwrap();
    world.store.note_uses(&[other, login, other], later(45)).await.unwrap();
    world.store.note_uses(&[], later(99)).await.unwrap();
    let logins = world.store.logins_of(ann.id).await.unwrap();
    let seen: Vec<_> = logins.iter().map(|login| (login.id, login.last_used_at)).collect();
    assert_eq!(seen, [(login, Some(later(60))), (other, Some(later(45)))]);
    assert_eq!((&logins[0].client, &logins[1].client), (&client("two ä"), &Client::default()));
    assert_eq!(world.store.login(&[1; 32]).await.unwrap().unwrap().last_used_at, Some(later(60)));

    assert!(!world.store.end_login(bob.id, login).await.unwrap(), "none of his");
    assert_eq!(world.store.end_other_logins(ann.id, other).await.unwrap(), [login]);
    assert!(world.store.end_login(ann.id, other).await.unwrap());
    assert_eq!(world.store.logins_of(ann.id).await.unwrap(), []);
}

pub async fn a_deleted_account_leaves_an_id_alone(place: &Place) {
    let mut world = World::new(place).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let avatar = Avatar { version: "v1".into(), kind: "image/png".into(), bytes: vec![0, 255, 1] };
    world.store.set_avatar(ann.id, &avatar).await.unwrap();
    let newer = Avatar { version: "v2".into(), ..avatar };
    world.store.set_avatar(ann.id, &newer).await.unwrap();
    assert_eq!(world.store.avatar(ann.id).await.unwrap(), Some(newer.clone()));
    assert_eq!(world.store.user(ann.id).await.unwrap().unwrap().avatar.as_deref(), Some("v2"));
    world.store.set_last_seen(&[(ann.id, NOW)]).await.unwrap();
    let login = world.store.create_login(ann.id, &[1; 32], NOW, &Client::default()).await.unwrap();
    let room = world.group("Ours", Visibility::Private, &[&bob, &ann]).await;
    world.write().await;
    let seats = world.store.seats(bob.id).await.unwrap();
    assert!(seats.len() == 1 && seats[0].is_last_admin() && seats[0].room == room);
    assert!(!world.store.seats(ann.id).await.unwrap()[0].is_last_admin());

    world.store.erase_from_events(ann.id).await.unwrap();
    assert_eq!(world.store.delete_account(ann.id, NOW).await.unwrap(), [login]);
    let told = format!("{:?}", world.store.audit(room, Position(i64::MAX), 10).await.unwrap());
    assert!(!told.contains("\"ann\"") && told.contains("\"bob\""), "{told}");
    let gone = world.store.user(ann.id).await.unwrap().unwrap();
    assert_eq!(gone.person, Person::deleted(ann.id));
    assert!(gone.deleted && gone.disabled && gone.avatar.is_none());
    assert_eq!((gone.last_seen, world.store.avatar(ann.id).await.unwrap()), (None, None));
    assert_eq!(
        world.store.ended_logins(&[(login, ann.id)]).await.unwrap(),
        [(login, LoginEnd::LoggedOut)]
    );
    // Nothing brings it back.
    for name in ["ann", "deleted:1"] {
        assert!(world.store.credentials(name).await.unwrap().is_none());
    }
    assert!(world.store.credentials_of(ann.id).await.unwrap().is_none());
    world.store.set_last_seen(&[(ann.id, NOW)]).await.unwrap();
    world.store.set_display_name(ann.id, "Ann").await.unwrap();
    world.store.set_disabled(ann.id, None).await.unwrap();
    world.store.set_password(ann.id, "new", None).await.unwrap();
    assert!(matches!(world.store.set_avatar(ann.id, &newer).await, Err(StoreError::Fenced)));
    assert_eq!(world.store.avatar(ann.id).await.unwrap(), None);
    world.store.create_login(ann.id, &[3; 32], NOW, &Client::default()).await.unwrap();
    assert!(world.store.login(&[3; 32]).await.unwrap().is_none());
    assert_eq!(world.store.user(ann.id).await.unwrap().unwrap(), gone);
    let again = world.store.create_user("ann", "Ann", "hash", NOW).await.unwrap();
    assert_ne!(again, ann.id);
}

async fn login_of(world: &World, token: u8) -> Option<LoginId> {
    world.store.login(&[token; 32]).await.unwrap().map(|login| login.id)
}

fn names(accounts: &[Account]) -> Vec<String> {
    accounts.iter().map(|account| account.person.username.clone()).collect()
}
