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
    running: Semaphore,
    queued: Semaphore,
}

static WORKERS: LazyLock<Workers> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Workers { running: Semaphore::new(cores), queued: Semaphore::new(cores * (1 + QUEUE_A_CORE)) }
});

fn argon2() -> Argon2<'static> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

async fn work<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
    let _queued = WORKERS.queued.try_acquire().map_err(|_| Busy)?;
    let _running = WORKERS.running.acquire().await.map_err(|_| Busy)?;
    tokio::task::spawn_blocking(job).await.map_err(|_| Busy)
}

/// Hashes a password with a new salt, in the PHC string format.
pub async fn hash(password: String) -> Result<String, Busy> {
    let hashed =
        work(move || argon2().hash_password(password.as_bytes()).map(|hash| hash.to_string()));
    // Only a broken random source fails here; try again later is the best advice there is.
    hashed.await?.map_err(|_| Busy)
}

/// Whether a password is the one. Without a hash (an unknown user) it takes as long to say no.
pub async fn is_right(password: String, hash: Option<String>) -> Result<bool, Busy> {
    static NOBODY: LazyLock<Arc<str>> = LazyLock::new(|| {
        let hash = argon2().hash_password(b"nobody's password");
        hash.map(|hash| hash.to_string()).unwrap_or_default().into()
    });
    work(move || {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.to_string());
        let parsed = PasswordHash::new(&hash);
        let right =
            parsed.is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok());
        known && right
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_is_right() {
        let hashed = hash("correct horse".to_owned()).await.unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert!(is_right("correct horse".to_owned(), Some(hashed.clone())).await.unwrap());
        assert!(!is_right("battery staple".to_owned(), Some(hashed)).await.unwrap());
        assert!(!is_right("nobody's password".to_owned(), None).await.unwrap());
    }
}
