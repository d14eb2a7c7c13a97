//! Everybody at work: clients, and those who change, probe and look.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rookery::guarantees::history::{History, Millis};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::asking::Login;
use crate::client::{Client, Common, Phase, Tally, Temper};
use crate::members::{Answers, Floater};
use crate::observers::Watch;
use crate::rows::Row;
use crate::stage::Stage;

/// Everybody at work.
pub struct Crowd {
    pub clients: Vec<JoinHandle<History>>,
    pub observers: Vec<JoinHandle<History>>,
    floats: Vec<JoinHandle<Answers>>,
    pub phase: watch::Sender<Phase>,
    pub unsettled: Arc<AtomicUsize>,
    pub tally: Arc<Tally>,
    /// Stops those who change and probe, and those who look.
    stop_acting: CancellationToken,
    pub stop_looking: CancellationToken,
}

impl Crowd {
    pub fn start(stage: &mut Stage, row: &Row) -> Crowd {
        let (clock, asking, cast) = (stage.clock, stage.asking.clone(), stage.cast.clone());
        let (phase, heard) = watch::channel(Phase::Talk);
        let (unsettled, tally) = (Arc::<AtomicUsize>::default(), Arc::<Tally>::default());
        let (stop_acting, stop_looking) = (CancellationToken::new(), CancellationToken::new());
        let acting = Watch { clock, asking: asking.clone(), stop: stop_acting.clone() };
        let looking = Watch { clock, asking: asking.clone(), stop: stop_looking.clone() };
        let common = Common {
            clock,
            phase: heard,
            asking,
            doors: stage.world.doors(),
            instances: cast.places.clone(),
            unsettled: unsettled.clone(),
            tally: tally.clone(),
        };
        let client = |(index, person): (usize, &Login)| {
            let temper = Temper {
                pace: row.pace as Millis,
                by_http: 15,
                twice: row.twice,
                body: row.body,
                naps: index % 3 == 0,
                insists: index % 2 == 0,
            };
            let (rooms, dice) = (cast.rooms_of(index), stage.dice.fork());
            let client = Client::new(person.clone(), &rooms, temper, dice, common.clone());
            tokio::spawn(client.live())
        };
        let clients = cast.people.iter().enumerate().map(client).collect();
        let mut observers = Vec::new();
        let users: Vec<String> = cast.people.iter().map(|person| person.id.clone()).collect();
        for place in &cast.places {
            let presence =
                looking.clone().presence(place.clone(), cast.observer.clone(), users.clone());
            observers.push(tokio::spawn(presence));
        }
        for (place, probe) in &cast.probes {
            let probing = acting.clone().probe(
                place.clone(),
                probe.clone(),
                cast.probed.clone(),
                unsettled.clone(),
            );
            observers.push(tokio::spawn(probing));
        }
        let pages = acting.clone().pages(cast.places.clone(), cast.readers(), stage.dice.fork());
        observers.push(tokio::spawn(pages));
        let float = |floater: &Floater| {
            let floating = acting.clone().float(
                floater.clone(),
                cast.places.clone(),
                row.floats_every,
                stage.dice.fork(),
            );
            tokio::spawn(floating)
        };
        let floats = cast.floaters.iter().map(float).collect();
        Crowd { clients, observers, floats, phase, unsettled, tally, stop_acting, stop_looking }
    }

    /// Whether everybody has come in.
    pub fn is_here(&self) -> bool {
        self.tally.connections.load(Ordering::SeqCst) >= self.clients.len()
    }

    /// Nobody changes, probes or reads any more; returns what the changes were answered.
    pub async fn acts_no_more(&mut self) -> Vec<Answers> {
        self.stop_acting.cancel();
        let mut answers = Vec::new();
        for float in std::mem::take(&mut self.floats) {
            answers.push(float.await.expect("an admin"));
        }
        answers
    }
}
