//! What a person is to a room, and by what right somebody does something there.

use super::room::{Refusal, Room, Status};
use super::types::{Role, RoomKind, UserId, Visibility};

/// What a person is to a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Member(Role),
    /// Not in it, but may see that this public group exists.
    Outsider,
    /// For this person the room does not exist.
    Stranger,
}

/// Who does something, and by what right.
///
/// A hub admin administers public groups without being in them, as their own admins do. That
/// somebody is one stands in the store, which no fold asks: so whoever publishes a record says in
/// it whether it was done by that right, and every fold believes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doer {
    pub user: UserId,
    pub hub_admin: bool,
}

impl Doer {
    /// Whether they run a room like this, where they have this role: as one of its admins, or with
    /// the right of a hub admin where that counts: in public groups alone, since what is private
    /// stays private.
    pub fn runs(self, kind: RoomKind, visibility: Visibility, role: Option<Role>) -> bool {
        let is_public_group = kind == RoomKind::Group && visibility == Visibility::Public;
        role == Some(Role::Admin) || self.hub_admin && is_public_group
    }
}

/// Somebody with no right but what the room itself gives them.
impl From<UserId> for Doer {
    fn from(user: UserId) -> Doer {
        Doer { user, hub_admin: false }
    }
}

impl Room {
    /// What the room is to this person.
    pub fn standing(&self, user: UserId) -> Standing {
        match (self.status, self.members.get(&user), self.visibility) {
            (Status::Live, Some(member), _) => Standing::Member(member.role),
            (Status::Live, None, Visibility::Public) => Standing::Outsider,
            _ => Standing::Stranger,
        }
    }

    /// Passes members alone; tells outsiders of a public group what it does not tell strangers.
    pub fn require_member(&self, user: UserId) -> Result<Role, Refusal> {
        match self.standing(user) {
            Standing::Member(role) => Ok(role),
            Standing::Outsider => Err(Refusal::NotAMember),
            Standing::Stranger => Err(Refusal::NotFound),
        }
    }

    /// Passes those who may read what was said.
    pub fn require_reader(&self, by: Doer) -> Result<(), Refusal> {
        match self.is_run_by(by) {
            true => Ok(()),
            false => self.require_member(by.user).map(drop),
        }
    }

    /// Passes those who run the room.
    pub fn require_admin(&self, by: Doer) -> Result<(), Refusal> {
        match self.is_run_by(by) {
            true => Ok(()),
            false => self.require_member(by.user).and(Err(Refusal::Forbidden)),
        }
    }

    /// As [`Doer::runs`]; nobody runs a room that is gone.
    pub(super) fn is_run_by(&self, by: Doer) -> bool {
        let role = self.members.get(&by.user).map(|member| member.role);
        self.status == Status::Live && by.runs(self.kind, self.visibility, role)
    }
}
