//! What a hello leads to: the list of rooms, and a place among the listeners of each.
//!
//! The answer does not wait for long, so the list may lack a room that the person has just come
//! into, and a room may not be woken while the store is away. Both are made up for behind the
//! answer, for as long as the socket is open: nobody is left in a room without hearing of it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::arrivals::Held;
use super::super::registry::SessionHandle;
use super::super::reply::Trouble;
use super::super::room::Join;
use super::super::{Hub, now};
use crate::core::greeting::Known;
use crate::core::types::{Position, RoomId, UserId};
use crate::store::RoomView;

/// Rooms that a client names without being in them, and that are looked into.
const FORMER_ROOMS: usize = 200;
/// How long the list in the answer waits for the store to have everything.
const LIST_WITHIN: Duration = Duration::from_secs(1);
/// How long a turn takes at the most.
const TURN_WITHIN: Duration = Duration::from_secs(1);
/// Between two tries at what could not be done at once.
const AGAIN: Duration = Duration::from_secs(1);

/// The rooms that a client names, by what it takes for their ids, and up to where it knows them.
pub fn known(named: HashMap<String, Position>) -> Known {
    named.into_iter().filter_map(|(room, at)| Some((room.parse().ok()?, at))).collect()
}

/// My rooms, and whether they are those of the moment at which this was asked; with the turn in
/// which they were asked for.
pub async fn list(hub: &Hub, user: UserId) -> Result<((Vec<RoomView>, bool), Held), Trouble> {
    let current = tokio::time::timeout(LIST_WITHIN, hub.store_up_to_date()).await;
    let turn = hub.arrivals.turn().await;
    let rooms = hub.store.rooms_of(user).await?;
    let now = now();
    let rooms = rooms.into_iter().map(|room| room.at(now)).collect();
    Ok(((rooms, matches!(current, Ok(Ok(())))), turn))
}

/// What is still to be done for a socket whose hello was answered.
pub struct Greeting {
    hub: Arc<Hub>,
    session: SessionHandle,
    /// Rooms to join, and from where on: those of the list, and those that came while it was made.
    to_join: Vec<(RoomId, Position)>,
    listed: HashSet<RoomId>,
    is_current: bool,
    /// What the client knows of rooms that are not on the list.
    known: Known,
}

impl Greeting {
    pub fn new(
        hub: Arc<Hub>,
        session: SessionHandle,
        (rooms, is_current): (Vec<RoomView>, bool),
        mut known: Known,
    ) -> Greeting {
        let rooms: Vec<_> = rooms.iter().map(|room| (room.id, room.position)).collect();
        let to_join = session.greeted().list(&rooms);
        let listed: HashSet<RoomId> = to_join.iter().map(|(room, _)| *room).collect();
        known.retain(|room, _| !listed.contains(room));
        Greeting { hub, session, to_join, listed, is_current, known }
    }

    /// Joins the rooms of the list, from where the client knows them or from where the list was
    /// made; what cannot be done at once goes on by itself. Who reads slowly does not keep the
    /// turn for long.
    pub async fn begin(mut self, turn: Held) {
        {
            let joined = self.join_rooms(&[]);
            tokio::pin!(joined);
            if tokio::time::timeout(TURN_WITHIN, &mut joined).await.is_err() {
                drop(turn);
                joined.await;
            }
        }
        if !self.to_join.is_empty() || !self.is_current || !self.known.is_empty() {
            actix_rt::spawn(self.make_up());
        } else {
            self.session.greeted().end();
        }
    }

    async fn make_up(mut self) {
        self.join_all().await;
        if !self.is_current {
            self.join_what_the_list_lacked().await;
        }
        self.tell_of_former_rooms().await;
        self.join_all().await;
        self.session.greeted().end();
    }

    fn is_open(&self) -> bool {
        self.session.outbound.is_open()
    }

    /// Joins until all is done, or the first room that cannot be woken. A room of which the client
    /// knows more than this instance has read has to wait: it would take a member for a stranger.
    /// Unless its partition was read to the end, and the client's position is of nowhere.
    async fn join_rooms(&mut self, read_to_the_end: &[u16]) {
        let mut rooms = std::mem::take(&mut self.to_join).into_iter();
        for (room, since) in rooms.by_ref() {
            if !self.is_open() {
                return;
            }
            let is_ahead = ahead(&self.hub, room, since);
            if is_ahead.is_some_and(|partition| !read_to_the_end.contains(&partition)) {
                self.to_join.push((room, since));
                continue;
            }
            if !join(&self.hub, &self.session, room, since).await {
                tracing::warn!(%room, "a room cannot be woken; trying again");
                self.to_join.push((room, since));
                break;
            }
        }
        self.to_join.extend(rooms);
    }

    async fn join_all(&mut self) {
        while !self.to_join.is_empty() && self.is_open() {
            let read = self.read_on().await;
            self.join_rooms(&read).await;
            if !self.to_join.is_empty() {
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    /// Waits until this instance has read what the client knows; returns the partitions that it has
    /// read to their ends.
    async fn read_on(&self) -> Vec<u16> {
        let ahead = self.to_join.iter().filter_map(|(room, since)| ahead(&self.hub, *room, *since));
        let mut read = Vec::new();
        for partition in ahead.collect::<BTreeSet<u16>>() {
            if self.hub.rooms_up_to_date(partition).await.is_ok() {
                read.push(partition);
            }
        }
        read
    }

    /// Looks again once the store has caught up with the log.
    async fn join_what_the_list_lacked(&mut self) {
        while self.is_open() {
            if let Ok(rooms) = self.rooms_lacking().await {
                self.to_join.extend(rooms);
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn rooms_lacking(&mut self) -> Result<Vec<(RoomId, Position)>, Trouble> {
        self.hub.store_up_to_date().await?;
        let user = self.session.user;
        let mut lacking = Vec::new();
        for room in self.hub.store.rooms_of(user).await? {
            if !self.listed.contains(&room.id) {
                // What the client does not know of begins with its coming in.
                let came = self.hub.store.arrival(room.id, user).await?;
                let since = self.known.get(&room.id).copied();
                lacking.push((room.id, since.unwrap_or(Position(came.0 - 1))));
            }
        }
        // Only now: where the store fails half-way, all of it is asked again.
        self.known.retain(|room, _| lacking.iter().all(|(lacked, _)| lacked != room));
        Ok(lacking)
    }

    async fn tell_of_former_rooms(&mut self) {
        let known = std::mem::take(&mut self.known);
        let mut former: Vec<_> = known.into_iter().take(FORMER_ROOMS).collect();
        while !former.is_empty() && self.is_open() {
            former = self.look_into(former).await;
            self.join_rooms(&[]).await;
            if !former.is_empty() {
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    /// Strangers to a room do not even wake it. Returns the rooms of which the store did not say.
    async fn look_into(&mut self, former: Vec<(RoomId, Position)>) -> Vec<(RoomId, Position)> {
        let mut unsaid = Vec::new();
        for (room, since) in former {
            match self.hub.store.parting(room, self.session.user, since).await {
                Ok(Some(_)) => self.to_join.push((room, since)),
                // It knows all that there is to know, unless its position is of nowhere.
                Ok(None) if ahead(&self.hub, room, since).is_none() => {
                    self.session.greeted().leave(room, since);
                }
                Ok(None) => {}
                Err(_) => unsaid.push((room, since)),
            }
        }
        unsaid
    }
}

/// Waits while the socket has much to read already, so that resuming many rooms does not make a
/// good reader look slow. Returns whether the room could be woken.
async fn join(hub: &Arc<Hub>, session: &SessionHandle, room: RoomId, since: Position) -> bool {
    let outbound = &session.outbound;
    outbound.until_half_empty().await;
    let join = Join { session: session.clone(), since };
    !outbound.is_open() || hub.rooms.tell(hub, room, join).await.is_ok()
}

/// The partition of a room of which this is ahead of what the instance has read: the client was on
/// another one, or the list is the store's, where others write.
fn ahead(hub: &Hub, room: RoomId, since: Position) -> Option<u16> {
    let partition = hub.partition_of(room);
    let is_ahead = since.epoch() == hub.epoch && hub.followed.next(partition) <= since.offset();
    is_ahead.then_some(partition)
}
