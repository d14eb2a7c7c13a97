//! The dialect of the simple API: one room, no hello, and text frames that are posted.
//!
//! Frames, pings, rates and endings are those of every session; only what a text frame means and
//! how one comes to listen differ.

use std::sync::Arc;

use actix::prelude::*;

use super::super::Hub;
use super::super::registry::SessionHandle;
use super::super::reply::Trouble;
use super::super::room::Subscribe;
use super::Session;
use crate::core::room::Refusal;
use crate::core::simple::Posted;
use crate::core::types::RoomId;

/// An actor that is about to sleep sends us to the next one; once is enough but for a miracle.
const TRIES: usize = 3;

/// Lets a socket listen to a room from now on, before it is even open: what is said meanwhile
/// waits in its queue. Who was let in by any instance before this call is a member here.
pub async fn subscribe(
    hub: &Arc<Hub>,
    session: &SessionHandle,
    room: RoomId,
) -> Result<Result<(), Refusal>, Trouble> {
    hub.rooms_up_to_date(hub.partition_of(room)).await?;
    for _ in 0..TRIES {
        match hub.rooms.wake(hub, room).send(Subscribe(session.clone())).await {
            Ok(Some(subscribed)) => return Ok(subscribed),
            Ok(None) => {}
            Err(_) => break,
        }
    }
    Err(Trouble::Unavailable("the room is too busy, or cannot be woken"))
}

impl Session {
    pub(super) fn begin_to_subscribe(&self) {
        self.outbound().let_out();
        self.come_online();
    }

    /// Posts what a text frame says; the message comes back as everyone gets it.
    pub(super) fn hear_line(&mut self, room: RoomId, text: &str, ctx: &mut Context<Session>) {
        let posted = match Posted::from_frame(text) {
            Ok(posted) => posted,
            Err(wrong) => return self.error(&None, "bad_request", &wrong.to_string(), false),
        };
        if posted.user_id.is_some_and(|user| user != self.user()) {
            let detail = "user_id is not yours; leave it out";
            return self.error(&None, "forbidden", detail, false);
        }
        if posted.group_id.is_some_and(|group| group != room) {
            let detail = "group_id is not the group of this socket; leave it out";
            return self.error(&None, "invalid_group_id", detail, false);
        }
        self.send(None, &room.to_string(), (posted.message, posted.client_id, None), ctx);
    }
}
