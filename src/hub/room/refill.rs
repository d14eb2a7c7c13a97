//! What was missed from before this actor woke. The store is asked once for all who come back at
//! the same time, and what it has is kept for those who follow: after a restart, thousands resume.

use actix::prelude::*;

use super::RoomActor;
use super::listeners::Join;
use crate::core::follow::SessionId;
use crate::core::types::Position;
use crate::store::{Replay, StoreError};

/// Those who need more of the past than this actor remembers.
#[derive(Default)]
pub struct Refill {
    waiting: Vec<Join>,
    /// Those who have yet to read what they were told before, with the bytes that they are told then.
    pub put_off: Vec<(Join, usize)>,
    /// Whether these will be looked at.
    pub looks: bool,
    under_way: bool,
    /// Somebody's names went while the store was asked, and may be in its answer.
    pub outdated: bool,
}

impl Refill {
    pub fn is_under_way(&self) -> bool {
        self.under_way || !self.put_off.is_empty()
    }

    /// Takes out those who can be told now what they were put off for. Those who are gone are dropped.
    pub fn take_what_fits(&mut self, most: usize) -> Vec<Join> {
        self.put_off.retain(|(join, _)| join.session.outbound.is_open());
        let fits = |(join, bytes): &mut (Join, usize)| {
            join.session.outbound.has_place_beside(*bytes, most)
        };
        self.put_off.extract_if(.., fits).map(|(join, _)| join).collect()
    }

    /// Whether this socket waits for it.
    pub fn is_for(&self, session: SessionId) -> bool {
        let put_off = self.put_off.iter().map(|(join, _)| join);
        self.waiting.iter().chain(put_off).any(|join| join.session.id == session)
    }

    /// This socket does not wait for it any more.
    pub fn give_up(&mut self, session: SessionId) {
        self.waiting.retain(|join| join.session.id != session);
        self.put_off.retain(|(join, _)| join.session.id != session);
    }
}

impl RoomActor {
    /// Joins once what was missed is here.
    pub(super) fn join_after_refill(&mut self, join: Join, ctx: &mut Context<Self>) {
        self.refill.waiting.push(join);
        if !self.refill.under_way {
            self.refill(ctx);
        }
    }

    /// Asks for everything that the one needs who was away longest; the others need less.
    fn refill(&mut self, ctx: &mut Context<Self>) {
        let since = self.refill.waiting.iter().map(|join| join.since).min();
        self.refill.under_way = since.is_some();
        self.refill.outdated = false;
        let Some(since) = since else { return };
        let (store, room, partition) = (self.hub.store.clone(), self.id, self.partition);
        let most = self.hub.config.limits.resume_events;
        let replay = async move { store.replay(room, partition, since, most).await };
        let replayed = replay.into_actor(self).map(move |replay, actor, ctx| {
            actor.take_in(since, replay, ctx);
            actor.refill(ctx);
        });
        ctx.spawn(replayed);
    }

    fn remember(&mut self, since: Position, replay: Replay) -> bool {
        let upto = (self.hub.epoch, replay.next);
        !replay.too_much && self.kept.remember(since, replay.events, upto)
    }

    fn take_in(
        &mut self,
        since: Position,
        replay: Result<Replay, StoreError>,
        ctx: &mut Context<Self>,
    ) {
        let reloading: Vec<Join> = match replay {
            Ok(_) if self.refill.outdated => return,
            Ok(replay) => match self.remember(since, replay) {
                true => {
                    let waiting = std::mem::take(&mut self.refill.waiting);
                    return waiting.into_iter().for_each(|join| self.join(join, ctx));
                }
                // Too much, for those who were away as long as that.
                false => self.refill.waiting.extract_if(.., |join| join.since <= since).collect(),
            },
            Err(error) => {
                tracing::warn!(room = %self.id, %error, "cannot replay what was missed");
                std::mem::take(&mut self.refill.waiting)
            }
        };
        for Join { session, since } in reloading {
            match self.is_member(session.user) {
                true => self.reset(session),
                // Removed meanwhile.
                false => self.tell_of_parting(session, since, ctx),
            }
        }
    }
}
