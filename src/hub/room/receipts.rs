//! Read receipts: who has read how far, told live to the others of a small room.
//!
//! Reading comes in bursts, so each person is told of at most every quarter of a second: at once,
//! and then the furthest of what came meanwhile.

use std::collections::HashMap;
use std::time::Duration;

use actix::prelude::*;

use super::RoomActor;
use crate::core::types::{Position, UserId};
use crate::core::wire;
use crate::hub::outbound::text_frame;
use crate::hub::registry::Dialect;

/// Between two receipts of one person.
const EVERY: Duration = Duration::from_millis(250);

/// A member who lets others know has read up to here, on some instance.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ReceiptHeard {
    pub user: UserId,
    pub position: Position,
}

/// Those who were told of just now, and how far they have come since.
pub type Told = HashMap<UserId, Option<Position>>;

impl RoomActor {
    /// Nobody is told in a room with many members, nor of who is none, nor who does not let others
    /// know in turn.
    fn tell_receipt(&mut self, user: UserId, position: Position, ctx: &mut Context<Self>) {
        let is_small = self.room.members.len() <= self.hub.config.limits.receipt_members;
        if !is_small || self.person(user).is_none() {
            return;
        }
        let frame = text_frame(&wire::receipt(self.id, user, position));
        let others = self.listeners.iter().filter(|listener| {
            listener.user != user
                && listener.dialect == Dialect::Rookery
                && self.hub.sessions.hears_receipts(listener.user)
        });
        for other in others {
            other.outbound.push(frame.clone());
        }
        self.told.insert(user, None);
        ctx.run_later(EVERY, move |room, ctx| {
            if let Some(Some(position)) = room.told.remove(&user) {
                room.tell_receipt(user, position, ctx);
            }
        });
    }
}

impl Handler<ReceiptHeard> for RoomActor {
    type Result = ();

    fn handle(&mut self, heard: ReceiptHeard, ctx: &mut Self::Context) {
        match self.told.get_mut(&heard.user) {
            Some(since) => *since = (*since).max(Some(heard.position)),
            None => self.tell_receipt(heard.user, heard.position, ctx),
        }
    }
}
