//! Messages in rooms, each of which everybody in its room has to hear once, and all in one order.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::Failure;
use super::company::Company;
use super::figures::Times;
use super::speech::{MARK, Speech, Told};

/// The number of a message in its room, and when it was said, in hexadecimal digits.
const NUMBER: usize = 8;
const TIME: usize = 12;
/// Bytes of a body at the least.
pub const SMALLEST: usize = MARK.len() + NUMBER + 1 + TIME + 1;
/// How long a hub that works may take until everybody has heard what was said last.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Once everybody has heard everything.
const AFTER: Duration = Duration::from_millis(100);
const TURN: Duration = Duration::from_millis(2);
/// Messages that are said without hearing in between.
const IN_ONE_BREATH: usize = 200;
/// Where there are very many deliveries, those of every so manieth message are timed.
const TIMED: u32 = 16;

/// When messages are said.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// So many a second in each room, whatever becomes of them.
    Rate(f64),
    /// So many in each room are under way at any time.
    Window(usize),
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Heard {
    pub said: u64,
    pub accepted: u64,
    /// In all, and while it was measured.
    pub all_deliveries: u64,
    pub deliveries: u64,
    /// Heard twice, in another order than by others or than they were said, or unreadable.
    pub wrong: u64,
    pub times: Times,
}

/// A conversation in some of the rooms of a company.
pub struct Talk<'a> {
    company: &'a mut Company,
    first_room: usize,
    rooms: Vec<Room>,
    /// How many messages each socket has heard.
    heard_by: Vec<usize>,
    pace: Pace,
    padding: String,
    began: Instant,
    heard: Heard,
    is_measured: bool,
}

impl<'a> Talk<'a> {
    /// With bodies of so many bytes.
    pub fn new(company: &'a mut Company, rooms: Range<usize>, pace: Pace, size: usize) -> Talk<'a> {
        Talk {
            first_room: rooms.start,
            rooms: rooms.map(|room| Room::of(company.sockets(room))).collect(),
            heard_by: vec![0; company.count()],
            company,
            pace,
            padding: "x".repeat(size.saturating_sub(SMALLEST)),
            began: Instant::now(),
            heard: Heard::default(),
            is_measured: false,
        }
    }

    /// What is heard from now on is measured, or no more.
    pub fn measure(&mut self, is_measured: bool) {
        self.is_measured = is_measured;
    }

    /// Messages so far.
    pub fn said(&self) -> u64 {
        self.heard.said
    }

    /// Talks for so long.
    pub fn go_on(&mut self, time: Duration) -> Result<(), Failure> {
        self.go_on_while(|elapsed| elapsed < time, |_, _| {})
    }

    /// Talks for as long as this says of the time since; what is heard in other rooms is told with
    /// its socket.
    pub fn go_on_while(
        &mut self,
        mut goes_on: impl FnMut(Duration) -> bool,
        mut elsewhere: impl FnMut(usize, &Told<'_>),
    ) -> Result<(), Failure> {
        let began = Instant::now();
        while goes_on(began.elapsed()) {
            match self.pace {
                Pace::Rate(rate) => self.say_what_is_due(rate),
                Pace::Window(window) => self.fill(window),
            }
            self.turn(&mut elsewhere)?;
        }
        Ok(())
    }

    /// Says nothing more, and waits until everybody has heard everything, but no longer than this.
    ///
    /// # Errors
    ///
    /// What is missing then, and what was heard twice or in another order.
    pub fn end(mut self, patience: Duration) -> Result<Heard, Failure> {
        let began = Instant::now();
        while !self.is_over() && began.elapsed() < patience {
            self.turn(&mut |_, _| {})?;
        }
        // The last may come once more.
        let over = Instant::now();
        while self.is_over() && over.elapsed() < AFTER {
            self.turn(&mut |_, _| {})?;
        }
        let missing: usize = self.rooms.iter().map(Room::missing).sum();
        let Heard { wrong, said, accepted, .. } = self.heard;
        if wrong > 0 || !self.is_over() {
            return Err(format!(
                "of {said} messages {accepted} were accepted; {missing} deliveries are missing; \
                 {wrong} came twice or out of order"
            )
            .into());
        }
        Ok(self.heard)
    }

    /// Whether everybody has heard everything, and who said it has an answer.
    fn is_over(&self) -> bool {
        let has_answers = match self.company.speech() {
            Speech::Rookery => self.heard.accepted == self.heard.said,
            Speech::Plain | Speech::SocketIo => true,
        };
        has_answers && self.rooms.iter().all(|room| room.missing() == 0)
    }

    /// The rooms begin one after the other, spread over the time between two messages.
    fn say_what_is_due(&mut self, rate: f64) {
        let (seconds, rooms) = (self.began.elapsed().as_secs_f64(), self.rooms.len());
        for room in 0..rooms {
            let due = seconds * rate + room as f64 / rooms as f64;
            while f64::from(self.rooms[room].said) + 1.0 <= due {
                self.say(room);
            }
        }
    }

    fn fill(&mut self, window: usize) {
        let before = self.heard.said;
        for room in 0..self.rooms.len() {
            while self.rooms[room].under_way() < window {
                self.say(room);
                if self.heard.said >= before + IN_ONE_BREATH as u64 {
                    return;
                }
            }
        }
    }

    fn say(&mut self, room: usize) {
        let (number, socket) = self.rooms[room].next();
        let now = self.began.elapsed().as_micros();
        let body = format!("{MARK}{number:0NUMBER$x}:{now:0TIME$x}:{}", self.padding);
        self.company.say_in(self.first_room + room, socket, &body);
        self.heard.said += 1;
    }

    fn turn(&mut self, elsewhere: &mut impl FnMut(usize, &Told<'_>)) -> Result<(), Failure> {
        let Talk { company, first_room, rooms, heard_by, pace, began, heard, is_measured, .. } =
            self;
        let timed = if matches!(pace, Pace::Window(_)) { TIMED } else { 1 };
        company.turn(TURN, |(socket, room), told| {
            let ours = room.checked_sub(*first_room).and_then(|room| rooms.get_mut(room));
            match (ours, told) {
                (None, told) => elsewhere(socket, &told),
                (Some(room), Told::Message(body)) => {
                    let nth = heard_by[socket];
                    heard_by[socket] += 1;
                    heard.all_deliveries += 1;
                    let message = read(body).filter(|(message, _)| room.hear(nth, *message));
                    let Some((message, said_at)) = message else {
                        heard.wrong += 1;
                        return;
                    };
                    if *is_measured {
                        heard.deliveries += 1;
                        if message % timed == 0 {
                            heard.times.add(began.elapsed().saturating_sub(said_at));
                        }
                    }
                }
                (Some(_), Told::Accepted) => heard.accepted += 1,
                _ => {}
            }
        })
    }
}

/// What was said in a room, and how far it was heard.
#[derive(Debug)]
struct Room {
    sockets: Range<usize>,
    said: u32,
    /// The messages in the order in which somebody heard them first.
    order: Vec<u32>,
    /// The last of each sender's messages in it.
    last: Vec<Option<u32>>,
    /// Of the first messages of the order everybody has heard so many.
    done: usize,
    /// How many have heard each of those that follow.
    counts: VecDeque<usize>,
}

impl Room {
    fn of(sockets: Range<usize>) -> Room {
        let last = vec![None; sockets.len()];
        Room { sockets, said: 0, order: Vec::new(), last, done: 0, counts: VecDeque::new() }
    }

    /// Whose a message is: everybody says one in turn.
    fn sender(&self, message: u32) -> usize {
        message as usize % self.sockets.len().max(1)
    }

    /// The number of the next message, and the socket that says it.
    fn next(&mut self) -> (u32, usize) {
        let number = self.said;
        self.said += 1;
        (number, self.sockets.start + self.sender(number))
    }

    /// Messages that not everybody has heard.
    fn under_way(&self) -> usize {
        self.said as usize - self.done
    }

    /// Somebody heard this as their `nth`; says whether that was right: it was said, and not heard
    /// before, after what its sender said before it, and where the others heard it.
    fn hear(&mut self, nth: usize, message: u32) -> bool {
        if nth == self.order.len() {
            let sender = self.sender(message);
            let is_next = message < self.said && self.last.get(sender) < Some(&Some(message));
            if !is_next {
                return false;
            }
            self.last[sender] = Some(message);
            self.order.push(message);
            self.counts.push_back(0);
        }
        if self.order.get(nth) != Some(&message) {
            return false;
        }
        if let Some(count) = nth.checked_sub(self.done).and_then(|at| self.counts.get_mut(at)) {
            *count += 1;
        }
        while self.counts.front() == Some(&self.sockets.len()) {
            self.counts.pop_front();
            self.done += 1;
        }
        true
    }

    /// Deliveries that have not come.
    fn missing(&self) -> usize {
        self.under_way() * self.sockets.len() - self.counts.iter().sum::<usize>()
    }
}

/// The number of a message, and when it was said.
fn read(body: &[u8]) -> Option<(u32, Duration)> {
    let body = std::str::from_utf8(body.get(MARK.len()..SMALLEST)?).ok()?;
    let (number, time) = body.split_once(':')?;
    let time = u64::from_str_radix(time.strip_suffix(':')?, 16).ok()?;
    Some((u32::from_str_radix(number, 16).ok()?, Duration::from_micros(time)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_tells_its_number_and_time() {
        let body = format!("{MARK}{:0NUMBER$x}:{:0TIME$x}:xxxx\"}}", 300, 1_000_000);
        assert_eq!(read(body.as_bytes()), Some((300, Duration::from_secs(1))));
        assert_eq!(read(b"bench:0000012c:0000"), None);
    }

    fn two_who_said(messages: usize) -> Room {
        let mut room = Room::of(4..6);
        let senders: Vec<usize> = (0..messages).map(|_| room.next().1).collect();
        assert!(senders.iter().zip([4, 5].iter().cycle()).all(|(one, other)| one == other));
        room
    }

    #[test]
    fn what_everybody_heard_in_one_order_is_right() {
        let mut room = two_who_said(3);
        // Whatever the order is: two senders may have been heard the other way round.
        for (nth, message) in [1, 0, 2].into_iter().enumerate() {
            assert!(room.hear(nth, message) && room.hear(nth, message));
        }
        assert_eq!((room.missing(), room.under_way()), (0, 0));
    }

    #[test]
    fn another_order_a_repeat_and_a_stranger_are_wrong() {
        let mut room = two_who_said(3);
        assert!(room.hear(0, 0) && room.hear(1, 1));
        assert!(!room.hear(0, 1), "another order");
        assert!(!room.hear(2, 1), "a repeat");
        assert!(!room.hear(2, 7), "never said");
        assert_eq!(room.missing(), 4);
    }

    #[test]
    fn the_order_of_each_sender_stays() {
        let mut room = two_who_said(4);
        assert!(room.hear(0, 2));
        assert!(!room.hear(1, 0), "said before the other");
        assert!(room.hear(1, 1));
    }
}
