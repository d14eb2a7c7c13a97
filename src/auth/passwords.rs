//! Passwords: hashed and checked with argon2id off the event threads, as many at once as there
//! are cores. Each takes 19 MiB and tens of milliseconds, so more than a short queue is refused.

use std::sync::{Arc, LazyLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;

/// Memory in KiB, passes, lanes.
const COST: (u32, u32, u32) = (19_456, 2, 1);
/// Waiting for a core at the most, for each core.
const QUEUE_A_CORE: usize = 16;

/// Too many passwords are being checked already; nothing was done.
#[derive(Debug)]
pub struct Busy;

struct Workers {
    running: Arc<Semaphore>,
    queued: Arc<Semaphore>,
}

static WORKERS: LazyLock<Workers> =
    LazyLock::new(|| Workers::new(std::thread::available_parallelism().map_or(1, usize::from)));

impl Workers {
    fn new(cores: usize) -> Workers {
        let permits = |count| Arc::new(Semaphore::new(count));
        Workers { running: permits(cores), queued: permits(cores * (1 + QUEUE_A_CORE)) }
    }

    /// The permits go with the job: a client that hangs up does not stop it, and so must not make
    /// room for another one.
    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let queued = self.queued.clone().try_acquire_owned().map_err(|_| Busy)?;
        let running = self.running.clone().acquire_owned().await.map_err(|_| Busy)?;
        let job = move || {
            let _permits = (queued, running);
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
pub async fn hash(password: String) -> Result<String, Busy> {
    let hashed = WORKERS
        .run(move || argon2().hash_password(password.as_bytes()).map(|hash| hash.to_string()));
    // Only a broken random source fails here; try again later is the best advice there is.
    hashed.await?.map_err(|_| Busy)
}

/// Whether a password is the one. Without a hash (an unknown user) it takes as long to say no.
pub async fn is_right(password: String, hash: Option<String>) -> Result<bool, Busy> {
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
    WORKERS.run(check).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn only_the_right_password_is_right() {
        let hashed = hash("correct horse".to_owned()).await.unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert!(is_right("correct horse".to_owned(), Some(hashed.clone())).await.unwrap());
        assert!(!is_right("battery staple".to_owned(), Some(hashed)).await.unwrap());
        assert!(!is_right("nobody's password".to_owned(), None).await.unwrap());
    }

    #[tokio::test]
    async fn hanging_up_does_not_make_room_while_the_job_runs() {
        let workers = Workers::new(1);
        let (finish, told) = std::sync::mpsc::channel::<()>();
        let job = workers.run(move || told.recv().is_ok());
        let hung_up = tokio::time::timeout(Duration::from_millis(50), job).await;
        assert!(hung_up.is_err(), "the client is gone, the job is not");
        assert_eq!(workers.running.available_permits(), 0);

        // Who waits and hangs up makes room in the queue, since nothing was begun.
        let waiting = tokio::time::timeout(Duration::from_millis(50), workers.run(|| ())).await;
        assert!(waiting.is_err());
        assert_eq!(workers.queued.available_permits(), QUEUE_A_CORE);

        finish.send(()).unwrap();
        workers.run(|| ()).await.unwrap();
        let whole_queue = u32::try_from(1 + QUEUE_A_CORE).unwrap();
        drop(workers.queued.acquire_many(whole_queue).await.unwrap());
    }

    #[tokio::test]
    async fn more_than_the_queue_is_refused() {
        let workers = Workers::new(1);
        let _all = workers.queued.acquire_many(1 + QUEUE_A_CORE as u32).await.unwrap();
        assert!(workers.run(|| ()).await.is_err());
    }
}
