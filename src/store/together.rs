//! Questions of many people at once, put to the database together.
//!
//! While statements are under way, those who ask next gather for the one that follows, and where
//! several have come together, a little longer: a storm of people who come back costs few
//! statements, and while nobody else asks, nobody waits. An answer is never older than its
//! question, since nobody joins a statement that has left already.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Result, StoreError};

/// Statements of one kind that are under way at the same time.
const UNDER_WAY: usize = 2;
/// So long the next statement gathers after one for several.
const GATHER: Duration = Duration::from_millis(5);
/// So long somebody waits, for their turn and for the answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);

/// Questions of one kind that wait, each a key with a value as its answer.
pub struct Together<K, V> {
    state: Mutex<State<K, V>>,
    /// Keys in one statement at the most.
    most: usize,
}

/// Who waits for an answer, and for which.
type Asked<K, V> = (K, oneshot::Sender<Result<Option<V>>>);

struct State<K, V> {
    waiting: Vec<Asked<K, V>>,
    under_way: usize,
}

impl<K, V> Together<K, V>
where
    K: Copy + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    pub fn new(most: usize) -> Together<K, V> {
        Together { state: Mutex::new(State { waiting: Vec::new(), under_way: 0 }), most }
    }

    /// The answer to one question. `put` asks for several keys at once, and answers for those that
    /// there is something of.
    pub async fn ask<F, A>(self: &Arc<Self>, key: K, put: F) -> Result<Option<V>>
    where
        F: Fn(Vec<K>) -> A + Send + 'static,
        A: Future<Output = Result<HashMap<K, V>>> + Send,
    {
        let (answer, answered) = oneshot::channel();
        if self.is_first(key, answer) {
            let together = self.clone();
            // On its own, so that it goes on for the others when whoever began it is gone.
            tokio::spawn(async move { together.put_all(put).await });
        }
        match tokio::time::timeout(ANSWER_WITHIN, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(StoreError::Unavailable("it is closing".into())),
            Err(_) => Err(StoreError::Unavailable("too many wait for it".into())),
        }
    }

    /// Gets in line. Whether nobody is on the way who would ask for this one, too.
    fn is_first(&self, key: K, answer: oneshot::Sender<Result<Option<V>>>) -> bool {
        let mut state = self.state();
        state.waiting.push((key, answer));
        let first = state.under_way < UNDER_WAY;
        state.under_way += usize::from(first);
        first
    }

    async fn put_all<F, A>(&self, put: F)
    where
        F: Fn(Vec<K>) -> A,
        A: Future<Output = Result<HashMap<K, V>>>,
    {
        let broken_off = BrokenOff(self);
        while let Some(asked) = self.next() {
            let mut keys: Vec<K> = Vec::with_capacity(asked.len());
            keys.extend(asked.iter().map(|(key, _)| *key));
            let are_many = keys.len() > 1;
            let found = put(keys).await;
            for (key, answer) in asked {
                let found = found.as_ref().map(|found| found.get(&key).cloned());
                // Whoever does not wait any more does not need to know.
                let _ = answer.send(found.map_err(StoreError::clone));
            }
            if are_many && self.state().waiting.len() < self.most {
                tokio::time::sleep(GATHER).await;
            }
        }
        // It came to its end, and has said so in the same turn in which it saw that nobody waits.
        std::mem::forget(broken_off);
    }

    /// Those who wait, oldest first; `None` when there is nobody, and then this one is done.
    fn next(&self) -> Option<Vec<Asked<K, V>>> {
        let mut state = self.state();
        state.waiting.retain(|(_, answer)| !answer.is_closed());
        if state.waiting.is_empty() {
            state.under_way -= 1;
            return None;
        }
        let count = state.waiting.len().min(self.most);
        Some(state.waiting.drain(..count).collect())
    }

    fn state(&self) -> MutexGuard<'_, State<K, V>> {
        // A panic while holding it leaves a line that is still a line.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is left to do where the thread that asked went down with what was under way: whoever asks
/// next must not wait for it.
struct BrokenOff<'a, K, V>(&'a Together<K, V>);

impl<K, V> Drop for BrokenOff<'_, K, V> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.under_way -= 1;
        if state.under_way == 0 {
            // Their answers are dropped, which tells them.
            state.waiting.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn who_asks_while_others_are_answered_is_asked_for_with_the_rest() {
        let (together, statements) = (Arc::new(Together::new(64)), Arc::new(AtomicUsize::new(0)));
        let ask = |key: i64| {
            let (together, statements) = (together.clone(), statements.clone());
            async move {
                let put = move |keys: Vec<i64>| {
                    let statements = statements.clone();
                    async move {
                        statements.fetch_add(1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        Ok(keys
                            .into_iter()
                            .filter(|key| key % 2 == 0)
                            .map(|k| (k, k * 10))
                            .collect())
                    }
                };
                together.ask(key, put).await
            }
        };
        let answers = join_all((0..100).map(ask)).await;
        for (key, answer) in (0..).zip(answers) {
            assert_eq!(answer.unwrap(), (key % 2 == 0).then_some(key * 10));
        }
        assert!(statements.load(Ordering::SeqCst) <= 4, "{statements:?} statements");
        assert_eq!(ask(4).await.unwrap(), Some(40), "and again when nobody else does");
    }

    #[tokio::test]
    async fn a_failure_is_told_to_all_who_asked_and_to_nobody_else() {
        let together: Arc<Together<i64, i64>> = Arc::new(Together::new(64));
        let fails = |_| async { Err(StoreError::Unavailable("away".into())) };
        let both = join_all([together.ask(1, fails), together.ask(2, fails)]).await;
        assert!(both.iter().all(|answer| matches!(answer, Err(StoreError::Unavailable(_)))));
        let works = |keys: Vec<i64>| async { Ok(keys.into_iter().map(|key| (key, key)).collect()) };
        assert_eq!(together.ask(3, works).await.unwrap(), Some(3));
    }

    #[tokio::test]
    async fn a_question_that_goes_down_with_its_thread_holds_nobody_up() {
        let together: Arc<Together<i64, i64>> = Arc::new(Together::new(64));
        for _ in 0..2 * UNDER_WAY {
            let asking = together.clone();
            let thread = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let never = |_| std::future::pending::<Result<HashMap<i64, i64>>>();
                runtime.spawn(async move { asking.ask(1, never).await });
                runtime.block_on(async {
                    for _ in 0..10 {
                        tokio::task::yield_now().await;
                    }
                });
            });
            thread.join().unwrap();
        }
        let works = |keys: Vec<i64>| async { Ok(keys.into_iter().map(|key| (key, key)).collect()) };
        assert_eq!(together.ask(3, works).await.unwrap(), Some(3));
    }
}
