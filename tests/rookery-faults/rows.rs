//! The faults, a row of the table each.

mod clients;
mod instances;
mod mixed;
mod network;
mod services;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use rookery::guarantees::history::Millis;

use crate::clock;
use crate::disk::SmallDisk;
use crate::stage::Stage;
use crate::world::World;

type Fault = for<'a> fn(&'a mut Stage) -> LocalBoxFuture<'a, ()>;

/// Bytes of a disk that is to become full: more than the logs and rows of a run.
const DISK: u64 = 96 << 20;

/// What a row is played in.
#[derive(Clone, Copy, PartialEq)]
enum Where {
    Cluster,
    /// The clock of the first instance is an hour ahead.
    ClockOff,
    Embedded,
    SmallDisk,
}

/// What is broken, and in what.
#[derive(Clone)]
pub struct Row {
    pub name: &'static str,
    pub about: &'static str,
    pub fault: Fault,
    /// Part of every run of all tests: short, and never seen to fail for no reason.
    pub is_selected: bool,
    place: Where,
    /// Between two messages of one client, and two changes of one floater's membership, in
    /// milliseconds and on the average.
    pub pace: usize,
    pub floats_every: Millis,
    /// Characters of a message, at least.
    pub body: usize,
    /// Every message is sent to two instances at once.
    pub twice: bool,
    /// Nothing ends without a word: each connection is closed with a code.
    pub is_orderly: bool,
    /// Those who have nothing to do with it wait at most twice as long.
    pub has_bystanders: bool,
    /// What the fault itself may add to an instance, in bytes.
    pub memory: u64,
}

impl Row {
    const fn new(name: &'static str, about: &'static str, fault: Fault) -> Row {
        Row {
            name,
            about,
            fault,
            is_selected: false,
            place: Where::Cluster,
            pace: 500,
            floats_every: 3_000,
            body: 0,
            twice: false,
            is_orderly: false,
            has_bystanders: false,
            memory: 0,
        }
    }

    const fn selected(mut self) -> Row {
        self.is_selected = true;
        self
    }

    const fn orderly(mut self) -> Row {
        self.is_orderly = true;
        self
    }

    const fn on(mut self, place: Where) -> Row {
        self.place = place;
        self
    }

    /// Whether what one was played in will do for the other.
    pub fn goes_on_after(&self, other: &Row) -> bool {
        self.place == other.place
    }

    pub async fn world(&self) -> World {
        match self.place {
            Where::Cluster => World::cluster(|_| Vec::new()).await,
            Where::ClockOff => {
                let hour_ahead = |instance| match instance {
                    0 => clock::off_by(3_600),
                    _ => Vec::new(),
                };
                World::cluster(hour_ahead).await
            }
            Where::Embedded => World::embedded(None).await,
            Where::SmallDisk => World::embedded(Some(SmallDisk::mount(DISK))).await,
        }
    }
}

pub fn all() -> Vec<Row> {
    let mut rows = vec![Row::new("nothing", "nothing is broken", |stage| {
        async { stage.wait(5_000, 6_000).await }.boxed_local()
    })];
    rows.extend(instances::ROWS);
    rows.extend(services::ROWS);
    rows.extend(network::ROWS);
    rows.extend(clients::ROWS);
    rows.extend(mixed::ROWS);
    rows
}
