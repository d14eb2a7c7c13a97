//! Which rooms are awake on this instance, and which sockets are open.
//!
//! The maps hand out copies and run closures, never guards: a guard held over an `.await` would
//! stop everyone.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use actix::prelude::*;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use super::Hub;
use super::outbound::{Ending, Outbound};
use super::room::RoomActor;
use crate::core::follow::SessionId;
use crate::core::greeting::Greeted;
use crate::core::types::{Person, RoomId, UserId};
use crate::store::{Account, LoginId};

/// The address of a room. Shared, since a full mailbox is known to those alone who sent before: a
/// copy of an `Addr` has not, and what it sends is always taken.
pub type RoomAddr = Arc<Addr<RoomActor>>;

/// The rooms that someone needs here now, each an actor.
#[derive(Default)]
pub struct Rooms {
    awake: DashMap<RoomId, RoomAddr>,
    arbiters: OnceLock<Vec<ArbiterHandle>>,
    hasher: RandomState,
}

impl Rooms {
    /// The threads that rooms run on.
    pub fn run_on(&self, arbiters: Vec<ArbiterHandle>) {
        let _ = self.arbiters.set(arbiters);
    }

    /// The room's actor, woken if it was not awake.
    pub fn wake(&self, hub: &Arc<Hub>, room: RoomId) -> RoomAddr {
        if let Some(addr) = self.awake(room) {
            return addr;
        }
        match self.awake.entry(room) {
            Entry::Occupied(entry) if entry.get().connected() => entry.get().clone(),
            Entry::Occupied(mut entry) => {
                entry.insert(self.start(hub, room));
                entry.get().clone()
            }
            Entry::Vacant(entry) => entry.insert(self.start(hub, room)).clone(),
        }
    }

    /// Tells the room's actor something that one about to sleep does not take, which says `false`:
    /// then the one in its place is told.
    ///
    /// # Errors
    ///
    /// The room cannot be woken.
    pub async fn tell<M>(
        &self,
        hub: &Arc<Hub>,
        room: RoomId,
        message: M,
    ) -> Result<(), MailboxError>
    where
        M: Message<Result = bool> + Clone + Send + 'static,
        RoomActor: Handler<M>,
    {
        while !self.wake(hub, room).send(message.clone()).await? {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    fn start(&self, hub: &Arc<Hub>, room: RoomId) -> RoomAddr {
        let arbiters = self.arbiters.get().map(Vec::as_slice).unwrap_or_default();
        let actor = RoomActor::new(hub.clone(), room);
        Arc::new(match arbiters.len() {
            0 => actor.start(),
            count => {
                let arbiter = &arbiters[self.hasher.hash_one(room) as usize % count];
                RoomActor::start_in_arbiter(arbiter, move |_| actor)
            }
        })
    }

    /// The room's actor, if it is awake.
    pub fn awake(&self, room: RoomId) -> Option<RoomAddr> {
        self.awake.get(&room).map(|addr| addr.clone()).filter(|addr| addr.connected())
    }

    pub fn all_awake(&self) -> Vec<RoomAddr> {
        self.awake.iter().map(|addr| addr.clone()).collect()
    }

    /// Takes an actor that is about to stop off the map; the next [`Rooms::wake`] starts another.
    pub fn retire(&self, room: RoomId, addr: &Addr<RoomActor>) {
        self.awake.remove_if(&room, |_, current| **current == *addr);
    }

    pub fn count(&self) -> usize {
        self.awake.len()
    }
}

/// What a socket speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `rookery.v1`: commands, and the events of all rooms of the person.
    Rookery,
    /// The simple API: the messages of this one room.
    Simple(RoomId),
}

/// One live socket.
#[derive(Debug, Clone)]
pub struct SessionHandle {
    pub id: SessionId,
    pub dialect: Dialect,
    pub user: UserId,
    pub login: LoginId,
    pub outbound: Arc<Outbound>,
    /// Whether the person was a hub admin when the socket was opened, as the answer to `hello`
    /// says. It is no right: that may have changed since, and is asked anew for each deed.
    pub was_hub_admin: bool,
    person: Arc<Mutex<Person>>,
    greeted: Arc<Mutex<Greeted>>,
    hears_receipts: Arc<AtomicBool>,
}

impl SessionHandle {
    pub fn new(
        id: SessionId,
        dialect: Dialect,
        account: Account,
        login: LoginId,
        outbound: Arc<Outbound>,
    ) -> Self {
        SessionHandle {
            id,
            dialect,
            user: account.person.id,
            login,
            outbound,
            was_hub_admin: account.hub_admin,
            person: Arc::new(Mutex::new(account.person)),
            greeted: Arc::default(),
            hears_receipts: Arc::new(AtomicBool::new(account.read_receipts)),
        }
    }

    /// How far it has been greeted.
    pub fn greeted(&self) -> MutexGuard<'_, Greeted> {
        // What a thread that panicked left behind is still whole: it is changed by assignment.
        self.greeted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the person hears how far others have read.
    pub fn set_hears_receipts(&self, on: bool) {
        self.hears_receipts.store(on, Ordering::Relaxed);
    }

    /// The person by the name they have now.
    pub fn person(&self) -> Person {
        self.person.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn rename(&self, display_name: &str) {
        let mut person = self.person.lock().unwrap_or_else(PoisonError::into_inner);
        person.display_name = display_name.to_owned();
    }
}

/// The live sockets of this instance, by person.
#[derive(Default)]
pub struct Sessions {
    by_user: DashMap<UserId, Vec<SessionHandle>>,
    last_id: AtomicU64,
}

impl Sessions {
    pub fn next_id(&self) -> SessionId {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Adds a socket, unless its user has `most` already.
    pub fn add(&self, session: SessionHandle, most: usize) -> bool {
        let mut sessions = self.by_user.entry(session.user).or_default();
        let fits = sessions.len() < most;
        if fits {
            // Mostly there is one, and will be.
            sessions.reserve_exact(1);
            sessions.push(session);
        }
        fits
    }

    pub fn remove(&self, user: UserId, session: SessionId) {
        if let Entry::Occupied(mut entry) = self.by_user.entry(user) {
            entry.get_mut().retain(|one| one.id != session);
            if entry.get().is_empty() {
                entry.remove();
            }
        }
    }

    pub fn of(&self, user: UserId) -> Vec<SessionHandle> {
        self.by_user.get(&user).map(|sessions| sessions.clone()).unwrap_or_default()
    }

    /// Those that hear more than the messages of one room.
    pub fn that_speak_rookery(&self, user: UserId) -> impl Iterator<Item = SessionHandle> {
        self.of(user).into_iter().filter(|session| session.dialect == Dialect::Rookery)
    }

    /// Whether this person hears how far others have read.
    pub fn hears_receipts(&self, user: UserId) -> bool {
        let hears = |session: &SessionHandle| session.hears_receipts.load(Ordering::Relaxed);
        self.by_user.get(&user).is_some_and(|sessions| sessions.iter().any(hears))
    }

    pub fn is_here(&self, user: UserId) -> bool {
        self.by_user.contains_key(&user)
    }

    /// Ends the sockets of a user's logins that are chosen.
    pub fn log_out(&self, user: UserId, chosen: impl Fn(LoginId) -> bool) {
        let sessions = self.of(user);
        let chosen = sessions.iter().filter(|session| chosen(session.login));
        chosen.for_each(|session| session.outbound.end(Ending::LoggedOut));
    }

    pub fn all(&self) -> Vec<SessionHandle> {
        self.by_user.iter().flat_map(|sessions| sessions.clone()).collect()
    }

    pub fn count(&self) -> usize {
        self.by_user.iter().map(|sessions| sessions.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Slow;

    impl Actor for Slow {
        type Context = Context<Self>;

        fn started(&mut self, ctx: &mut Self::Context) {
            ctx.set_mailbox_capacity(2);
        }
    }

    #[derive(Message)]
    #[rtype(result = "()")]
    struct Word;

    impl Handler<Word> for Slow {
        type Result = ();

        fn handle(&mut self, Word: Word, _: &mut Self::Context) {}
    }

    #[actix_rt::test]
    async fn a_full_mailbox_is_known_to_a_shared_address_alone() {
        let slow = Arc::new(Slow.start());
        tokio::task::yield_now().await;
        let by_copies = (0..100).filter(|_| Addr::clone(&slow).try_send(Word).is_ok()).count();
        assert_eq!(by_copies, 100);
        let shared: Vec<_> = (0..100).map(|_| slow.clone()).collect();
        let taken = shared.iter().filter(|slow| slow.try_send(Word).is_ok()).count();
        assert!(taken <= 1, "{taken}");
    }
}
