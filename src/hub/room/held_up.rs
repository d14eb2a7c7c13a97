//! Proposals that are not decided at once, since something has to be looked up first: whether the
//! store has a message that this one repeats, or whether a refusal still holds once this instance
//! has read the log to its end. What a sender proposes meanwhile waits behind it, in order.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use actix::prelude::*;

use super::{Propose, RoomActor};
use crate::core::record::Action;
use crate::core::room::{Message as ChatMessage, Refusal};
use crate::core::types::UserId;
use crate::hub::now;
use crate::hub::reply::{Outcome, Trouble};

/// How long a repeat is looked for in the store before the message goes on as a new one.
const LOOK_UP_WITHIN: Duration = Duration::from_secs(2);
/// After a store that did not answer, nothing is looked up for so long: the next ones would wait one
/// behind the other.
const SILENCE: Duration = Duration::from_secs(10);
/// Proposals of one sender that may wait; past it they are refused as unavailable.
const WAITING: usize = 1_000;

#[derive(Default)]
pub struct HeldUp {
    /// By sender: the first is being looked up.
    queues: HashMap<UserId, VecDeque<Propose>>,
    /// When the store last did not say.
    silent_at: Option<Instant>,
}

impl HeldUp {
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }
}

/// What was found out for the first proposal of this sender that waits.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Found {
    by: UserId,
    what: What,
}

enum What {
    /// The message with this `client_id`, if the store has one.
    First(Option<Box<ChatMessage>>),
    /// The store does not say.
    Silence,
    /// This instance has read the log to its end, or cannot.
    Current(Result<(), Trouble>),
}

impl RoomActor {
    /// Admits a proposal and publishes it, or answers; what cannot be decided yet waits.
    pub(super) fn propose(&mut self, propose: Propose, ctx: &mut Context<Self>) {
        if let Some(queue) = self.held_up.queues.get_mut(&propose.by.user) {
            if queue.len() < WAITING {
                queue.push_back(propose);
            }
            return;
        }
        match self.room.admit(propose.by, &propose.action, now()) {
            // One who is muted since may still ask what became of an earlier message.
            Ok(_) | Err(Refusal::Muted(_)) if self.may_be_repeated(&propose.action) => {
                self.look_up(propose, ctx)
            }
            Ok(by) => self.publish(Propose { by, ..propose }, ctx),
            // Read back from the log.
            Err(refusal @ Refusal::Repeat(_)) => self.refuse(refusal, propose.reply),
            Err(_) => self.read_on(propose, ctx),
        }
    }

    /// Whether the message may repeat one that is older than the window that the fold knows.
    fn may_be_repeated(&self, action: &Action) -> bool {
        let marked = matches!(action, Action::Message(post) if post.client_id.is_some());
        let is_silent = self.held_up.silent_at.is_some_and(|at| at.elapsed() < SILENCE);
        marked && !self.room.recent.is_complete() && !is_silent
    }

    fn look_up(&mut self, propose: Propose, ctx: &mut Context<Self>) {
        let Action::Message(post) = &propose.action else { return };
        let (store, room, by) = (self.hub.store.clone(), self.id, propose.by.user);
        let client_id = post.client_id.clone().unwrap_or_default();
        self.hold_up(propose, ctx, async move {
            let found = store.message_by_client_id(room, by, &client_id);
            match tokio::time::timeout(LOOK_UP_WITHIN, found).await {
                Ok(Ok(found)) => What::First(found.map(Box::new)),
                Ok(Err(_)) => What::First(None),
                Err(_) => What::Silence,
            }
        });
    }

    /// What another instance has answered already may not have been read here yet: somebody was
    /// let in there, or the room made.
    fn read_on(&mut self, propose: Propose, ctx: &mut Context<Self>) {
        let (hub, partition) = (self.hub.clone(), self.partition);
        self.hold_up(
            propose,
            ctx,
            async move { What::Current(hub.rooms_up_to_date(partition).await) },
        );
    }

    fn hold_up(
        &mut self,
        propose: Propose,
        ctx: &mut Context<Self>,
        find: impl Future<Output = What> + 'static,
    ) {
        let by = propose.by.user;
        self.held_up.queues.insert(by, VecDeque::from([propose]));
        let me = ctx.address();
        actix_rt::spawn(async move {
            let what = find.await;
            me.do_send(Found { by, what });
        });
    }

    /// Decides at last, by what the room is now.
    fn decide(&mut self, propose: Propose, what: What, ctx: &mut Context<Self>) {
        match what {
            What::First(Some(message)) => {
                propose.reply.answer(Outcome::Repeated(message));
            }
            What::Current(Err(trouble)) => propose.reply.answer(Outcome::Failed(trouble)),
            // It may have come in from elsewhere meanwhile, or its sender gone.
            // And a live room does not depend on the store: without an answer it goes on.
            What::First(None) | What::Silence | What::Current(Ok(())) => {
                match self.room.admit(propose.by, &propose.action, now()) {
                    Ok(by) => self.publish(Propose { by, ..propose }, ctx),
                    Err(refusal) => self.refuse(refusal, propose.reply),
                }
            }
        }
    }
}

impl Handler<Found> for RoomActor {
    type Result = ();

    fn handle(&mut self, Found { by, what }: Found, ctx: &mut Self::Context) {
        let Some(mut queue) = self.held_up.queues.remove(&by) else { return };
        if matches!(what, What::Silence) {
            self.held_up.silent_at = Some(Instant::now());
        }
        if let Some(first) = queue.pop_front() {
            self.decide(first, what, ctx);
        }
        queue.into_iter().for_each(|propose| self.propose(propose, ctx));
    }
}
