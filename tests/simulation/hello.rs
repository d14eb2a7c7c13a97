//! What a hello leads to, as `hub::session::hello` does it; and a page of history, as
//! `hub::history` does.

use std::collections::{BTreeMap, BTreeSet};

use rookery::core::page::complete;
use rookery::core::types::{Position, RoomId, UserId};
use rookery::guarantees::history::{Line, Millis, Page, Source, Turned};
use rookery::store::PageOf;

use crate::bugs::Bug;
use crate::clients::{Frame, line};
use crate::instance::{NAMES, PATIENCE};
use crate::room::Turn;
use crate::store::Rows;
use crate::world::{World, ends_at, partition_of};

const LIST_WITHIN: Millis = 1_000;
const AGAIN: Millis = 1_000;
/// More than there is in any room.
const LIMIT: usize = 10_000;

type Known = BTreeMap<RoomId, Position>;

impl World {
    pub fn hello(&mut self, conn: usize, known: Known) {
        self.conns[conn].greeted.hear(known.clone().into_iter().collect());
        let instance = self.conns[conn].instance;
        let give_up = self.now + LIST_WITHIN;
        self.ends(instance, move |world, ends| match ends {
            Some(ends) => world.until_stored(instance, ends, give_up, move |world, is_current| {
                world.list(conn, known, is_current);
            }),
            None => world.list(conn, known, false),
        });
    }

    /// Where the log ends, if it can be asked.
    fn ends(&mut self, instance: usize, then: impl FnOnce(&mut World, Option<Vec<i64>>) + 'static) {
        let there = self.lag();
        self.on(instance, there, move |world| {
            let ends = world.log_is_up().then(|| world.log.ends());
            let back = world.lag();
            world.on(instance, back, move |world| then(world, ends));
        });
    }

    fn list(&mut self, conn: usize, mut known: Known, is_current: bool) {
        let (instance, user) = (self.conns[conn].instance, self.conns[conn].user);
        let rooms_of = move |rows: &mut Rows| rows.rooms_of(user);
        self.ask_store(instance, rooms_of, move |world, rooms| {
            let Some(rooms) = rooms.filter(|_| world.conns[conn].is_open_here) else {
                return world.end_here(conn);
            };
            world.uncork(conn, Frame::Hello(rooms.clone()));
            world.come_online(conn);
            let to_join = world.conns[conn].greeted.list(&rooms);
            let listed: BTreeSet<RoomId> = to_join.iter().map(|(room, _)| *room).collect();
            known.retain(|room, _| !listed.contains(room));
            for (room, since) in to_join {
                world.join_when_read(instance, room, conn, since);
            }
            match is_current {
                true => world.tell_of_former_rooms(conn, known),
                false => world.make_up(conn, listed, known),
            }
        });
    }

    /// Joins once this instance has read as far as the client knows: the list may be ahead of it.
    pub fn join_when_read(&mut self, instance: usize, room: RoomId, conn: usize, since: Position) {
        let has_read = move |world: &World| {
            let followed = &world.instances[instance].followed;
            followed[usize::from(partition_of(room))] > since.offset()
        };
        if !self.conns[conn].is_open_here {
            return;
        }
        if has_read(self) {
            return self.wake_and_turn(instance, room, Turn::Join { conn, since });
        }
        self.ends(instance, move |world, ends| {
            let Some(ends) = ends else { return world.join_later(instance, room, conn, since) };
            let ends = ends_at(room, ends[usize::from(partition_of(room))]);
            let give_up = world.now + PATIENCE;
            world.until_followed(instance, ends, give_up, move |world, reached| match reached {
                true => world.wake_and_turn(instance, room, Turn::Join { conn, since }),
                false => world.join_later(instance, room, conn, since),
            });
        });
    }

    /// Looks again once the store has caught up with the log.
    fn make_up(&mut self, conn: usize, listed: BTreeSet<RoomId>, known: Known) {
        if !self.conns[conn].is_open_here {
            return;
        }
        let (instance, user) = (self.conns[conn].instance, self.conns[conn].user);
        self.ends(instance, move |world, ends| {
            let (ends, give_up) = match ends {
                Some(ends) => (ends, world.now + PATIENCE),
                None => (vec![i64::MAX], world.now),
            };
            world.until_stored(instance, ends, give_up, move |world, reached| {
                let lacking = move |rows: &mut Rows| {
                    let mine = rows.rooms_of(user).into_iter();
                    let came = mine.map(|(room, _)| (room, rows.arrival(room, user)));
                    came.collect::<Vec<_>>()
                };
                world.ask_store(instance, lacking, move |world, rooms| match rooms {
                    Some(rooms) if reached => world.join_lacking(conn, rooms, listed, known),
                    _ => world.on(instance, AGAIN, move |world| world.make_up(conn, listed, known)),
                });
            });
        });
    }

    fn join_lacking(
        &mut self,
        conn: usize,
        rooms: Vec<(RoomId, Position)>,
        listed: BTreeSet<RoomId>,
        mut known: Known,
    ) {
        let instance = self.conns[conn].instance;
        for (room, came) in rooms {
            if !listed.contains(&room) {
                let since = known.remove(&room).unwrap_or(Position(came.0 - 1));
                self.join_when_read(instance, room, conn, since);
            }
        }
        self.tell_of_former_rooms(conn, known);
    }

    fn tell_of_former_rooms(&mut self, conn: usize, known: Known) {
        let (instance, user) = (self.conns[conn].instance, self.conns[conn].user);
        for (room, since) in known {
            let parting = move |rows: &mut Rows| rows.parting(room, user, since);
            self.ask_store(instance, parting, move |world, parting| match parting {
                Some(Some(_)) => world.join_when_read(instance, room, conn, since),
                Some(None) => {}
                None => world.on(instance, AGAIN, move |world| {
                    world.tell_of_former_rooms(conn, Known::from([(room, since)]));
                }),
            });
        }
    }

    /// Asks for all of a room's history, and notes what was answered. Where there is trouble,
    /// nothing is.
    pub fn page(
        &mut self,
        instance: usize,
        room: RoomId,
        viewer: UserId,
        is_final: bool,
        then: impl FnOnce(&mut World, Vec<Line>) + 'static,
    ) {
        let asked_at = self.now;
        self.request(instance, move |world| {
            world.ends(instance, move |world, ends| {
                let Some(mut ends) = ends else { return };
                let partition = usize::from(partition_of(room));
                (0..ends.len()).filter(|other| *other != partition).for_each(|other| {
                    ends[other] = 0;
                });
                if world.has(Bug::PageOfThePast) {
                    ends.fill(0);
                }
                let give_up = world.now + PATIENCE;
                world.until_followed(instance, ends, give_up, move |world, reached| {
                    let asked = Asked { instance, room, viewer, asked_at, is_final };
                    if reached {
                        world.look(asked, 3, then);
                    }
                });
            });
        });
    }

    fn look(
        &mut self,
        asked: Asked,
        looks: usize,
        then: impl FnOnce(&mut World, Vec<Line>) + 'static,
    ) {
        let Asked { instance, room, viewer, .. } = asked;
        if looks == 0 {
            return;
        }
        self.ask_store(
            instance,
            move |rows| rows.page(room),
            move |world, page| {
                let Some(page) = page else { return };
                let from = page.next;
                let then = move |world: &mut World, looked| match looked {
                    Ok(Some(tail)) => {
                        let whole = complete(page.clone(), tail, PageOf::Newest, LIMIT);
                        let whole = if world.has(Bug::PageWithoutTail) { page } else { whole };
                        world.page_came(asked, whole.messages.iter().map(line).collect(), then);
                    }
                    Ok(None) => {
                        let followed = world.instances[instance].followed.clone();
                        let give_up = world.now + PATIENCE;
                        world.until_stored(instance, followed, give_up, move |world, _| {
                            world.look(asked, looks - 1, then);
                        });
                    }
                    Err(_) => world.turned_away(asked),
                };
                let look = Turn::Look { by: viewer, from, then: Box::new(then) };
                world.wake_and_turn(instance, room, look);
            },
        );
    }

    fn page_came(
        &mut self,
        asked: Asked,
        lines: Vec<Line>,
        then: impl FnOnce(&mut World, Vec<Line>) + 'static,
    ) {
        let Asked { instance, room, viewer, asked_at, is_final } = asked;
        self.history.pages.push(Page {
            source: Source::Instance(NAMES[instance].to_owned()),
            room: room.to_string(),
            viewer: Some(viewer.to_string()),
            asked_at,
            lines: lines.clone(),
            is_final,
        });
        let back = self.lag();
        self.after(back, move |world| then(world, lines));
    }

    fn turned_away(&mut self, asked: Asked) {
        let Asked { instance, room, viewer, asked_at, .. } = asked;
        self.history.refusals.push(Turned {
            instance: NAMES[instance].to_owned(),
            room: room.to_string(),
            viewer: viewer.to_string(),
            asked_at,
        });
    }
}

#[derive(Clone, Copy)]
struct Asked {
    instance: usize,
    room: RoomId,
    viewer: UserId,
    asked_at: Millis,
    is_final: bool,
}
