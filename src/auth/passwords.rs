//! Passwords: hashed and checked with argon2id off the event threads, as many at once as there
//! are cores. Each takes 19 MiB and tens of milliseconds, so more than a short queue is refused, and
//! so is more than a part of it for one address: nobody keeps all others from logging in.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;

use super::source::Source;

/// Memory in KiB, passes, lanes.
const COST: (u32, u32, u32) = (19_456, 2, 1);
/// Waiting for a core at the most, for each core: the last one waits a second or two.
const QUEUE_A_CORE: usize = 64;
/// One address but the hub's own may have the places divided by this, running and waiting together.
const ADDRESSES_TO_FILL_IT: usize = 4;

/// Too many passwords are being checked already; nothing was done.
#[derive(Debug)]
pub struct Busy;

struct Workers {
    running: Arc<Semaphore>,
    queued: Arc<Semaphore>,
    /// The places that each address has now, and how many it may have.
    taken: Arc<Mutex<HashMap<Source, usize>>>,
    share: usize,
}

/// One place of an address.
struct Place {
    taken: Arc<Mutex<HashMap<Source, usize>>>,
    source: Source,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.source);
            }
        }
    }
}

static WORKERS: LazyLock<Workers> =
    LazyLock::new(|| Workers::new(std::thread::available_parallelism().map_or(1, usize::from)));

impl Workers {
    fn new(cores: usize) -> Workers {
        let permits = |count| Arc::new(Semaphore::new(count));
        let places = cores * (1 + QUEUE_A_CORE);
        Workers {
            running: permits(cores),
            queued: permits(places),
            taken: Arc::default(),
            share: places / ADDRESSES_TO_FILL_IT,
        }
    }

    fn place_for(&self, source: Source) -> Result<Place, Busy> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(source).or_default();
        if *count >= self.share && !source.is_here() {
            return Err(Busy);
        }
        *count += 1;
        Ok(Place { taken: self.taken.clone(), source })
    }

    /// The permits go with the job: a client that hangs up does not stop it, and so must not make
    /// room for another one.
    async fn run<T: Send + 'static>(
        &self,
        source: Source,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let place = self.place_for(source)?;
        let queued = self.queued.clone().try_acquire_owned().map_err(|_| Busy)?;
        let running = self.running.clone().acquire_owned().await.map_err(|_| Busy)?;
        let job = move || {
            let _held = (place, queued, running);
            job()
        };
        tokio::task::spawn_blocking(job).await.map_err(|_| Busy)
    }
}

fn argon2() -> Argon2<'static> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Hashes a password with a new salt, in the PHC string format.
pub async fn hash(password: String, source: Source) -> Result<String, Busy> {
    let hash = move || argon2().hash_password(password.as_bytes()).map(|hash| hash.to_string());
    let hashed = WORKERS.run(source, hash);
    // Only a broken random source fails here; try again later is the best advice there is.
    hashed.await?.map_err(|_| Busy)
}

/// Whether a password is the one. Without a hash (an unknown user) it takes as long to say no.
pub async fn is_right(
    password: String,
    hash: Option<String>,
    source: Source,
) -> Result<bool, Busy> {
    static NOBODY: LazyLock<Arc<str>> = LazyLock::new(|| {
        let hash = argon2().hash_password(b"nobody's password");
        hash.map(|hash| hash.to_string()).unwrap_or_default().into()
    });
    let check = move || {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.to_string());
        let parsed = PasswordHash::new(&hash);
        let right =
            parsed.is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok());
        known && right
    };
    WORKERS.run(source, check).await
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;

    fn home() -> Source {
        Source::from(IpAddr::from([1, 1, 1, 1]))
    }

    fn away() -> Source {
        Source::from(IpAddr::from([2, 2, 2, 2]))
    }

    #[tokio::test]
    async fn only_the_right_password_is_right() {
        let hashed = hash("correct horse".to_owned(), home()).await.unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert!(is_right("correct horse".to_owned(), Some(hashed.clone()), home()).await.unwrap());
        assert!(!is_right("battery staple".to_owned(), Some(hashed), home()).await.unwrap());
        assert!(!is_right("nobody's password".to_owned(), None, home()).await.unwrap());
    }

    #[tokio::test]
    async fn hanging_up_does_not_make_room_while_the_job_runs() {
        let workers = Workers::new(1);
        let (finish, told) = std::sync::mpsc::channel::<()>();
        let job = workers.run(home(), move || told.recv().is_ok());
        let hung_up = tokio::time::timeout(Duration::from_millis(50), job).await;
        assert!(hung_up.is_err(), "the client is gone, the job is not");
        assert_eq!(workers.running.available_permits(), 0);

        // Who waits and hangs up makes room in the queue, since nothing was begun.
        let waiting =
            tokio::time::timeout(Duration::from_millis(50), workers.run(home(), || ())).await;
        assert!(waiting.is_err());
        assert_eq!(workers.queued.available_permits(), QUEUE_A_CORE);

        finish.send(()).unwrap();
        workers.run(home(), || ()).await.unwrap();
        let whole_queue = u32::try_from(1 + QUEUE_A_CORE).unwrap();
        drop(workers.queued.acquire_many(whole_queue).await.unwrap());
    }

    #[tokio::test]
    async fn more_than_the_queue_is_refused() {
        let workers = Workers::new(1);
        let _all = workers.queued.acquire_many(1 + QUEUE_A_CORE as u32).await.unwrap();
        assert!(workers.run(home(), || ()).await.is_err());
    }

    #[tokio::test]
    async fn one_address_cannot_fill_the_queue() {
        let workers = Workers::new(1);
        let share = (1 + QUEUE_A_CORE) / ADDRESSES_TO_FILL_IT;
        let mut places: Vec<Place> =
            (0..share).map(|_| workers.place_for(home()).unwrap()).collect();
        assert!(workers.run(home(), || ()).await.is_err());
        workers.run(away(), || ()).await.unwrap();
        places.pop();
        workers.run(home(), || ()).await.unwrap();
        drop(places);
        assert!(workers.taken.lock().unwrap().is_empty());
    }
}
