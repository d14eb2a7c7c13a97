//! The actor of one live socket: reads frames, limits rates, and passes commands on.
//!
//! Answers and events do not pass through here: rooms push them to the socket's outbound queue.
//! A command that has to ask the store holds back the next one, so that a client cannot pile
//! them up; sends are handed to the room at once and in order. That somebody is gone is noticed
//! all the same, however slow the store is; what they asked for before is still done.

mod follow;
mod gate;
mod hello;
mod reading;
pub mod simple;
mod turns;

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use actix_http::ws::{Frame, Item, ProtocolError};
use bytes::{Bytes, BytesMut};
use governor::clock::DefaultClock;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use serde_json::json;

use super::Hub;
use super::activity::Activity;
use super::arrivals::{Held, Later};
use super::messages::{self, NoQuote, deleted, edited, quote, reacted};
use super::outbound::{Ending, Outbound, ping_frame, text_frame};
use super::presence::{Active, Connect};
use super::registry::{Dialect, SessionHandle};
use super::reply::{Reply, Trouble, explain};
use super::room::{Propose, Typing};
use crate::config::Limits;
use crate::core;
use crate::core::greeting::Known;
use crate::core::message::Message;
use crate::core::record::{Action, Post};
use crate::core::room::{Doer, Refusal};
use crate::core::text::{self, Invalid};
use crate::core::types::{MessageId, RoomId, UserId};
use crate::core::wire::{self, Command, Ref};
use crate::store::RoomView;
pub use gate::Gate;
use hello::Greeting;
use turns::Turns;

const PING_EVERY: Duration = Duration::from_secs(25);
const PONG_WITHIN: Duration = Duration::from_secs(10);
const HELLO_WITHIN: Duration = Duration::from_secs(15);
/// How long a place in the line is kept for who has not said hello.
const PLACE_FOR: Duration = Duration::from_secs(3);
/// So many refusals for sending too fast within this time end the socket.
const REFUSALS: usize = 100;
const REFUSALS_WITHIN: Duration = Duration::from_secs(10);
/// Between two signs of typing in a room, from one socket; and in how many rooms meanwhile.
const TYPING_EVERY: Duration = Duration::from_millis(500);
const TYPING_ROOMS: usize = 4;

/// How many messages each user may send, or change, over all sockets and requests to this instance.
pub type MessageLimiter = RateLimiter<UserId, DashMapStateStore<UserId>, DefaultClock>;

pub fn message_limiter(limits: &Limits) -> MessageLimiter {
    let least = |count: u32| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::per_second(least(limits.messages_per_second));
    RateLimiter::dashmap(quota.allow_burst(least(limits.messages_burst)))
}

pub struct Session {
    hub: Arc<Hub>,
    handle: SessionHandle,
    said_hello: bool,
    /// Its place in the line, until it is greeted, or has not said hello for a while.
    place: Option<Held>,
    heard_at: Instant,
    activity: Arc<Activity>,
    refusals: VecDeque<Instant>,
    /// The rooms that were told lately of typing, and when.
    typed: Vec<(RoomId, Instant)>,
    /// A message that comes in several frames.
    fragments: Option<BytesMut>,
    turns: Turns,
    /// The other side is gone.
    has_left: bool,
}

impl Session {
    /// A session whose handle is already among the hub's sessions, and whose frames come through
    /// this gate.
    pub fn new(hub: Arc<Hub>, handle: SessionHandle, place: Held, gate: Rc<Gate>) -> Session {
        // The simple API has no hello: what it listens to stands in its address.
        let said_hello = handle.dialect != Dialect::Rookery;
        Session {
            hub,
            handle,
            said_hello,
            place: (!said_hello).then_some(place),
            heard_at: Instant::now(),
            activity: Arc::new(Activity::begin()),
            refusals: VecDeque::new(),
            typed: Vec::new(),
            fragments: None,
            turns: Turns::new(gate),
            has_left: false,
        }
    }

    fn user(&self) -> UserId {
        self.handle.user
    }

    fn outbound(&self) -> &Arc<Outbound> {
        &self.handle.outbound
    }

    fn ok(&self, reference: &Ref, fields: serde_json::Value) {
        self.outbound().push(text_frame(&wire::ok(reference, fields)));
    }

    fn error(&self, reference: &Ref, code: &str, detail: &str, temporary: bool) {
        let frame = text_frame(&match self.handle.dialect {
            Dialect::Rookery => wire::error(reference, code, detail, temporary),
            Dialect::Simple(_) => core::simple::error(code, detail, temporary),
        });
        match self.said_hello {
            true => {
                self.outbound().push(frame);
            }
            // Events wait for the answer to `hello`; this does not.
            false => self.outbound().push_early(frame),
        }
    }

    fn refuse(&self, reference: &Ref, refusal: Refusal) {
        self.error(reference, refusal.code(), &explain(refusal), false);
    }

    fn no_such_room(&self, reference: &Ref) {
        self.refuse(reference, Refusal::NotFound);
    }

    fn hear(&mut self, text: &str, ctx: &mut Context<Self>) {
        let (reference, command) = match wire::decode(text) {
            Ok(decoded) => decoded,
            Err(wrong) => return self.error(&wrong.reference, wrong.code, &wrong.detail, false),
        };
        if command.is_input() {
            self.note_input();
        }
        match command {
            // Nobody is there to be told of anything.
            Command::Hello { .. } | Command::Presence { .. } if self.has_left => {}
            Command::Hello { .. } if self.said_hello => {
                self.error(&reference, "hello_twice", "hello was said already", false);
            }
            Command::Hello { rooms, away } => {
                if away {
                    self.activity.rest();
                }
                self.hello(reference, hello::known(rooms.unwrap_or_default()), ctx);
            }
            _ if !self.said_hello => {
                self.error(&reference, "hello_first", "the first command is hello", false);
            }
            Command::Send { room, body, client_id, reply_to } => {
                self.send(reference, &room, (body, client_id, reply_to), ctx);
            }
            Command::Edit { message, body } => self.edit(reference, message, &body, ctx),
            Command::Delete { message } => {
                self.change(reference, message, deleted, ctx);
            }
            Command::React { message, emoji, on } => {
                self.react(reference, message, &emoji, on, ctx);
            }
            Command::Read { room, position, read_version } => {
                self.read(reference, &room, (position, read_version), ctx);
            }
            Command::Unread { room, position } => self.unread(reference, &room, position, ctx),
            Command::Typing { room } => self.typing(reference, &room),
            Command::Presence { users, room, all } => {
                self.presence(reference, (users, room, all), ctx);
            }
            Command::Active | Command::Ping => self.ok(&reference, json!({})),
        }
    }

    fn send(
        &mut self,
        reference: Ref,
        room: &str,
        (body, client_id, reply_to): (String, Option<String>, Option<String>),
        ctx: &mut Context<Self>,
    ) {
        if self.is_too_fast(&reference, |hub| &hub.messages_limiter) {
            return;
        }
        let checked = text::message_body(&body, &self.hub.config.limits.text())
            .and_then(|body| client_id.as_deref().map_or(Ok(()), text::client_id).map(|()| body));
        let body = match checked {
            Ok(body) => body,
            Err(invalid) => return self.invalid(&reference, invalid),
        };
        let Ok(room) = room.parse::<RoomId>() else { return self.no_such_room(&reference) };
        let post = Post { sender: self.handle.person(), body, client_id, reply_to: None };
        let Some(reply_to) = reply_to else {
            return self.propose(reference, room, Action::Message(post));
        };
        let (hub, by) = (self.hub.clone(), self.handle.user);
        let quoted = async move { quote(&hub, room, &reply_to, by).await };
        self.work(ctx, quoted, move |quoted, session, _| match quoted {
            Ok(quote) => {
                let post = Post { reply_to: Some(quote), ..post };
                session.propose(reference, room, Action::Message(post));
            }
            Err(NoQuote::Refused(refusal)) => session.refuse(&reference, refusal),
            Err(NoQuote::Invalid(invalid)) => session.invalid(&reference, invalid),
            Err(NoQuote::Trouble(trouble)) => session.trouble(&reference, trouble),
        });
    }

    fn propose(&self, reference: Ref, room: RoomId, action: Action) {
        self.propose_as(self.user().into(), reference, room, action);
    }

    fn propose_as(&self, by: Doer, reference: Ref, room: RoomId, action: Action) {
        let outbound = self.handle.outbound.clone();
        let reply = match self.handle.dialect {
            Dialect::Rookery => Reply::to_socket(outbound, reference),
            Dialect::Simple(_) => Reply::to_simple_socket(outbound),
        };
        let propose = Propose { by, action, reply };
        // A full mailbox drops the proposal, and the dropped reply says that it is unavailable.
        let _ = self.hub.rooms.wake(&self.hub, room).try_send(propose);
    }

    fn edit(&mut self, reference: Ref, id: MessageId, body: &str, ctx: &mut Context<Self>) {
        match text::message_body(body, &self.hub.config.limits.text()) {
            Ok(body) => self.change(reference, id, |message| edited(message, body), ctx),
            Err(invalid) => self.invalid(&reference, invalid),
        }
    }

    fn react(
        &mut self,
        reference: Ref,
        id: MessageId,
        emoji: &str,
        on: bool,
        ctx: &mut Context<Self>,
    ) {
        match text::emoji(emoji) {
            Ok(emoji) => {
                let emoji = emoji.to_owned();
                self.change(reference, id, move |message| reacted(message, emoji, on), ctx);
            }
            Err(invalid) => self.invalid(&reference, invalid),
        }
    }

    /// Finds a message and proposes to its room what is to become of it.
    fn change(
        &mut self,
        reference: Ref,
        id: MessageId,
        action: impl FnOnce(Message) -> Action + 'static,
        ctx: &mut Context<Self>,
    ) {
        if self.is_too_fast(&reference, |hub| &hub.changes_limiter) {
            return;
        }
        let hub = self.hub.clone();
        let user = self.user();
        let found = async move {
            let Some(message) = messages::find(&hub, id).await? else { return Ok(None) };
            let (room, action) = (message.room_id, action(message));
            let by = messages::doer(&hub, user, &action).await?;
            Ok(Some((by, room, action)))
        };
        self.work(ctx, found, move |found, session, _| match found {
            Ok(Some((by, room, action))) => session.propose_as(by, reference, room, action),
            Ok(None) => session.refuse(&reference, Refusal::NotFound),
            Err(trouble) => session.trouble(&reference, trouble),
        });
    }

    /// Whether this person has sent so much that this command is refused; then it was.
    fn is_too_fast(&mut self, reference: &Ref, by: fn(&Hub) -> &MessageLimiter) -> bool {
        let is_too_fast = by(&self.hub).check_key(&self.user()).is_err();
        if is_too_fast {
            self.refuse_too_many(reference);
        }
        is_too_fast
    }

    fn invalid(&self, reference: &Ref, invalid: Invalid) {
        let invalid = match self.handle.dialect {
            Dialect::Rookery => invalid,
            Dialect::Simple(_) => core::simple::in_our_words(invalid),
        };
        let code = format!("invalid_{}", invalid.field);
        self.error(reference, &code, &invalid.detail, false);
    }

    fn trouble(&self, reference: &Ref, trouble: Trouble) {
        self.error(reference, trouble.code(), trouble.detail(), true);
    }

    fn refuse_too_many(&mut self, reference: &Ref) {
        metrics::counter!("rookery_messages_too_many_total").increment(1);
        let now = Instant::now();
        self.refusals.push_back(now);
        while self.refusals.front().is_some_and(|at| now.duration_since(*at) > REFUSALS_WITHIN) {
            self.refusals.pop_front();
        }
        match self.refusals.len() > REFUSALS {
            true => self.outbound().end(Ending::TooManyMessages),
            false => {
                self.error(reference, "too_many_messages", "slow down, and send it again", true)
            }
        }
    }

    fn typing(&mut self, reference: Ref, room: &str) {
        let Ok(room) = room.parse::<RoomId>() else { return self.no_such_room(&reference) };
        self.typed.retain(|(_, at)| at.elapsed() < TYPING_EVERY);
        if self.typed.len() >= TYPING_ROOMS || self.typed.iter().any(|(told, _)| *told == room) {
            return self.ok(&reference, json!({}));
        }
        self.typed.push((room, Instant::now()));
        let reply = Reply::to_socket(self.handle.outbound.clone(), reference);
        let typing = Typing { by: self.user(), reply };
        // A full mailbox drops it, and the dropped reply says so.
        let _ = self.hub.rooms.wake(&self.hub, room).try_send(typing);
    }

    /// Answers with everything that the client needs to begin, then lets the events through.
    fn hello(&mut self, reference: Ref, known: Known, ctx: &mut Context<Self>) {
        let place = self.place.take().map_or_else(|| self.hub.arrivals.place(), Ok);
        let place = match place {
            Ok(place) => place,
            Err(later) => return self.send_away(&reference, later),
        };
        self.handle.greeted().hear(known.clone());
        let (hub, user) = (self.hub.clone(), self.user());
        let list = async move { hello::list(&hub, user).await };
        self.work(ctx, list, move |list, session, ctx| match list {
            _ if session.has_left => {}
            Ok((list, turn)) => session.begin(reference, list, known, (place, turn), ctx),
            Err(trouble) => session.trouble(&reference, trouble),
        });
    }

    fn send_away(&self, reference: &Ref, Later { seconds }: Later) {
        let detail = "too many are coming at once; come back later";
        let later = wire::later(reference, "unavailable", detail, seconds);
        self.outbound().push_early(text_frame(&later));
        self.outbound().end(Ending::Later);
    }

    fn begin(
        &mut self,
        reference: Ref,
        list: (Vec<RoomView>, bool),
        known: Known,
        (place, turn): (Held, Held),
        ctx: &mut Context<Self>,
    ) {
        let mut person = json!(self.handle.person());
        if self.handle.was_hub_admin {
            person["hub_admin"] = json!(true);
        }
        let ok = wire::ok(
            &reference,
            json!({
                "user": person,
                "rooms": list.0,
                "session": self.handle.id.to_string(),
                "away_seconds": self.hub.config.presence.away_seconds,
            }),
        );
        let (hub, handle) = (self.hub.clone(), self.handle.clone());
        let greeting = Greeting::new(hub, handle, list, known);
        self.outbound().uncork(text_frame(&ok));
        self.said_hello = true;
        self.come_online();
        let greeted = async move {
            greeting.begin(turn).await;
            drop(place);
        };
        self.work(ctx, greeted, |(), _, _| {});
    }

    fn come_online(&self) {
        if let Some(presence) = self.hub.presence() {
            let (outbound, activity) = (self.handle.outbound.clone(), self.activity.clone());
            let (session, user) = (self.handle.id, self.user());
            presence.do_send(Connect { session, user, outbound, activity });
        }
    }

    /// Somebody is there. Only the first sign of it after a while has to be told.
    fn note_input(&self) {
        if self.activity.note()
            && let Some(presence) = self.hub.presence()
        {
            presence.do_send(Active(self.handle.id));
        }
    }

    fn frame(&mut self, frame: Frame, ctx: &mut Context<Self>) {
        match frame {
            Frame::Text(bytes) => self.text(bytes, ctx),
            Frame::Binary(_) => self.outbound().end(Ending::Unsupported),
            Frame::Continuation(item) => self.fragment(item, ctx),
            Frame::Ping(payload) => {
                self.outbound().pong(&payload);
            }
            Frame::Pong(_) => {}
            Frame::Close(_) => self.leave(ctx),
        }
    }

    fn text(&mut self, bytes: Bytes, ctx: &mut Context<Self>) {
        match std::str::from_utf8(&bytes) {
            Ok(text) => match self.handle.dialect {
                Dialect::Rookery => self.hear(text, ctx),
                Dialect::Simple(room) => {
                    self.note_input();
                    self.hear_line(room, text, ctx);
                }
            },
            Err(_) => self.outbound().end(Ending::InvalidUtf8),
        }
    }

    fn fragment(&mut self, item: Item, ctx: &mut Context<Self>) {
        let most = self.hub.config.limits.body_bytes;
        match (item, &mut self.fragments) {
            (Item::FirstText(bytes), None) => self.fragments = Some(BytesMut::from(&bytes[..])),
            (Item::FirstBinary(_), None) => self.outbound().end(Ending::Unsupported),
            (Item::Continue(bytes), Some(whole)) => {
                whole.extend_from_slice(&bytes);
                if whole.len() > most {
                    self.outbound().end(Ending::TooBig);
                }
            }
            (Item::Last(bytes), Some(whole)) => {
                whole.extend_from_slice(&bytes);
                let whole = self.fragments.take().unwrap_or_default().freeze();
                match whole.len() > most {
                    true => self.outbound().end(Ending::TooBig),
                    false => self.text(whole, ctx),
                }
            }
            _ => self.outbound().end(Ending::ProtocolError),
        }
    }
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        match self.handle.dialect {
            Dialect::Rookery => {
                ctx.run_later(PLACE_FOR, |session, _| session.place = None);
                ctx.run_later(HELLO_WITHIN, |session, _| {
                    if !session.said_hello {
                        session.outbound().end(Ending::Policy);
                    }
                });
            }
            Dialect::Simple(_) => self.begin_to_subscribe(),
        }
        ctx.run_interval(PING_EVERY, |session, ctx| {
            session.outbound().push(ping_frame());
            let pinged_at = Instant::now();
            ctx.run_later(PONG_WITHIN, move |session, ctx| {
                if session.heard_at < pinged_at && session.turns.is_listening() {
                    session.leave(ctx);
                }
            });
        });
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.go_offline();
    }
}

impl StreamHandler<Result<Frame, ProtocolError>> for Session {
    fn handle(&mut self, frame: Result<Frame, ProtocolError>, ctx: &mut Self::Context) {
        self.heard_at = Instant::now();
        if !self.outbound().is_open() {
            // We have said goodbye; all that matters now is theirs.
            if matches!(frame, Ok(Frame::Close(_))) {
                self.leave(ctx);
            }
            return;
        }
        match frame {
            Ok(frame) if self.turns.holds_back(&frame) => self.turns.hold(frame),
            Ok(frame) => self.frame(frame, ctx),
            Err(ProtocolError::Overflow) => self.outbound().end(Ending::TooBig),
            Err(ProtocolError::Io(error)) if error.kind() != io::ErrorKind::InvalidData => {
                self.leave(ctx);
            }
            Err(_) => self.outbound().end(Ending::ProtocolError),
        }
    }

    /// The connection ended, with or without a close frame.
    fn finished(&mut self, ctx: &mut Self::Context) {
        self.leave(ctx);
    }
}
