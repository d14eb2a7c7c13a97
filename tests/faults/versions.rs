//! Two versions side by side, as while the instances of a cluster are replaced one by one.

use std::path::PathBuf;
use std::process::Command;

use mysql_async::prelude::Queryable;

use crate::crowd::{Crowd, FAST};
use crate::my_turn;
use crate::places::mysql_rows;
use crate::support::{Cluster, Hub};

const MESSAGES: usize = 300;

/// The binary of the version before, built when it is first asked for.
fn previous() -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services/previous/build");
    let told = Command::new(script).output();
    let told = told.unwrap_or_else(|error| panic!("{script}: {error}"));
    let why = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "the version before cannot be built: {why}");
    PathBuf::from(String::from_utf8_lossy(&told.stdout).trim())
}

/// What a version to come has done to the database: a migration that nobody here knows.
async fn migrate_further(cluster: &Cluster) {
    let mut database = cluster.database().await;
    for statement in [
        "ALTER TABLE users ADD COLUMN mood VARCHAR(20) NULL",
        "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
         VALUES (9999, 'moods', '2030-01-01T00:00:00Z', '1')",
    ] {
        let done = database.query_drop(statement).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    // The statements are done; how the connection ends is of no interest.
    let _ = database.disconnect().await;
}

/// An instance of the version before.
async fn older(cluster: &mut Cluster) {
    let own = cluster.services.env();
    let own = own.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let env: Vec<(&str, &str)> = own.chain(FAST).collect();
    let mut hub = Hub::stopped(&env);
    hub.run_as(Some(previous()));
    hub.start().await;
    cluster.hubs.push(hub);
}

/// The newer one comes first and migrates. Then there is one of each; the older one is replaced,
/// the newer one is taken back, and at last both are new.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "builds the version before, which takes minutes: ./test faults runs it"]
async fn instances_of_two_versions_serve_one_crowd() {
    let _turn = my_turn().await;
    let mut cluster = Cluster::start_with(1, &FAST).await;
    migrate_further(&cluster).await;
    older(&mut cluster).await;
    let mut crowd = Crowd::gather(&cluster.bases(), 12, 3).await;
    crowd.speak(MESSAGES).await;
    let steps = [(20, 1, None), (45, 0, Some(previous())), (70, 0, None)];
    for (percent, instance, binary) in steps {
        crowd.has_said(percent).await;
        let hub = &mut cluster.hubs[instance];
        let status = hub.terminate().await;
        assert_eq!(status.code(), Some(0), "{}", hub.log());
        hub.run_as(binary);
        hub.start().await;
    }
    crowd.has_said(100).await;
    let url = cluster.services.database_url();
    let rows = async |room: String| mysql_rows(&url, &room).await;
    crowd.verdict("two versions", rows).await.is_exactly_once();
}
