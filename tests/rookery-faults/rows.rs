//! The faults, a row of the table each.

mod clients;
mod instances;
mod network;
mod services;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use rookery::guarantees::history::Millis;

use crate::run::Stage;
use crate::world::World;

type Fault = for<'a> fn(&'a mut Stage) -> LocalBoxFuture<'a, ()>;

/// What is broken, and in what.
#[derive(Clone)]
pub struct Row {
    pub name: &'static str,
    pub about: &'static str,
    pub fault: Fault,
    /// Part of every run of all tests.
    pub is_selected: bool,
    is_embedded: bool,
    /// Between two messages of one client, and two changes of one floater's membership, in
    /// milliseconds and on the average.
    pub pace: usize,
    pub floats_every: Millis,
    /// Characters of a message, at least.
    pub body: usize,
    /// Every message is sent to two instances at once.
    pub twice: bool,
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
            is_embedded: false,
            pace: 500,
            floats_every: 3_000,
            body: 0,
            twice: false,
            memory: 0,
        }
    }

    const fn selected(mut self) -> Row {
        self.is_selected = true;
        self
    }

    const fn embedded(mut self) -> Row {
        self.is_embedded = true;
        self
    }

    pub async fn world(&self) -> World {
        match self.is_embedded {
            true => World::embedded().await,
            false => World::cluster(|_| Vec::new()).await,
        }
    }
}

pub fn all() -> Vec<Row> {
    let mut rows = vec![
        Row::new("nothing", "nothing is broken", |stage| {
            async { stage.wait(5_000, 6_000).await }.boxed_local()
        })
        .selected(),
    ];
    rows.extend(instances::ROWS);
    rows.extend(services::ROWS);
    rows.extend(network::ROWS);
    rows.extend(clients::ROWS);
    rows
}
