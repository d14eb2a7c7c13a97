//! What we know of another instance: its people, and whether it lives.

use std::collections::HashMap;

use super::Status;
use crate::core::types::UserId;

/// One that was silent is believed after leases in this many of our beats: those that were held up
/// come all at once.
pub(super) const BELIEVED_AFTER: u64 = 2;

#[derive(Debug, Default)]
pub(super) struct Instance {
    pub users: HashMap<UserId, Status>,
    /// Our own beat at which its last lease was heard; `None` before the first live one.
    pub heard_at: Option<u64>,
    life: Life,
}

/// The people of one that is not alive do not count.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// It was never heard live.
    #[default]
    Unknown,
    Alive,
    Silent,
    /// It was silent, and is heard again since this beat of ours.
    Back(u64),
}

impl Life {
    /// After a live lease, heard at this beat of ours.
    fn after_lease(self, beat: u64) -> Life {
        match self {
            Life::Unknown | Life::Alive => Life::Alive,
            Life::Silent => Life::Back(beat),
            Life::Back(since) if beat < since + BELIEVED_AFTER => self,
            Life::Back(_) => Life::Alive,
        }
    }

    fn after_silence(self) -> Life {
        match self {
            Life::Unknown => Life::Unknown,
            Life::Alive | Life::Silent | Life::Back(_) => Life::Silent,
        }
    }
}

impl Instance {
    pub fn is_alive(&self) -> bool {
        self.life == Life::Alive
    }

    /// Its live lease was heard at this beat of ours. Whether it is alive now, and was not before.
    pub fn revives(&mut self, beat: u64) -> bool {
        let was_alive = self.is_alive();
        self.life = self.life.after_lease(beat);
        self.is_alive() && !was_alive
    }

    /// Too many of our beats came without one of its. Whether it was alive before.
    pub fn falls_silent(&mut self) -> bool {
        let was_alive = self.is_alive();
        self.life = self.life.after_silence();
        was_alive
    }

    pub fn people(&self) -> Vec<(UserId, Status)> {
        self.users.iter().map(|(user, status)| (*user, *status)).collect()
    }
}
