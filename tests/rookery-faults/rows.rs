//! The faults, a row of the table each.

mod instances;
mod services;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use rookery::guarantees::history::{Bounds, Millis};

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
    /// Every message is sent to two instances at once.
    pub twice: bool,
    ghost_of_crash: Option<Millis>,
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
            twice: false,
            ghost_of_crash: None,
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
            false => World::cluster().await,
        }
    }

    pub fn bounds(&self) -> Bounds {
        let mut bounds = Bounds::default();
        if let Some(ghost) = self.ghost_of_crash {
            bounds.ghost_of_crash = ghost;
        }
        bounds
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
    rows
}
