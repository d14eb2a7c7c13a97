//! The commands `read` and `unread` of a socket.

use actix::prelude::*;
use serde_json::json;

use super::Session;
use crate::core::types::{Position, RoomId};
use crate::core::wire::Ref;
use crate::hub::reading::{Moved, mark_read, mark_unread};
use crate::store::ReadMark;

impl Session {
    pub(super) fn read(
        &mut self,
        reference: Ref,
        room: &str,
        (position, version): (Position, Option<i64>),
        ctx: &mut Context<Self>,
    ) {
        let Ok(room) = room.parse::<RoomId>() else { return self.no_such_room(&reference) };
        let mark = ReadMark { room, user: self.user(), position, version };
        let hub = self.hub.clone();
        self.answer_moved(reference, async move { mark_read(&hub, mark).await }, ctx);
    }

    pub(super) fn unread(
        &mut self,
        reference: Ref,
        room: &str,
        from: Position,
        ctx: &mut Context<Self>,
    ) {
        let Ok(room) = room.parse::<RoomId>() else { return self.no_such_room(&reference) };
        let (hub, user) = (self.hub.clone(), self.user());
        let moved = async move { mark_unread(&hub, room, user, from).await };
        self.answer_moved(reference, moved, ctx);
    }

    /// The next command waits for this one: a `read` behind an `unread` comes after it.
    fn answer_moved(
        &mut self,
        reference: Ref,
        moved: impl Future<Output = Moved> + 'static,
        ctx: &mut Context<Self>,
    ) {
        self.work(ctx, moved, move |moved, session, _| match moved {
            Ok(Ok(marker)) => {
                let fields =
                    json!({"read_position": marker.position, "read_version": marker.version});
                session.ok(&reference, fields);
            }
            Ok(Err(refusal)) => session.refuse(&reference, refusal),
            Err(trouble) => session.trouble(&reference, trouble),
        });
    }
}
