//! What a broker in this process can show: losing it, finding it again, and a producer that
//! fails. The conformance suite runs on a real one.

use std::time::Instant;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::*;
use crate::log::AppendError;

async fn open() -> (MockCluster<'static, DefaultProducerContext>, Arc<KafkaLog>) {
    let cluster = MockCluster::new(1).unwrap();
    for topic in ["chat-presence", "chat-signals", "chat-quarantine"] {
        cluster.create_topic(topic, 1, 1).unwrap();
    }
    cluster.create_topic("chat-messages", 3, 1).unwrap();
    cluster.create_topic("chat-inbound", 3, 1).unwrap();
    let settings = KafkaSettings {
        brokers: cluster.bootstrap_servers(),
        partitions: 3,
        ..KafkaSettings::default()
    };
    let log = KafkaLog::open(settings).await.unwrap();
    assert!(!log.is_new());
    (cluster, log)
}

async fn until(what: &str, met: impl Fn() -> bool) -> Duration {
    let started = Instant::now();
    while !met() {
        assert!(started.elapsed() < Duration::from_secs(20), "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    started.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_broker_is_away_appends_are_refused_and_then_it_goes_on() {
    let (cluster, log) = open().await;
    let mut feed = log.follow(vec![0; 3]).await.unwrap();
    let append = |value: &'static str| log.append("7", value.into());
    assert_eq!(append("before").unwrap().await.unwrap(), Ok(0));

    cluster.broker_down(1).unwrap();
    until("the loss is noticed", || !log.is_up()).await;
    assert_eq!(append("during").unwrap_err(), Refused::Down);
    assert!(log.ends().await.is_err());

    cluster.broker_up(1).unwrap();
    let took = until("it is back", || log.is_up()).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(append("after").unwrap().await.unwrap(), Ok(1));
    let mut heard = Vec::new();
    while heard.len() < 2 {
        let batch = tokio::time::timeout(Duration::from_secs(20), feed.recv()).await;
        heard.extend(batch.unwrap().unwrap().into_iter().map(|entry| entry.value));
    }
    assert_eq!(heard, ["before", "after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_whose_answer_never_comes_has_an_unknown_outcome() {
    let (cluster, log) = open().await;
    assert_eq!(log.append("7", "x".into()).unwrap().await.unwrap(), Ok(0));
    // The answer is lost, and so is every later one until the time is up.
    cluster.broker_round_trip_time(1, Duration::from_secs(60)).unwrap();
    let outcome = log.append("7", "x".into()).unwrap().await.unwrap();
    assert!(matches!(outcome, Err(AppendError::Unknown(_))), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_that_failed_for_good_is_replaced() {
    let (_cluster, log) = open().await;
    assert_eq!(log.append("7", "x".into()).unwrap().await.unwrap(), Ok(0));
    log.shared.producer.give_up();
    until_it_appends(&log).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_that_delivers_nothing_is_replaced_and_its_records_have_an_outcome() {
    let (cluster, log) = open().await;
    assert_eq!(log.append("7", "x".into()).unwrap().await.unwrap(), Ok(0));
    cluster.broker_round_trip_time(1, Duration::from_secs(60)).unwrap();
    let waiting = log.append("7", "x".into()).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    log.shared.producer.stall();
    log.shared.producer.replace_if_useless();
    let outcome = tokio::time::timeout(Duration::from_secs(3), waiting).await;
    assert!(matches!(outcome, Ok(Ok(Err(AppendError::Unknown(_))))), "{outcome:?}");
    cluster.broker_round_trip_time(1, Duration::ZERO).unwrap();
    until_it_appends(&log).await;
}

async fn until_it_appends(log: &KafkaLog) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        assert!(Instant::now() < deadline);
        if let Ok(receipt) = log.append("7", "x".into())
            && receipt.await.unwrap().is_ok()
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn without_a_broker_the_start_fails_soon_and_says_where_it_looked() {
    let settings = KafkaSettings { brokers: "127.0.0.1:1".to_owned(), ..KafkaSettings::default() };
    let started = Instant::now();
    let error = KafkaLog::open(settings).await.err().unwrap().to_string();
    assert!(started.elapsed() < Duration::from_secs(7));
    assert!(error.contains("127.0.0.1:1") && !error.contains('\n'), "{error}");
}

#[test]
fn a_partition_that_stands_still_before_its_end_is_noticed() {
    let at = |first, second| consumer::Positions::from(BTreeMap::from([(0, first), (1, second)]));
    let start = Instant::now();
    let later = |seconds| start + Duration::from_secs(seconds);
    let mut stall = consumer::Stall::default();
    assert!(stall.look(&at(5, 7), &[], later(0)).is_ok(), "nobody knows the ends yet");
    assert!(stall.look(&at(5, 7), &[9, 7], later(10)).is_ok(), "it has just been seen");
    assert!(stall.look(&at(6, 7), &[9, 7], later(20)).is_ok(), "it moves");
    stall.excuse();
    assert!(stall.look(&at(6, 7), &[9, 7], later(30)).is_ok(), "the brokers were away");
    assert!(stall.look(&at(6, 9), &[9, 9], later(34)).is_err(), "the other one moves");
    assert!(stall.look(&at(9, 9), &[9, 9], later(40)).is_ok(), "all is there");
    assert!(stall.look(&at(9, 9), &[12, 9], later(50)).is_ok(), "there is more since now");
    assert!(stall.look(&at(9, 9), &[12, 9], later(54)).is_err());
    assert!(stall.look(&at(9, 9), &[12, 9], later(60)).is_ok());
    assert!(stall.look(&at(9, 9), &[12, 9], later(70)).is_ok(), "nothing is there, after all");
    assert!(stall.look(&at(9, 9), &[13, 9], later(71)).is_err(), "but now there is");
}
