//! Who wants to know of whom: the sockets that follow everyone, a room, or a list of people.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::presence::Change;
use super::types::{RoomId, UserId};

/// People that one socket may follow by name; more are refused.
pub const MAX_FOLLOWED: usize = 10_000;

/// One live socket on this instance.
pub type SessionId = u64;

/// A room that somebody follows.
#[derive(Debug, Default)]
struct RoomFollowed {
    members: HashSet<UserId>,
    sessions: HashSet<SessionId>,
}

/// What one session follows, to take it back when it ends.
#[derive(Debug, Default)]
struct Followed {
    people: HashSet<UserId>,
    rooms: Vec<RoomId>,
}

/// Everything is found from the person that changed or the session that ended; nothing looks at all
/// that there is.
#[derive(Debug, Default)]
pub struct Follows {
    everyone: HashSet<SessionId>,
    rooms: HashMap<RoomId, RoomFollowed>,
    /// The followed rooms that somebody is in.
    rooms_of: HashMap<UserId, Vec<RoomId>>,
    people: HashMap<UserId, HashSet<SessionId>>,
    by_session: HashMap<SessionId, Followed>,
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
        if followed.sessions.insert(session) {
            self.by_session.entry(session).or_default().rooms.push(room);
        }
        for user in members {
            if followed.members.insert(*user) {
                self.rooms_of.entry(*user).or_default().push(room);
            }
        }
    }

    /// Returns false, and follows nobody new, where the session would follow too many.
    pub fn people(&mut self, session: SessionId, users: &[UserId]) -> bool {
        let followed = &mut self.by_session.entry(session).or_default().people;
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

    /// Keeps a followed room's members true. Returns the sockets that follow somebody from now on.
    pub fn membership(&mut self, room: RoomId, user: UserId, is_member: bool) -> Vec<SessionId> {
        let Some(followed) = self.rooms.get(&room) else { return Vec::new() };
        let new = match is_member && !followed.members.contains(&user) {
            true => followed.sessions.difference(&self.followers(user)).copied().collect(),
            false => Vec::new(),
        };
        let Some(followed) = self.rooms.get_mut(&room) else { return new };
        match is_member {
            true if followed.members.insert(user) => {
                self.rooms_of.entry(user).or_default().push(room);
            }
            false if followed.members.remove(&user) => forget_one(&mut self.rooms_of, user, room),
            _ => {}
        }
        new
    }

    /// A session that is no longer in the room hears no more of it.
    pub fn leave_room(&mut self, session: SessionId, room: RoomId) {
        if let Some(followed) = self.by_session.get_mut(&session) {
            followed.rooms.retain(|other| *other != room);
        }
        self.stop_following(session, room);
    }

    pub fn forget_room(&mut self, room: RoomId) {
        let sessions = self.rooms.get(&room).map(|followed| followed.sessions.clone());
        sessions.into_iter().flatten().for_each(|session| self.leave_room(session, room));
    }

    pub fn end(&mut self, session: SessionId) {
        self.everyone.remove(&session);
        let Followed { people, rooms } = self.by_session.remove(&session).unwrap_or_default();
        for user in people {
            if let Some(sessions) = self.people.get_mut(&user) {
                sessions.remove(&session);
                if sessions.is_empty() {
                    self.people.remove(&user);
                }
            }
        }
        rooms.into_iter().for_each(|room| self.stop_following(session, room));
    }

    /// A room that nobody follows any more is forgotten.
    fn stop_following(&mut self, session: SessionId, room: RoomId) {
        let Some(followed) = self.rooms.get_mut(&room) else { return };
        followed.sessions.remove(&session);
        if followed.sessions.is_empty()
            && let Some(followed) = self.rooms.remove(&room)
        {
            followed.members.iter().for_each(|user| forget_one(&mut self.rooms_of, *user, room));
        }
    }

    /// The followed rooms that somebody is in.
    fn rooms_of(&self, user: UserId) -> impl Iterator<Item = (RoomId, &RoomFollowed)> {
        let rooms = self.rooms_of.get(&user).into_iter().flatten();
        rooms.filter_map(|room| Some((*room, self.rooms.get(room)?)))
    }

    /// The sockets that follow this person in one way or another.
    pub fn followers(&self, user: UserId) -> HashSet<SessionId> {
        let by_room = self.rooms_of(user).flat_map(|(_, followed)| &followed.sessions);
        let by_name = self.people.get(&user).into_iter().flatten();
        self.everyone.iter().chain(by_room).chain(by_name).copied().collect()
    }

    /// Who is to hear of which changes. A socket that follows everyone hears each change once; another
    /// one may hear it once for each way in which it follows somebody, so that all who follow a room
    /// share one notice.
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
        let mut by_room: BTreeMap<RoomId, (&RoomFollowed, Vec<Change>)> = BTreeMap::new();
        let mut by_session: HashMap<SessionId, Vec<Change>> = HashMap::new();
        for change in changes {
            for (room, followed) in self.rooms_of(change.user) {
                by_room.entry(room).or_insert((followed, Vec::new())).1.push(*change);
            }
            for session in self.people.get(&change.user).map(apart).unwrap_or_default() {
                by_session.entry(session).or_default().push(*change);
            }
        }
        by_room.into_values().for_each(|(followed, here)| add(apart(&followed.sessions), here));
        by_session.into_iter().for_each(|(session, changes)| add(vec![session], changes));
        notices
    }
}

fn forget_one(rooms_of: &mut HashMap<UserId, Vec<RoomId>>, user: UserId, room: RoomId) {
    if let Some(rooms) = rooms_of.get_mut(&user) {
        rooms.retain(|other| *other != room);
        if rooms.is_empty() {
            rooms_of.remove(&user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::presence::Status;
    use super::*;

    impl Follows {
        fn is_empty(&self) -> bool {
            let Follows { everyone, rooms, rooms_of, people, by_session } = self;
            let by_room = rooms.is_empty() && rooms_of.is_empty();
            by_room && everyone.is_empty() && people.is_empty() && by_session.is_empty()
        }
    }

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

        assert!(follows.membership(room, UserId(7), false).is_empty());
        assert_eq!(follows.membership(room, UserId(9), true), [2]);
        assert!(follows.membership(room, UserId(9), true).is_empty(), "they know");
        assert_eq!(follows.notices(&[came(7), came(9)])[1].changes, [came(9)]);

        [1, 2, 3].into_iter().for_each(|session| follows.end(session));
        assert_eq!(follows.notices(&[came(7), came(8), came(9)]), []);
        assert!(follows.is_empty());
    }

    #[test]
    fn whoever_leaves_or_ends_a_room_leaves_nothing_behind() {
        let (mut follows, one, two) = (Follows::default(), RoomId::Group(1), RoomId::Group(2));
        for room in [one, two, one] {
            follows.room(1, room, &[UserId(7)]);
            follows.room(2, room, &[UserId(7), UserId(8)]);
        }
        follows.leave_room(1, one);
        assert_eq!(follows.followers(UserId(7)), HashSet::from([1, 2]));
        follows.forget_room(two);
        assert_eq!(follows.followers(UserId(7)), HashSet::from([2]));
        follows.end(2);
        follows.end(1);
        assert!(follows.is_empty());
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
