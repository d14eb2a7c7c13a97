//! Simulated clients: they lose their connection, come back elsewhere, resume, and send again what
//! was not answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rookery::core::greeting::Greeted;
use rookery::core::room::{Event, Message};
use rookery::core::types::{Position, RoomId, UserId};
use rookery::guarantees::history::{End, Heard, Line, Millis, Socket, Stream};

use crate::instance::NAMES;
use crate::room::Answer;
use crate::world::{PEOPLE, STORM, World};

/// What a socket is told.
#[derive(Debug, Clone)]
pub enum Frame {
    /// The rooms that its owner is in, and where each is.
    Hello(Vec<(RoomId, Position)>),
    Event(RoomId, Position, Arc<Event>),
    Reset(RoomId, Position),
    Answer(To, Answer),
}

/// Who waits for an answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub room: RoomId,
    pub to: To,
    /// By which connection; none for a request.
    pub conn: Option<usize>,
    pub since: Millis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// A try of a send.
    Send { send: usize, attempt: usize },
    /// A change to a room, on behalf of a request.
    Change,
}

pub struct Conn {
    pub number: usize,
    pub client: usize,
    pub user: UserId,
    pub instance: usize,
    pub is_open_here: bool,
    pub greeted: Greeted,
    /// What waits for the hello to be answered.
    corked: Option<Vec<Frame>>,
    /// What is told arrives in order, and what is said.
    told_at: Millis,
    said_at: Millis,
    /// Its entry in the history.
    socket: usize,
    is_present: bool,
}

pub struct Client {
    pub user: UserId,
    pub conn: Option<usize>,
    /// Where it is in each room that it knows.
    pub known: BTreeMap<RoomId, Position>,
    /// The rooms that it is in, as far as it knows.
    pub rooms: BTreeSet<RoomId>,
    /// Rooms that it was told to reload, with what came meanwhile.
    loading: BTreeMap<RoomId, (u64, Vec<Frame>)>,
    loads: u64,
    pub heard: BTreeMap<RoomId, Vec<Heard>>,
    pub outbox: Vec<usize>,
}

impl World {
    pub fn begin_clients(&mut self) {
        for user in (1..=PEOPLE).map(UserId) {
            // Some have two devices.
            for _ in 0..1 + user.0 % 2 {
                self.clients.push(Client {
                    user,
                    conn: None,
                    known: BTreeMap::new(),
                    rooms: BTreeSet::new(),
                    loading: BTreeMap::new(),
                    loads: 0,
                    heard: BTreeMap::new(),
                    outbox: Vec::new(),
                });
                let (client, wait) = (self.clients.len() - 1, self.ms(10, 300));
                self.after(wait, move |world| world.connect(client));
                self.after(wait, move |world| world.speak(client));
            }
        }
    }

    /// The sockets that an instance believes to be open.
    pub fn sessions(&self, instance: usize) -> impl Iterator<Item = &Conn> {
        self.conns.iter().filter(move |conn| conn.instance == instance && conn.is_open_here)
    }

    fn connect(&mut self, client: usize) {
        if self.clients[client].conn.is_some() {
            return;
        }
        let instance = self.dice.below(NAMES.len());
        let there = &self.instances[instance];
        if !there.up || !there.is_ready || there.frozen_until > self.now {
            let wait = self.ms(50, 250);
            return self.after(wait, move |world| world.connect(client));
        }
        let (number, user) = (self.conns.len(), self.clients[client].user);
        let (begun_at, opened_at) = (self.now, None);
        self.history.sockets.push(Socket {
            user: user.to_string(),
            begun_at,
            opened_at,
            ended: None,
        });
        self.conns.push(Conn {
            number,
            client,
            user,
            instance,
            is_open_here: true,
            greeted: Greeted::default(),
            corked: Some(Vec::new()),
            told_at: 0,
            said_at: 0,
            socket: self.history.sockets.len() - 1,
            is_present: false,
        });
        // Now and then one begins anew.
        if self.chance(5) {
            self.begin_anew(client);
        }
        self.clients[client].conn = Some(number);
        self.trace(|| format!("client {client} of {user} connects to {instance} by {number}"));
        let known = self.clients[client].known.clone();
        self.say(number, move |world| world.hello(number, known));
    }

    /// It forgets all that it knows, and is another client from now on.
    fn begin_anew(&mut self, number: usize) {
        self.clients[number].known.clear();
        self.keep_streams(number, false);
    }

    /// Puts down what it has heard.
    pub fn keep_streams(&mut self, number: usize, to_the_end: bool) {
        let client = &mut self.clients[number];
        for (room, heard) in std::mem::take(&mut client.heard) {
            self.history.streams.push(Stream {
                client: number.to_string(),
                user: client.user.to_string(),
                room: room.to_string(),
                heard,
                to_the_end,
            });
        }
    }

    /// What a client says arrives in order, unless its connection is cut before.
    pub fn say(&mut self, conn: usize, deed: impl FnOnce(&mut World) + 'static) {
        let lag = self.lag();
        let at = self.conns[conn].said_at.max(self.now + lag);
        self.conns[conn].said_at = at;
        self.on(self.conns[conn].instance, at - self.now, move |world| {
            if world.conns[conn].is_open_here {
                deed(world);
            }
        });
    }

    /// Hands a frame to a socket's queue.
    pub fn push(&mut self, conn: usize, frame: Frame) {
        let there = &mut self.conns[conn];
        if !there.is_open_here {
            return;
        }
        if let Some(corked) = &mut there.corked {
            return corked.push(frame);
        }
        let lag = self.lag();
        let at = self.conns[conn].told_at.max(self.now + lag);
        self.conns[conn].told_at = at;
        self.after(at - self.now, move |world| world.receive(conn, frame));
    }

    pub fn uncork(&mut self, conn: usize, hello: Frame) {
        let corked = self.conns[conn].corked.take().unwrap_or_default();
        self.push(conn, hello);
        corked.into_iter().for_each(|frame| self.push(conn, frame));
    }

    pub fn answer(&mut self, instance: usize, reply: Reply, answer: Answer) {
        match (reply.conn, reply.to) {
            (Some(conn), to) => self.push(conn, Frame::Answer(to, answer)),
            (None, To::Change) => self.changed(instance, reply.room, answer),
            (None, to) => {
                let lag = self.lag();
                self.after(lag, move |world| world.answered(to, answer));
            }
        }
    }

    /// An instance died: all its connections end, and their clients notice sooner or later.
    pub fn cut_all_of(&mut self, instance: usize) {
        let cut: Vec<usize> = self.sessions(instance).map(|conn| conn.number).collect();
        for conn in cut {
            self.conns[conn].is_open_here = false;
            let wait = self.ms(0, 300);
            self.end_socket(conn, End::Crash);
            self.after(wait, move |world| world.lose(conn));
        }
    }

    /// Whether its client has heard the answer to its hello.
    pub fn is_answered(&self, conn: usize) -> bool {
        self.history.sockets[self.conns[conn].socket].opened_at.is_some()
    }

    fn end_socket(&mut self, conn: usize, end: End) {
        let socket = &mut self.history.sockets[self.conns[conn].socket];
        if socket.ended.is_none() {
            socket.ended = Some((self.now, end));
        }
    }

    /// A client's connection breaks; its instance hears of it at once, or later.
    pub fn cut(&mut self, client: usize) {
        let Some(conn) = self.clients[client].conn else { return };
        self.trace(|| format!("the connection {conn} of client {client} breaks"));
        let (is_orderly, wait) = (self.chance(50), self.ms(0, 2_000));
        self.end_socket(conn, if is_orderly { End::Orderly } else { End::Silence });
        let wait = if is_orderly { 0 } else { wait };
        self.lose(conn);
        self.on(self.conns[conn].instance, wait, move |world| world.close_here(conn));
    }

    /// An instance finds that a socket has ended.
    pub fn close_here(&mut self, conn: usize) {
        let Conn { is_open_here, is_present, instance, user, .. } = self.conns[conn];
        self.conns[conn].is_open_here = false;
        if is_open_here && is_present {
            let told = self.instances[instance].presence.disconnect(user, true);
            self.tell(instance, told);
        }
    }

    /// It refuses to go on with a socket.
    pub fn end_here(&mut self, conn: usize) {
        self.end_socket(conn, End::Orderly);
        self.close_here(conn);
        let lag = self.lag();
        self.after(lag, move |world| world.lose(conn));
    }

    pub fn come_online(&mut self, conn: usize) {
        let Conn { instance, user, .. } = self.conns[conn];
        self.conns[conn].is_present = true;
        let told = self.instances[instance].presence.connect(user, true);
        self.tell(instance, told);
    }

    /// A client finds its connection ended: what it waits for is unknown, and it comes back.
    fn lose(&mut self, conn: usize) {
        let number = self.conns[conn].client;
        if self.clients[number].conn != Some(conn) {
            return;
        }
        let client = &mut self.clients[number];
        client.conn = None;
        // What was to be loaded is begun anew.
        for room in std::mem::take(&mut client.loading).into_keys() {
            client.known.remove(&room);
        }
        self.give_up_on(conn);
        // Some come back at once, and some have lunch first.
        let wait = if self.chance(80) { self.ms(10, 400) } else { self.ms(5_000, 7_500) };
        self.after(wait, move |world| world.connect(number));
    }

    fn receive(&mut self, conn: usize, frame: Frame) {
        let client = self.conns[conn].client;
        if self.clients[client].conn != Some(conn) {
            return;
        }
        match frame {
            Frame::Hello(rooms) => self.greeted(client, conn, rooms),
            Frame::Answer(to, answer) => self.answered(to, answer),
            Frame::Event(room, ..) | Frame::Reset(room, _) => {
                match self.clients[client].loading.get_mut(&room) {
                    Some((_, waiting)) => waiting.push(frame),
                    None => self.hear(client, frame),
                }
            }
        }
    }

    fn greeted(&mut self, number: usize, conn: usize, rooms: Vec<(RoomId, Position)>) {
        self.history.sockets[self.conns[conn].socket].opened_at = Some(self.now);
        let client = &mut self.clients[number];
        client.rooms = rooms.iter().map(|(room, _)| *room).collect();
        for (room, position) in rooms {
            let since = *client.known.entry(room).or_insert(position);
            client.heard.entry(room).or_default().push(Heard::From(since.0));
        }
        for send in std::mem::take(&mut client.outbox) {
            self.try_by(number, send);
        }
    }

    fn hear(&mut self, number: usize, frame: Frame) {
        self.trace(|| format!("client {number} hears {}", short(&frame)));
        let client = &mut self.clients[number];
        match frame {
            Frame::Event(room, position, event) => {
                let heard = client.heard.entry(room).or_default();
                match &*event {
                    Event::MemberAdded { member, .. } if member.person.id == client.user => {
                        let is_new = client.rooms.insert(room);
                        // A room that it did not know begins here.
                        let begins = is_new && !client.known.contains_key(&room);
                        heard.extend(begins.then_some(Heard::From(position.0 - 1)));
                    }
                    Event::MemberRemoved { member, .. } if member.person.id == client.user => {
                        heard.push(Heard::Event(position.0));
                        client.known.remove(&room);
                        client.rooms.remove(&room);
                        return;
                    }
                    _ => {}
                }
                client.known.insert(room, position);
                heard.push(match &*event {
                    Event::Message { message, .. } => Heard::Message(line(message)),
                    _ => Heard::Event(position.0),
                });
            }
            Frame::Reset(room, position) => {
                client.heard.entry(room).or_default().push(Heard::Reset(position.0));
                client.known.insert(room, position);
                client.loads += 1;
                let load = client.loads;
                client.loading.insert(room, (load, Vec::new()));
                self.load(number, room, load);
            }
            Frame::Hello(_) | Frame::Answer(..) => {}
        }
    }

    /// Loads a room's history from any instance, again and again until it has it.
    fn load(&mut self, number: usize, room: RoomId, load: u64) {
        let still = move |world: &World| {
            world.clients[number].loading.get(&room).is_some_and(|(now, _)| *now == load)
        };
        let (instance, user) = (self.dice.below(NAMES.len()), self.clients[number].user);
        self.page(instance, room, user, false, move |world, lines| {
            if !still(world) {
                return;
            }
            let client = &mut world.clients[number];
            let (_, waiting) = client.loading.remove(&room).unwrap_or_default();
            client.heard.entry(room).or_default().push(Heard::Loaded(lines));
            for frame in waiting {
                match world.clients[number].loading.get_mut(&room) {
                    Some((_, waiting)) => waiting.push(frame),
                    None => world.hear(number, frame),
                }
            }
        });
        self.after(1_000, move |world| {
            if still(world) {
                world.load(number, room, load);
            }
        });
    }

    fn speak(&mut self, client: usize) {
        if self.now > STORM {
            return;
        }
        let rooms: Vec<RoomId> = self.clients[client].rooms.iter().copied().collect();
        if !rooms.is_empty() {
            let room = *self.dice.one_of(&rooms);
            self.send(client, room);
        }
        let wait = self.ms(200, 1_200);
        self.after(wait, move |world| world.speak(client));
    }
}

pub fn line(message: &Message) -> Line {
    Line {
        position: message.position.0,
        id: message.id.to_string(),
        sender: message.sender.id.to_string(),
        body: message.body.clone().unwrap_or_default(),
    }
}

fn short(frame: &Frame) -> String {
    match frame {
        Frame::Event(room, position, event) => match &**event {
            Event::Message { message, .. } => format!("{room} {position} {:?}", message.body),
            event => format!("{room} {position} {event:?}"),
        },
        frame => format!("{frame:?}"),
    }
}

impl Client {
    /// It waits for nothing.
    pub fn is_quiet(&self) -> bool {
        self.loading.is_empty() && self.outbox.is_empty()
    }
}
