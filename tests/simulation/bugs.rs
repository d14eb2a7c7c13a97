//! Mistakes that a shell around the core could make, to see that the simulation would find them.

use rookery::guarantees::Promise;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A message is acknowledged when it is handed to the log, not when it came back.
    AcknowledgedTooEarly,
    /// What the log did not confirm is taken for what it did not take.
    UnknownIsRefused,
    /// A room that wakes leaves out the tail of the log.
    LostTail,
    /// Who resumes does not get what the room has kept since it woke.
    ResumeWithoutTail,
    /// A listener is added some time after what it missed was handed over.
    LateListener,
    /// Who was removed goes on listening.
    DeafToRemoval,
    /// A room that wakes does not know what was said before, and takes a repeat for new.
    ForgottenRepeats,
    /// A persister writes wherever the store is.
    NoFence,
    /// The offset is stored before the rows, and apart from them.
    OffsetBeforeRows,
    /// A page of history is what the store has.
    PageWithoutTail,
    /// A page does not wait until its instance has read the log.
    PageOfThePast,
    /// An instance never counts silence.
    LeasesForEver,
}

impl Bug {
    /// Each, with the promise that it breaks.
    pub const ALL: [(Bug, Promise); 12] = [
        (Bug::AcknowledgedTooEarly, Promise::ExactlyOnce),
        (Bug::UnknownIsRefused, Promise::ExactlyOnce),
        (Bug::LostTail, Promise::ExactlyOnce),
        (Bug::ResumeWithoutTail, Promise::ExactlyOnce),
        (Bug::LateListener, Promise::ExactlyOnce),
        (Bug::DeafToRemoval, Promise::NothingAfterRemoval),
        (Bug::ForgottenRepeats, Promise::ExactlyOnce),
        (Bug::NoFence, Promise::ExactlyOnce),
        (Bug::OffsetBeforeRows, Promise::ExactlyOnce),
        (Bug::PageWithoutTail, Promise::ReadYourWrites),
        (Bug::PageOfThePast, Promise::ReadYourWrites),
        (Bug::LeasesForEver, Promise::Presence),
    ];
}
