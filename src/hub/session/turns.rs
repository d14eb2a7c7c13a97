//! One command after the other: what comes while one is at work waits, and somebody who is gone is
//! gone.

use std::collections::VecDeque;
use std::rc::Rc;

use actix::prelude::*;
use actix_http::ws::{Frame, Item};

use super::Session;
use super::gate::Gate;
use crate::hub::presence::Disconnect;

/// Frames that wait for a command to end, in number and in bytes; past either, no more are read.
const HELD: usize = 16;
const HELD_BYTES: usize = 64 * 1024;

/// Whose turn it is.
pub struct Turns {
    /// A command is at work.
    is_busy: bool,
    held: VecDeque<Frame>,
    bytes: usize,
    gate: Rc<Gate>,
}

impl Turns {
    /// Of a session whose frames come through this gate.
    pub fn new(gate: Rc<Gate>) -> Turns {
        Turns { is_busy: false, held: VecDeque::new(), bytes: 0, gate }
    }

    /// Whether this frame has to wait. Control frames come between those of a message, and are heard
    /// at once.
    pub fn holds_back(&self, frame: &Frame) -> bool {
        let is_control = matches!(frame, Frame::Ping(_) | Frame::Pong(_) | Frame::Close(_));
        self.is_busy && !is_control
    }

    pub fn hold(&mut self, frame: Frame) {
        self.bytes += size(&frame);
        self.held.push_back(frame);
        if self.held.len() >= HELD || self.bytes >= HELD_BYTES {
            self.gate.shut();
        }
    }

    /// Whether a sign of life would be read now.
    pub fn is_listening(&self) -> bool {
        !self.gate.is_shut()
    }

    fn next(&mut self) -> Option<Frame> {
        let frame = if self.is_busy { None } else { self.held.pop_front() }?;
        self.bytes = self.bytes.saturating_sub(size(&frame));
        Some(frame)
    }

    fn forget(&mut self) {
        // An idle connection keeps no buffer.
        (self.held, self.bytes) = (VecDeque::new(), 0);
    }
}

impl Session {
    /// Works on a command, and then on those that came meanwhile.
    pub(super) fn work<T: 'static>(
        &mut self,
        ctx: &mut Context<Self>,
        work: impl Future<Output = T> + 'static,
        then: impl FnOnce(T, &mut Self, &mut Context<Self>) + 'static,
    ) {
        self.turns.is_busy = true;
        ctx.spawn(work.into_actor(self).map(|done, session, ctx| {
            session.turns.is_busy = false;
            then(done, session, ctx);
            session.go_on(ctx);
        }));
    }

    fn go_on(&mut self, ctx: &mut Context<Self>) {
        if !self.has_left && !self.outbound().is_open() {
            // We have said goodbye.
            self.turns.forget();
        }
        while let Some(frame) = self.turns.next() {
            self.frame(frame, ctx);
        }
        if self.turns.is_busy {
            return;
        }
        self.turns.forget();
        self.turns.gate.open();
        if self.has_left {
            ctx.stop();
        }
    }

    /// The other side is gone. What it asked for before is still done, unless we ended it.
    pub(super) fn leave(&mut self, ctx: &mut Context<Self>) {
        if !self.has_left && !self.outbound().is_open() {
            self.turns.forget();
        }
        self.go_offline();
        if !self.turns.is_busy {
            ctx.stop();
        }
    }

    pub(super) fn go_offline(&mut self) {
        self.outbound().peer_closed();
        if std::mem::replace(&mut self.has_left, true) {
            return;
        }
        self.hub.sessions.remove(self.user(), self.handle.id);
        if let Some(presence) = self.hub.presence() {
            presence.do_send(Disconnect(self.handle.id));
        }
    }
}

fn size(frame: &Frame) -> usize {
    match frame {
        Frame::Text(bytes) | Frame::Binary(bytes) | Frame::Ping(bytes) | Frame::Pong(bytes) => {
            bytes.len()
        }
        Frame::Continuation(
            Item::FirstText(bytes)
            | Item::FirstBinary(bytes)
            | Item::Continue(bytes)
            | Item::Last(bytes),
        ) => bytes.len(),
        Frame::Close(_) => 0,
    }
}
