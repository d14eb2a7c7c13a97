//! Who wants to know of whom: the sockets that follow everyone, a room, or a list of people.

use std::collections::{HashMap, HashSet};

use super::presence::Change;
use super::types::{RoomId, UserId};

/// People that one socket may follow by name; more are refused.
pub const MAX_FOLLOWED: usize = 10_000;

/// One live socket on this instance.
pub type SessionId = u64;

#[derive(Debug, Default)]
struct RoomFollowed {
    members: HashSet<UserId>,
    sessions: HashSet<SessionId>,
}

#[derive(Debug, Default)]
pub struct Follows {
    everyone: HashSet<SessionId>,
    rooms: HashMap<RoomId, RoomFollowed>,
    people: HashMap<UserId, HashSet<SessionId>>,
    /// What each session follows by name, to take it back when the session ends.
    by_session: HashMap<SessionId, HashSet<UserId>>,
}

/// The same changes for several sockets, so that they are encoded once.
#[derive(Debug, PartialEq, Eq)]
pub struct Notice {
    pub to: Vec<SessionId>,
    pub changes: Vec<Change>,
}

impl Follows {
    pub fn everyone(&mut self, session: SessionId) {
        self.everyone.insert(session);
    }

    pub fn room(&mut self, session: SessionId, room: RoomId, members: &[UserId]) {
        let followed = self.rooms.entry(room).or_default();
        followed.sessions.insert(session);
        followed.members.extend(members);
    }

    /// Returns false, and follows nobody new, where the session would follow too many.
    pub fn people(&mut self, session: SessionId, users: &[UserId]) -> bool {
        let followed = self.by_session.entry(session).or_default();
        let new: HashSet<_> = users.iter().filter(|user| !followed.contains(user)).collect();
        if followed.len() + new.len() > MAX_FOLLOWED {
            return false;
        }
        for user in users {
            followed.insert(*user);
            self.people.entry(*user).or_default().insert(session);
        }
        true
    }

    /// Keeps a followed room's members true.
    pub fn membership(&mut self, room: RoomId, user: UserId, is_member: bool) {
        if let Some(followed) = self.rooms.get_mut(&room) {
            match is_member {
                true => followed.members.insert(user),
                false => followed.members.remove(&user),
            };
        }
    }

    /// A session that is no longer in the room hears no more of it.
    pub fn leave_room(&mut self, session: SessionId, room: RoomId) {
        if let Some(followed) = self.rooms.get_mut(&room) {
            followed.sessions.remove(&session);
        }
        self.rooms.retain(|_, followed| !followed.sessions.is_empty());
    }

    pub fn forget_room(&mut self, room: RoomId) {
        self.rooms.remove(&room);
    }

    pub fn end(&mut self, session: SessionId) {
        self.everyone.remove(&session);
        for user in self.by_session.remove(&session).unwrap_or_default() {
            if let Some(sessions) = self.people.get_mut(&user) {
                sessions.remove(&session);
                if sessions.is_empty() {
                    self.people.remove(&user);
                }
            }
        }
        self.rooms.values_mut().for_each(|followed| {
            followed.sessions.remove(&session);
        });
        self.rooms.retain(|_, followed| !followed.sessions.is_empty());
    }

    /// The sockets that follow this person in one way or another.
    pub fn followers(&self, user: UserId) -> HashSet<SessionId> {
        let rooms = self.rooms.values().filter(|followed| followed.members.contains(&user));
        let sessions = rooms.flat_map(|followed| &followed.sessions);
        let by_name = self.people.get(&user).into_iter().flatten();
        self.everyone.iter().chain(sessions).chain(by_name).copied().collect()
    }

    /// Who is to hear of which changes. A socket that follows everyone hears each change once.
    pub fn notices(&self, changes: &[Change]) -> Vec<Notice> {
        let mut notices = Vec::new();
        if changes.is_empty() {
            return notices;
        }
        let mut add = |to: Vec<SessionId>, changes: Vec<Change>| {
            if !to.is_empty() && !changes.is_empty() {
                notices.push(Notice { to, changes });
            }
        };
        add(self.everyone.iter().copied().collect(), changes.to_vec());
        let apart = |sessions: &HashSet<SessionId>| {
            sessions.difference(&self.everyone).copied().collect::<Vec<_>>()
        };
        for followed in self.rooms.values() {
            let here = changes.iter().filter(|change| followed.members.contains(&change.user));
            add(apart(&followed.sessions), here.copied().collect());
        }
        let mut by_session: HashMap<SessionId, Vec<Change>> = HashMap::new();
        for change in changes {
            for session in self.people.get(&change.user).map(apart).unwrap_or_default() {
                by_session.entry(session).or_default().push(*change);
            }
        }
        by_session.into_iter().for_each(|(session, changes)| add(vec![session], changes));
        notices
    }
}

#[cfg(test)]
mod tests {
    use super::super::presence::Status;
    use super::*;

    fn came(user: i64) -> Change {
        Change { user: UserId(user), status: Status::Online, lost: false }
    }

    #[test]
    fn each_hears_what_it_follows_and_nothing_after_its_end() {
        let mut follows = Follows::default();
        let room = RoomId::Group(1);
        follows.everyone(1);
        follows.room(2, room, &[UserId(7)]);
        assert!(follows.people(3, &[UserId(8)]));
        assert!(follows.people(1, &[UserId(8)]), "already hears of everyone");
        let notices = follows.notices(&[came(7), came(8)]);
        assert_eq!(notices[0], Notice { to: vec![1], changes: vec![came(7), came(8)] });
        assert_eq!(notices[1], Notice { to: vec![2], changes: vec![came(7)] });
        assert_eq!(notices[2], Notice { to: vec![3], changes: vec![came(8)] });

        assert_eq!(follows.followers(UserId(7)), HashSet::from([1, 2]));
        assert_eq!(follows.followers(UserId(8)), HashSet::from([1, 3]));

        follows.membership(room, UserId(7), false);
        follows.membership(room, UserId(9), true);
        assert_eq!(follows.notices(&[came(7), came(9)])[1].changes, [came(9)]);

        [1, 2, 3].into_iter().for_each(|session| follows.end(session));
        assert_eq!(follows.notices(&[came(7), came(8), came(9)]), []);
    }

    #[test]
    fn a_list_has_a_limit() {
        let mut follows = Follows::default();
        let many: Vec<UserId> = (1..=MAX_FOLLOWED as i64).map(UserId).collect();
        assert!(follows.people(1, &many));
        assert!(!follows.people(1, &[UserId(i64::MAX)]));
        assert!(follows.people(1, &many), "whom it follows already it may ask about again");
    }
}
