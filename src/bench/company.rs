//! Sockets in rooms, each greeted as its server wants it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::Failure;
use super::crowd::{Crowd, Heard};
use super::speech::{Speech, Told};

/// Sockets that are being greeted at the same time, where there is no hurry; a hub takes 2,000 by
/// default.
const ARRIVING: usize = 400;
/// Sockets that are dialled in one turn, so that the others are heard in between.
const DIALLED: usize = 10;
/// Until some more are greeted.
const GREETED_WITHIN: Duration = Duration::from_secs(60);
const TURN: Duration = Duration::from_millis(10);
/// Who is sent away without being told until when comes again after this.
const AGAIN: Duration = Duration::from_secs(3);

/// A room, and the tokens of those whose sockets are in it.
#[derive(Debug, Clone)]
pub struct Room {
    pub id: String,
    pub tokens: Vec<String>,
}

/// The sockets of a room: numbers that follow each other.
struct Place {
    id: String,
    sockets: Range<usize>,
    /// How far those who come know it.
    known: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Gone,
    /// Its server ends it, and wants it to come again after this.
    SentAway(Duration),
    Coming,
    Ready,
}

struct Seat {
    room: usize,
    token: String,
    state: State,
}

pub struct Company {
    crowd: Crowd,
    speech: Speech,
    address: SocketAddr,
    rooms: Vec<Place>,
    seats: Vec<Seat>,
    /// Who is to be dialled, and how many may be on their way at the same time.
    called: VecDeque<usize>,
    at_once: usize,
    /// Who was sent away, and when they come again.
    sent_away: Vec<(Instant, usize)>,
    coming: usize,
    /// Why this cannot go on: the server has ended or refused a socket for good, or refuses what
    /// was said.
    lost: Option<String>,
}

impl Company {
    /// A socket for everybody in these rooms, all of them greeted.
    pub fn gather(speech: Speech, address: SocketAddr, rooms: &[Room]) -> Result<Company, Failure> {
        let mut company = Company::of(speech, address, rooms)?;
        company.call(0..company.seats.len(), ARRIVING);
        let (mut left, mut since) = (company.seats.len(), Instant::now());
        while company.is_coming() {
            company.turn(TURN, |_, _| {})?;
            let still = company.coming + company.called.len() + company.sent_away.len();
            if still < left {
                (left, since) = (still, Instant::now());
            } else if since.elapsed() > GREETED_WITHIN {
                return Err(format!("{left} sockets are not greeted").into());
            }
        }
        Ok(company)
    }

    fn of(speech: Speech, address: SocketAddr, rooms: &[Room]) -> Result<Company, Failure> {
        let (mut places, mut seats) = (Vec::new(), Vec::new());
        for (room, Room { id, tokens }) in rooms.iter().enumerate() {
            let sockets = seats.len()..seats.len() + tokens.len();
            places.push(Place { id: id.clone(), sockets, known: None });
            let seat = |token: &String| Seat { room, token: token.clone(), state: State::Gone };
            seats.extend(tokens.iter().map(seat));
        }
        Ok(Company {
            crowd: Crowd::new()?,
            speech,
            address,
            rooms: places,
            seats,
            called: VecDeque::new(),
            at_once: 0,
            sent_away: Vec::new(),
            coming: 0,
            lost: None,
        })
    }

    /// How many sockets there are, open or not.
    pub fn count(&self) -> usize {
        self.seats.len()
    }

    pub fn speech(&self) -> Speech {
        self.speech
    }

    /// The sockets of this room.
    pub fn sockets(&self, room: usize) -> Range<usize> {
        self.rooms[room].sockets.clone()
    }

    /// Says something in this room, which its socket is in.
    pub fn say_in(&mut self, room: usize, socket: usize, body: &str) {
        self.crowd.say(socket, &self.speech.message(&self.rooms[room].id, body));
    }

    /// Asks who is in this socket's room, and to be told when that changes; [`Told::Follows`]
    /// answers.
    pub fn follow(&mut self, socket: usize) {
        let room = self.seats[socket].room;
        self.crowd.say(socket, &Speech::follow(&self.rooms[room].id));
    }

    /// Those who come into this room from now on know it up to there.
    pub fn know(&mut self, room: usize, position: String) {
        self.rooms[room].known = Some(position);
    }

    /// Ends these sockets without a word.
    pub fn drop_sockets(&mut self, sockets: Range<usize>) {
        for socket in sockets {
            self.crowd.drop_socket(socket);
            self.turn_to(socket, State::Gone);
        }
    }

    /// From now on these sockets come, so many at the same time.
    pub fn call(&mut self, sockets: Range<usize>, at_once: usize) {
        self.called.extend(sockets);
        self.at_once = at_once;
    }

    /// Whether some are not greeted yet that were called.
    pub fn is_coming(&self) -> bool {
        self.coming > 0 || !self.called.is_empty() || !self.sent_away.is_empty()
    }

    /// Hears what came, as what it means, with the socket and its room. Who is called is dialled
    /// and greeted on the way, and who was sent away comes again.
    ///
    /// # Errors
    ///
    /// Where the server has ended or refused a socket for good, or refuses what was said.
    pub fn turn(
        &mut self,
        wait: Duration,
        mut hear: impl FnMut((usize, usize), Told<'_>),
    ) -> Result<(), Failure> {
        self.dial()?;
        let Company { crowd, speech, rooms, seats, .. } = self;
        let mut turned: Vec<(usize, Turned)> = Vec::new();
        crowd.turn(wait, |socket, heard| {
            let place = &rooms[seats[socket].room];
            let told = match heard {
                Heard::Opened => speech.first(&place.id, place.known.as_deref()),
                Heard::Text(text) => speech.hear(text, &place.id),
                Heard::Refused(head) => {
                    turned.push((socket, Turned::refused(&head)));
                    return None;
                }
                Heard::Ended(code) => {
                    turned.push((socket, Turned::Ended(code)));
                    return None;
                }
            };
            match told {
                Told::Next(text) => return Some(text),
                Told::Ready => turned.push((socket, Turned::To(State::Ready))),
                Told::SentAway(wait) => turned.push((socket, Turned::To(State::SentAway(wait)))),
                Told::Refused(frame) => {
                    let frame = String::from_utf8_lossy(frame);
                    turned.push((socket, Turned::Lost(format!("the hub refuses: {frame}"))));
                }
                told => hear((socket, seats[socket].room), told),
            }
            None
        })?;
        turned.into_iter().for_each(|(socket, turned)| self.note(socket, turned));
        match &self.lost {
            Some(why) => Err(why.clone().into()),
            None => Ok(()),
        }
    }

    fn note(&mut self, socket: usize, turned: Turned) {
        let (state, again) = match (turned, self.seats[socket].state) {
            (Turned::To(state), _) => (state, None),
            (Turned::Later(wait), _) | (Turned::Ended(_), State::SentAway(wait)) => {
                (State::Gone, Some(wait))
            }
            (Turned::Ended(code), _) => {
                return self.lost = Some(format!("a socket was lost: close code {code:?}"));
            }
            (Turned::Lost(why), _) => return self.lost = Some(why),
        };
        self.turn_to(socket, state);
        self.sent_away.extend(again.map(|wait| (Instant::now() + wait, socket)));
    }

    fn turn_to(&mut self, socket: usize, state: State) {
        let before = std::mem::replace(&mut self.seats[socket].state, state);
        self.coming += usize::from(state == State::Coming);
        self.coming -= usize::from(before == State::Coming);
    }

    fn dial(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        let due = self.sent_away.extract_if(.., |(at, _)| *at <= now);
        self.called.extend(due.map(|(_, socket)| socket));
        let free = self.at_once.saturating_sub(self.coming).min(DIALLED);
        for _ in 0..free {
            let Some(socket) = self.called.pop_front() else { break };
            let Seat { room, token, .. } = &self.seats[socket];
            let request = self.speech.opening(self.address, &self.rooms[*room].id, token);
            self.crowd.dial(socket, self.address, request)?;
            self.turn_to(socket, State::Coming);
        }
        Ok(())
    }
}

/// What became of a socket.
enum Turned {
    To(State),
    Ended(Option<u16>),
    /// It was not let in, and is to come again after this.
    Later(Duration),
    Lost(String),
}

impl Turned {
    fn refused(head: &str) -> Turned {
        let mut lines = head.lines();
        let status = lines.next().unwrap_or_default();
        if !status.contains(" 503 ") {
            return Turned::Lost(format!("a socket was lost: {status}"));
        }
        let retry_after = |line: &str| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("retry-after").then(|| value.trim().parse().ok()).flatten()
        };
        Turned::Later(lines.find_map(retry_after).map_or(AGAIN, Duration::from_secs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_let_in_comes_again_when_told() {
        let later = |head| match Turned::refused(head) {
            Turned::Later(wait) => wait.as_secs(),
            _ => panic!("lost"),
        };
        assert_eq!(later("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\n\r\n"), 7);
        assert_eq!(later("HTTP/1.1 503 Service Unavailable\r\n\r\n"), AGAIN.as_secs());
        assert!(matches!(Turned::refused("HTTP/1.1 401 Unauthorized\r\n"), Turned::Lost(_)));
    }
}
