//! A database that is not there, not ready, or does not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rookery::core::types::Timestamp;
use rookery::store::{Store, StoreError};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::world::{Place, server};

#[tokio::test]
async fn mysql_says_plainly_what_is_missing() {
    let refusal = async |url: String| match Store::mysql(&url, 2).await {
        Ok(_) => panic!("{url} works"),
        Err(error) => error,
    };
    let missing = refusal(format!("{}/rookery_store_nowhere", server())).await.to_string();
    assert!(missing.contains("rookery_store_nowhere"), "{missing}");
    // A user without rights to a database is not told whether it exists.
    assert!(missing.contains("CREATE DATABASE") || missing.contains("refuses"), "{missing}");
    let nameless = refusal(server()).await.to_string();
    assert!(nameless.contains("names no database"), "{nameless}");
    let (scheme, rest) =
        server().split_once("://").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let address = rest.split_once('@').unwrap().1;
    let stranger = refusal(format!("{scheme}://nobody:secret@{address}/rookery")).await;
    assert!(matches!(&stranger, StoreError::Broken(why) if !why.contains("secret")), "{stranger}");
    let nowhere = refusal("mysql://rookery:secret@127.0.0.1:1/rookery".into()).await;
    assert!(
        matches!(&nowhere, StoreError::Unavailable(why) if !why.contains("secret")),
        "{nowhere}"
    );
}

#[tokio::test]
async fn a_frozen_mysql_is_unavailable_until_it_thaws() {
    let place = Place::mysql().await;
    let (store, door) = behind_a_door(&place, 2).await;
    store.ping().await.unwrap();

    door.open.send_replace(false);
    let started = Instant::now();
    // More than there are connections, so that some wait for one in vain.
    let pings = (0..4).map(|_| store.ping());
    for result in futures_util::future::join_all(pings).await {
        assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
    }
    let write = store.create_user("ann", "Ann", "hash", Timestamp(1)).await;
    assert!(matches!(write, Err(StoreError::Unavailable(_))), "{write:?}");
    assert!(started.elapsed() < Duration::from_secs(17), "{:?}", started.elapsed());

    // No late answer is taken for that of another question.
    door.open.send_replace(true);
    let deadline = Instant::now() + Duration::from_secs(10);
    while store.ping().await.is_err() {
        assert!(Instant::now() < deadline);
    }
    for n in 0..20 {
        let user = store.create_user(&format!("user{n}"), "U", "hash", Timestamp(1)).await.unwrap();
        let found = store.user(user).await.unwrap().unwrap();
        assert_eq!(found.person.username, format!("user{n}"));
    }
    place.leave().await;
}

/// A connection that has to be made anew asks half a dozen questions first.
#[tokio::test]
async fn connections_to_mysql_are_kept() {
    let place = Place::mysql().await;
    let (store, door) = behind_a_door(&place, 8).await;
    let migrated = door.passed.load(Ordering::Relaxed);
    for _ in 0..20 {
        let pings = futures_util::future::join_all((0..8).map(|_| store.ping())).await;
        assert!(pings.iter().all(Result::is_ok), "{pings:?}");
    }
    let made = door.passed.load(Ordering::Relaxed) - migrated;
    assert!(made <= 8, "{made} connections for 8 at once");
    place.leave().await;
}

/// A store with so many connections, all of which go through a door.
async fn behind_a_door(place: &Place, connections: usize) -> (Store, Door) {
    let Place::Mysql { server, database } = place else { unreachable!() };
    let (credentials, address) = server.rsplit_once('@').unwrap();
    let door = Door::to(address).await;
    let url = format!("{credentials}@{}/{database}", door.address);
    (Store::mysql(&url, connections).await.unwrap(), door)
}

/// Between the store and the server; shut, it lets nothing through and ends nothing.
struct Door {
    address: String,
    open: watch::Sender<bool>,
    /// Connections that were made through it.
    passed: Arc<AtomicUsize>,
}

impl Door {
    async fn to(server: &str) -> Door {
        let server = server.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let open = watch::Sender::new(true);
        let opened = open.subscribe();
        let passed = Arc::<AtomicUsize>::default();
        let count = passed.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(pass(client, server.clone(), opened.clone()));
            }
        });
        Door { address, open, passed }
    }
}

async fn pass(mut client: TcpStream, server: String, mut open: watch::Receiver<bool>) {
    let Ok(_) = open.wait_for(|open| *open).await else { return };
    let mut server = TcpStream::connect(server).await.unwrap();
    loop {
        tokio::select! {
            biased;
            shut = open.wait_for(|open| !open) => if shut.is_err() { return },
            _ = copy_bidirectional(&mut client, &mut server) => return,
        }
        let Ok(_) = open.wait_for(|open| *open).await else { return };
    }
}

#[tokio::test]
async fn sqlite_waits_for_another_process_and_refuses_what_does_not_fit_its_queue() {
    let place = Place::sqlite();
    let store = place.open().await;
    let Place::Sqlite(folder) = &place else { unreachable!() };
    let other = rusqlite::Connection::open(folder.path().join("rookery.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let writes = (0..3_000).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            store.create_user(&format!("user{n}"), "U", "hash", Timestamp(1)).await
        })
    });
    let writes: Vec<_> = writes.collect();
    let deadline = Instant::now() + Duration::from_secs(4);
    while writes.iter().filter(|write| write.is_finished()).count() < 1_500 {
        assert!(Instant::now() < deadline, "what does not fit is refused at once");
        tokio::task::yield_now().await;
    }
    // Reading goes on meanwhile.
    assert_eq!(store.accounts(None, 10).await.unwrap(), []);
    other.execute_batch("COMMIT").unwrap();

    let (mut done, mut refused) = (0, 0);
    for write in writes {
        match write.await.unwrap() {
            Ok(_) => done += 1,
            Err(StoreError::Unavailable(_)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(done >= 1_024 && refused >= 1_500, "{done} done, {refused} refused");
    assert_eq!(store.accounts(None, 5_000).await.unwrap().len(), done);
}

#[tokio::test]
async fn sqlite_says_plainly_what_is_wrong_with_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = Store::sqlite(&folder.path().join("no/such/folder/rookery.db")).await;
    assert!(
        matches!(&nowhere, Err(StoreError::Unavailable(why)) if why.contains("no/such/folder"))
    );
    let file = folder.path().join("rookery.db");
    std::fs::write(&file, "this is no database, but a text that is long enough to look at")
        .unwrap();
    assert!(matches!(Store::sqlite(&file).await, Err(StoreError::Broken(_))));
}
