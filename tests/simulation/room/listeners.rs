//! How a simulated socket comes into a room without a gap or a repeat: what
//! `hub::room::listeners` does around `core::kept` and `core::greeting`.

use std::sync::Arc;

use rookery::core::greeting::Tells;
use rookery::core::kept::Entrance;
use rookery::core::page::Events;
use rookery::core::room::Standing;
use rookery::core::types::{Position, RoomId, UserId};
use rookery::store::{Parting, Replay};

use super::{Listener, RESUME_EVENTS};
use crate::bugs::Bug;
use crate::clients::Frame;
use crate::instance::PATIENCE;
use crate::store::Rows;
use crate::world::{World, ends_at};

impl World {
    /// The sockets of people who came in by the record at a position, but for those that know of it;
    /// and what each is told.
    pub(super) fn newcomers_here(
        &mut self,
        instance: usize,
        users: &[UserId],
        room: RoomId,
        position: Position,
    ) -> Vec<(usize, Tells)> {
        let theirs = self.conns.iter_mut().filter(|conn| {
            conn.instance == instance && conn.is_open_here && users.contains(&conn.user)
        });
        let told = theirs.map(|conn| (conn.number, conn.greeted.tells(room, position)));
        told.filter(|(_, tells)| *tells != Tells::Nothing).collect()
    }

    /// How a listener comes in: what it missed, and a place, in one turn.
    pub(super) fn join(&mut self, instance: usize, room: RoomId, conn: usize, since: Position) {
        let (user, forgets) = (self.conns[conn].user, self.has(Bug::ResumeWithoutTail));
        self.trace(|| format!("{conn} joins {room} from {since}"));
        let Some(shell) = self.shell(instance, room) else { return };
        if !matches!(shell.room.standing(user), Standing::Member(_)) {
            return self.tell_of_parting(instance, room, conn, since);
        }
        if let Some(from) = shell.listens_from(conn) {
            return self.come_in_again(instance, room, conn, since, from);
        }
        match shell.kept.entrance(user, since, shell.room.position, 0) {
            Entrance::AtOnce => self.listen(instance, room, conn, since),
            Entrance::Kept => {
                let events = shell.kept.after(since);
                let events = events.map(|kept| (kept.position, kept.event.clone()));
                let is_told = |position: Position| !forgets || position.offset() < shell.woke_at;
                let events = events.filter(|(position, _)| is_told(*position)).collect();
                self.hand_over(instance, room, conn, since, events);
            }
            Entrance::Stored if shell.kept.has_dropped() => self.reset(instance, room, conn),
            Entrance::Stored => {
                shell.refill.push((conn, since));
                if !std::mem::replace(&mut shell.is_refilling, true) {
                    self.refill(instance, room);
                }
            }
            Entrance::Anew => self.reset(instance, room, conn),
        }
    }

    fn come_in_again(
        &mut self,
        instance: usize,
        room: RoomId,
        conn: usize,
        since: Position,
        from: Position,
    ) {
        if since < from {
            self.reset(instance, room, conn);
        }
    }

    /// The store is asked once for all who need more of the past than is kept.
    fn refill(&mut self, instance: usize, room: RoomId) {
        let Some(shell) = self.shell(instance, room) else { return };
        let since = shell.refill.iter().map(|(_, since)| *since).min();
        shell.is_refilling = since.is_some();
        let (Some(since), life) = (since, shell.life) else { return };
        let replay = move |rows: &mut Rows| rows.replay(room, since, RESUME_EVENTS);
        self.ask_store(instance, replay, move |world, replay| {
            if world.is_life(instance, room, life) {
                world.refilled(instance, room, since, replay);
                world.refill(instance, room);
            }
        });
    }

    fn refilled(&mut self, instance: usize, room: RoomId, since: Position, replay: Option<Replay>) {
        let Some(shell) = self.shell(instance, room) else { return };
        let reloading: Vec<(usize, Position)> = match replay {
            Some(Replay { events, too_much, next }) => {
                if !too_much && shell.kept.remember(since, events, (0, next)) {
                    let waiting = std::mem::take(&mut shell.refill);
                    let again = waiting.into_iter();
                    return again.for_each(|(conn, since)| self.join(instance, room, conn, since));
                }
                shell.refill.extract_if(.., |(_, other)| *other <= since).collect()
            }
            None => std::mem::take(&mut shell.refill),
        };
        for (conn, since) in reloading {
            let user = self.conns[conn].user;
            let Some(shell) = self.shell(instance, room) else { return };
            match shell.room.standing(user) {
                Standing::Member(_) => self.reset(instance, room, conn),
                _ => self.tell_of_parting(instance, room, conn, since),
            }
        }
    }

    fn hand_over(
        &mut self,
        instance: usize,
        room: RoomId,
        conn: usize,
        since: Position,
        events: Events,
    ) {
        if events.len() > RESUME_EVENTS {
            return self.reset(instance, room, conn);
        }
        for (position, event) in events {
            self.push(conn, Frame::Event(room, position, event));
        }
        if self.has(Bug::LateListener) {
            let late = move |world: &mut World| world.listen(instance, room, conn, since);
            return self.on(instance, 20, late);
        }
        self.listen(instance, room, conn, since);
    }

    pub(super) fn reset(&mut self, instance: usize, room: RoomId, conn: usize) {
        let Some(shell) = self.shell(instance, room) else { return };
        let position = shell.room.position;
        shell.listeners.retain(|listener| listener.conn != conn);
        self.push(conn, Frame::Reset(room, position));
        self.listen(instance, room, conn, Position(0));
    }

    pub(super) fn listen(&mut self, instance: usize, room: RoomId, conn: usize, from: Position) {
        let (user, is_open) = (self.conns[conn].user, self.conns[conn].is_open_here);
        let Some(shell) = self.shell(instance, room) else { return };
        let is_here = shell.listeners.iter().any(|listener| listener.conn == conn);
        let is_member = matches!(shell.room.standing(user), Standing::Member(_));
        if is_open && !is_here && is_member {
            shell.listeners.push(Listener { conn, user, from });
        }
    }

    /// One who is no member now gets what happened up to the end of their stay.
    fn tell_of_parting(&mut self, instance: usize, room: RoomId, conn: usize, since: Position) {
        let user = self.conns[conn].user;
        let Some(shell) = self.shell(instance, room) else { return };
        let end = shell.room.position.offset() + 1;
        let ends = ends_at(room, end);
        self.until_stored(instance, ends, self.now + PATIENCE, move |world, is_stored| {
            let told = move |rows: &mut Rows| {
                let Parting { after, until } = rows.parting(room, user, since)?;
                // However much it is: who is out cannot be told to reload, and the checker could
                // not tell what was too much from what was lost.
                let mut events = rows.replay(room, after, usize::MAX - 1).events;
                events.retain(|(position, _)| *position <= until);
                Some(events)
            };
            world.ask_store(instance, told, move |world, events| {
                let Some(events) = events.filter(|_| is_stored) else {
                    return world.join_later(instance, room, conn, since);
                };
                for (position, event) in events.into_iter().flatten() {
                    world.push(conn, Frame::Event(room, position, Arc::new(event)));
                }
            });
        });
    }
}
