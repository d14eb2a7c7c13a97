//! The memory of every instance, sampled.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rookery::guarantees::history::{History, Memory};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::asking::{Asking, Place};
use crate::support::resident;

/// What caches take that fill with time, whatever anybody does.
const CACHES: u64 = 16 << 20;
const EVERY: Duration = Duration::from_millis(500);

/// The processes of the instances, in their order; none where one is not running.
pub type Processes = Arc<Mutex<Vec<Option<u32>>>>;

pub struct MemoryWatch {
    stop: CancellationToken,
    watching: JoinHandle<History>,
}

impl MemoryWatch {
    /// From now on. What each instance takes now is what it takes when nothing is wrong;
    /// so many bytes `more` are allowed for what is wrong.
    pub fn start(
        asking: Asking,
        places: Vec<Place>,
        processes: Processes,
        more: u64,
    ) -> MemoryWatch {
        let stop = CancellationToken::new();
        let bases = (0..places.len()).map(|index| process(&processes, index).and_then(resident));
        let bases = bases.map(|base| base.map(|base| base + CACHES + more)).collect();
        let watching = tokio::spawn(sample(asking, places, (processes, bases), stop.clone()));
        MemoryWatch { stop, watching }
    }

    pub async fn stop(self) -> History {
        self.stop.cancel();
        self.watching.await.expect("only reads files")
    }
}

async fn sample(
    asking: Asking,
    places: Vec<Place>,
    (processes, bases): (Processes, Vec<Option<u64>>),
    stop: CancellationToken,
) -> History {
    let mut history = History::default();
    // The allocator does not give back at once what sockets took that are gone.
    let mut most = vec![0; places.len()];
    while !stop.is_cancelled() {
        for (index, place) in places.iter().enumerate() {
            let sockets = asking.metric(&place.base, "rookery_sockets").await;
            let process = process(&processes, index);
            let (Some(base), Some(resident)) = (bases[index], process.and_then(resident)) else {
                continue;
            };
            most[index] = most[index].max(sockets.unwrap_or_default() as u64);
            let (instance, connections) = (place.name.clone(), most[index]);
            history.memory.push(Memory { instance, connections, base, resident });
        }
        tokio::time::sleep(EVERY).await;
    }
    history
}

fn process(processes: &Processes, instance: usize) -> Option<u32> {
    processes.lock().expect("nobody panics here")[instance]
}
