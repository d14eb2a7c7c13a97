use std::sync::atomic::Ordering;
use std::time::Duration;

use super::*;
use crate::log::{AppendError, Bus, Channel, Heard};

fn open(keep: i64) -> (tempfile::TempDir, Arc<LocalLog>) {
    let dir = tempfile::tempdir().unwrap();
    let log = LocalLog::open_keeping(dir.path(), keep).unwrap();
    (dir, log)
}

async fn append(log: &LocalLog, value: impl Into<Bytes>) -> Result<i64, AppendError> {
    log.append("7", value.into()).unwrap().await.unwrap()
}

async fn until(what: &str, met: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !met() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn old_entries_go_once_the_store_has_them_and_no_offset_is_used_twice() {
    let (dir, log) = open(10);
    for n in 0..50 {
        assert_eq!(append(&log, "x").await, Ok(n));
    }
    log.stored(0, 1_000_000);
    let count = || -> i64 {
        let file = Connection::open(dir.path().join("log.db")).unwrap();
        file.query_row("SELECT count(*) FROM entries", [], |row| row.get(0)).unwrap()
    };
    until("all but ten are gone", || count() == 10).await;
    log.close().await;
    drop(log);
    let log = LocalLog::open_keeping(dir.path(), 10).unwrap();
    assert!(!log.is_new());
    assert_eq!(append(&log, "x").await, Ok(50));
    // Who asks for what is gone gets what is left.
    let mut feed = log.follow(vec![0]).await.unwrap();
    assert_eq!(feed.recv().await.unwrap()[0].offset, 40);
}

#[tokio::test]
async fn a_full_disk_refuses_what_it_cannot_hold_and_then_goes_on() {
    let (dir, log) = open(KEEP);
    assert_eq!(append(&log, "before").await, Ok(0));
    log.close().await;
    // Another writer in the place of the closed one, on a file that may not grow.
    let file = connect(&dir.path().join("log.db")).unwrap();
    file.execute_batch("PRAGMA max_page_count = 20").unwrap();
    let shared = Arc::new(Shared {
        path: dir.path().join("log.db"),
        queue: Queue::default(),
        committed: Committed::starting_at(1),
        is_up: AtomicBool::new(true),
        stored: AtomicI64::new(0),
        sharing: AtomicU64::new(0),
    });
    let writer = writer::Writer::new(shared.clone(), file, 0, 1, KEEP);
    spawn("writer", move || writer.run()).unwrap();
    let log = LocalLog { shared, is_new: false, finished: watch::channel(false).1 };

    let huge = vec![b'x'; 1 << 20];
    assert!(matches!(append(&log, huge).await, Err(AppendError::NotDone(_))));
    assert_eq!(append(&log, "small").await, Ok(1));
    assert!(log.is_up());
    let huge = vec![b'x'; 1 << 20];
    assert!(matches!(append(&log, huge).await, Err(AppendError::NotDone(_))));
    assert!(!log.is_up());
    until("it is up by itself", || log.is_up()).await;
    assert_eq!(log.ends().await.unwrap(), [2]);
}

#[tokio::test]
async fn a_full_queue_refuses() {
    let queue = Queue::default();
    let job = || Job::Append { key: "7".into(), value: "x".into(), outcome: Box::new(drop) };
    let fitted = (0..10_000).take_while(|_| queue.push(job()).is_ok()).count();
    assert_eq!(fitted, 4_096);
    assert_eq!(queue.push(job()).unwrap_err(), Refused::Full);
    queue.close();
    assert_eq!(queue.push(job()).unwrap_err(), Refused::Down);
}

#[tokio::test]
async fn a_caught_up_follower_hears_at_once() {
    let (_dir, log) = open(KEEP);
    let mut feed = log.follow(vec![0]).await.unwrap();
    let mut slowest = Duration::ZERO;
    for n in 0..100 {
        append(&log, "x").await.unwrap();
        let told = Instant::now();
        assert_eq!(feed.recv().await.unwrap()[0].offset, n);
        slowest = slowest.max(told.elapsed());
    }
    assert!(slowest < Duration::from_millis(200), "{slowest:?}");
}

#[tokio::test]
async fn only_one_process_has_the_log_open() {
    let (dir, _log) = open(KEEP);
    let again = LocalLog::open(dir.path()).err().unwrap();
    assert!(again.0.contains("another process"), "{again}");
}

#[tokio::test]
async fn unreadable_entries_are_kept_once() {
    let (dir, log) = open(KEEP);
    let entry = Entry { partition: 0, offset: 5, key: "7".into(), value: "{".into() };
    log.quarantine(&entry, "not a record");
    log.quarantine(&entry, "not a record");
    log.close().await;
    let file = Connection::open(dir.path().join("log.db")).unwrap();
    let kept: Vec<i64> = file
        .prepare("SELECT offset FROM quarantine")
        .and_then(|mut query| query.query_map([], |row| row.get(0))?.collect())
        .unwrap();
    assert_eq!(kept, [5]);
    assert_eq!(log.append("7", "late".into()).unwrap_err(), Refused::Down);
    assert!(log.shared.is_up.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_slow_listener_of_presence_skips_values_but_no_key() {
    let bus = LocalBus::new();
    let mut slow = bus.listen(Channel::Presence).await.unwrap();
    for n in 0..20_000u32 {
        let key = if n % 2 == 0 { "even" } else { "odd" };
        bus.tell(Channel::Presence, key, Some(n.to_string().into()));
        if n % 1_000 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let mut last = std::collections::BTreeMap::new();
    let deadline = Instant::now() + Duration::from_secs(10);
    while last.get("even") != Some(&"19998".into()) || last.get("odd") != Some(&"19999".into()) {
        assert!(Instant::now() < deadline);
        if let Some(Heard::Value { key, value: Some(value) }) = slow.recv().await {
            last.insert(key.to_string(), String::from_utf8(value.to_vec()).unwrap());
        }
    }
}

#[tokio::test]
async fn signals_to_a_slow_listener_are_dropped_not_queued_for_ever() {
    let bus = LocalBus::new();
    let mut slow = bus.listen(Channel::Signals).await.unwrap();
    for _ in 0..10_000 {
        bus.tell(Channel::Signals, "7", None);
    }
    drop(bus);
    let mut heard = 0;
    while slow.recv().await.is_some() {
        heard += 1;
    }
    assert_eq!(heard, super::super::BUS_WAITING);
}
