//! Mutes: for a time a member may read and react, but not write.
//!
//! A fold has no clock. Whether a mute is over is decided by the time that stands in the record of
//! who wants to write, so that every fold decides alike.

use std::collections::BTreeMap;

use super::room::{Event, Refusal, Room};
use super::standing::Doer;
use super::types::{Person, Role, Timestamp, UserId};

/// Minutes of the longest mute: 30 days.
pub const MOST_MINUTES: i64 = 30 * 24 * 60;

/// Who is muted in a room, and until when. Apart from the members: who leaves and comes back is as
/// muted as before. One that is over stays here without effect, until there is another or it is
/// lifted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mutes(BTreeMap<UserId, Timestamp>);

impl Mutes {
    pub fn set(&mut self, user: UserId, until: Timestamp) {
        self.0.insert(user, until);
    }

    pub fn lift(&mut self, user: UserId) {
        self.0.remove(&user);
    }

    /// Until when somebody is muted, if they are at this time.
    pub fn until(&self, user: UserId, at: Timestamp) -> Option<Timestamp> {
        self.0.get(&user).copied().filter(|until| at < *until)
    }

    /// Passes those who may write at this time.
    pub fn check(&self, user: UserId, at: Timestamp) -> Result<(), Refusal> {
        self.until(user, at).map_or(Ok(()), |until| Err(Refusal::Muted(until)))
    }
}

impl Room {
    pub(super) fn check_mute(
        &self,
        by: Doer,
        user: UserId,
        until: Timestamp,
    ) -> Result<(), Refusal> {
        self.require_admin(by)?;
        match self.members.get(&user) {
            None => Err(Refusal::NotFound),
            Some(member) if member.role == Role::Admin => Err(Refusal::IsAdmin),
            Some(_) if self.mutes.0.get(&user) == Some(&until) => Err(Refusal::Unchanged),
            Some(_) => Ok(()),
        }
    }

    pub(super) fn mute(
        &mut self,
        person: &Person,
        until: Timestamp,
        by: UserId,
    ) -> Result<Event, Refusal> {
        let member = self.members.get(&person.id).ok_or(Refusal::NotFound)?.clone();
        self.mutes.set(person.id, until);
        Ok(Event::MemberMuted { member, until, by })
    }

    pub(super) fn unmute(&mut self, person: &Person, by: UserId) -> Result<Event, Refusal> {
        let member = self.members.get(&person.id).ok_or(Refusal::NotFound)?.clone();
        self.mutes.lift(person.id);
        Ok(Event::MemberUnmuted { member, by })
    }

    pub(super) fn check_unmute(&self, by: Doer, user: UserId) -> Result<(), Refusal> {
        self.require_admin(by)?;
        match (self.members.contains_key(&user), self.mutes.0.contains_key(&user)) {
            (false, _) => Err(Refusal::NotFound),
            (true, false) => Err(Refusal::Unchanged),
            (true, true) => Ok(()),
        }
    }
}
