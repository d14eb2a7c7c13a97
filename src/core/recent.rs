//! Which messages a room accepted last, so that a repeated one is known for what it is.
//!
//! Two copies of one send can both reach the log: the first through an instance that died before
//! it could answer, the second through another. Every fold must refuse the same copy, so the
//! window is counted in messages, not in minutes: the clocks of instances differ, the log does not.

use std::collections::{HashMap, VecDeque};

use super::types::{MessageId, Position, UserId};

/// How many accepted messages back a repeat is recognised by the fold alone. An older one is
/// looked up in the store before it is published.
pub const WINDOW: usize = 1_000;

/// The first message that had some `client_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct First {
    pub id: MessageId,
    pub position: Position,
}

type Key = (UserId, Box<str>);

#[derive(Debug, Clone, Default)]
pub struct Recent {
    firsts: HashMap<Key, First>,
    /// Oldest first; `None` for a message that came without a `client_id`.
    order: VecDeque<Option<Key>>,
    forgot: bool,
}

impl Recent {
    /// Notes an accepted message, and forgets the one that falls out of the window.
    pub fn push(&mut self, sender: UserId, client_id: Option<&str>, first: First) {
        let key = client_id.map(|client_id| (sender, Box::from(client_id)));
        if let Some(key) = &key {
            self.firsts.insert(key.clone(), first);
        }
        self.order.push_back(key);
        if self.order.len() > WINDOW {
            self.forgot = true;
            if let Some(Some(oldest)) = self.order.pop_front() {
                self.firsts.remove(&oldest);
            }
        }
    }

    pub fn find(&self, sender: UserId, client_id: &str) -> Option<First> {
        self.firsts.get(&(sender, Box::from(client_id))).copied()
    }

    /// Whether every message of the room is within the window, so that a `client_id` that is not
    /// found here was never used.
    pub fn is_complete(&self) -> bool {
        !self.forgot
    }

    /// Says that the room has older messages than those pushed so far.
    pub fn set_incomplete(&mut self) {
        self.forgot = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(n: i64) -> First {
        First { id: MessageId(n), position: Position(n) }
    }

    #[test]
    fn a_client_id_belongs_to_its_sender() {
        let mut recent = Recent::default();
        recent.push(UserId(1), Some("a"), first(1));
        assert_eq!(recent.find(UserId(1), "a"), Some(first(1)));
        assert_eq!(recent.find(UserId(2), "a"), None);
        assert!(recent.is_complete());
    }

    #[test]
    fn the_window_slides_by_messages_with_and_without_client_id() {
        let mut recent = Recent::default();
        recent.push(UserId(1), Some("old"), first(0));
        for n in 1..WINDOW as i64 {
            recent.push(UserId(2), None, first(n));
        }
        assert!(recent.find(UserId(1), "old").is_some() && recent.is_complete());
        recent.push(UserId(2), None, first(WINDOW as i64));
        assert!(recent.find(UserId(1), "old").is_none() && !recent.is_complete());
    }
}
