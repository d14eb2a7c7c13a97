//! Sockets in rooms, each greeted as its server wants it.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::Failure;
use super::crowd::{Crowd, Heard};
use super::speech::{Speech, Told};

/// Sockets that are being greeted at the same time; a hub takes 2,000 by default.
const ARRIVING: usize = 400;
const GREETED_WITHIN: Duration = Duration::from_secs(120);
const TURN: Duration = Duration::from_millis(10);
/// Who is sent away without being told until when comes again after this.
const AGAIN: Duration = Duration::from_secs(3);
/// The close code of a socket that is to come again later (RFC 6455, registered since).
const TRY_AGAIN_LATER: u16 = 1013;

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
    /// How far those who come back know it.
    known: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Gone,
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
    coming: usize,
    ready: usize,
    /// Who is to come again, and when.
    sent_away: Vec<(Instant, usize)>,
    /// Sockets that ended or were refused, and the first of them.
    lost: (usize, Option<String>),
}

impl Company {
    /// A socket for everybody in these rooms, all of them greeted.
    pub fn gather(speech: Speech, address: SocketAddr, rooms: &[Room]) -> Result<Company, Failure> {
        let mut company = Company {
            crowd: Crowd::new()?,
            speech,
            address,
            rooms: Vec::new(),
            seats: Vec::new(),
            coming: 0,
            ready: 0,
            sent_away: Vec::new(),
            lost: (0, None),
        };
        for (room, Room { id, tokens }) in rooms.iter().enumerate() {
            let sockets = company.seats.len()..company.seats.len() + tokens.len();
            company.rooms.push(Place { id: id.clone(), sockets, known: None });
            let seat = |token: &String| Seat { room, token: token.clone(), state: State::Gone };
            company.seats.extend(tokens.iter().map(seat));
        }
        let (began, mut next) = (Instant::now(), 0);
        while company.ready < company.seats.len() {
            while next < company.seats.len() && company.coming < ARRIVING {
                company.dial(next)?;
                next += 1;
            }
            company.turn(TURN, |_, _| {})?;
            company.is_whole()?;
            if began.elapsed() > GREETED_WITHIN {
                return Err(format!("{} sockets are greeted, no more", company.ready).into());
            }
        }
        Ok(company)
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

    /// Whether some are not greeted yet that were dialled.
    pub fn is_coming(&self) -> bool {
        self.coming > 0 || !self.sent_away.is_empty()
    }

    /// An error if the server has ended or refused a socket for good.
    pub fn is_whole(&self) -> Result<(), Failure> {
        match &self.lost {
            (0, _) => Ok(()),
            (count, why) => {
                let why = why.as_deref().unwrap_or_default();
                Err(format!("{count} sockets were refused or ended, the first: {why}").into())
            }
        }
    }

    /// Says something in this room, which its socket is in.
    pub fn say_in(&mut self, room: usize, socket: usize, body: &str) {
        self.crowd.say(socket, &self.speech.message(&self.rooms[room].id, body));
    }

    /// Asks who is in this room, and to be told when that changes.
    pub fn follow(&mut self, room: usize, socket: usize) {
        let room = &self.rooms[room].id;
        let text = format!(r#"{{"type":"presence","ref":"presence","room":"{room}"}}"#);
        self.crowd.say(socket, &text);
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

    /// Opens these sockets, all at once.
    pub fn dial_all(&mut self, sockets: Range<usize>) -> Result<(), Failure> {
        sockets.into_iter().try_for_each(|socket| self.dial(socket))
    }

    /// Opens those again that were sent away until now.
    pub fn dial_those_sent_away(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        let (due, later) = self.sent_away.iter().partition(|(at, _)| *at <= now);
        self.sent_away = later;
        let due: Vec<(Instant, usize)> = due;
        due.into_iter().try_for_each(|(_, socket)| self.dial(socket))
    }

    fn dial(&mut self, socket: usize) -> Result<(), Failure> {
        let Seat { room, token, .. } = &self.seats[socket];
        let request = self.speech.opening(self.address, &self.rooms[*room].id, token);
        self.crowd.dial(socket, self.address, request)?;
        self.turn_to(socket, State::Coming);
        Ok(())
    }

    fn turn_to(&mut self, socket: usize, state: State) {
        let before = std::mem::replace(&mut self.seats[socket].state, state);
        for (state, count) in [(State::Coming, &mut self.coming), (State::Ready, &mut self.ready)] {
            *count = *count + usize::from(self.seats[socket].state == state) - usize::from(before == state);
        }
    }

    /// Hears what came, as what it means, with the socket and its room; who is not greeted yet is
    /// greeted on the way.
    pub fn turn(
        &mut self,
        wait: Duration,
        mut hear: impl FnMut((usize, usize), Told<'_>),
    ) -> Result<(), Failure> {
        let Company { crowd, speech, rooms, seats, .. } = self;
        let mut turned: Vec<(usize, Turn)> = Vec::new();
        crowd.turn(wait, |socket, heard, says| {
            let place = &rooms[seats[socket].room];
            let told = match heard {
                Heard::Opened => speech.first(&place.id, place.known.as_deref()),
                Heard::Text(text) => speech.hear(text, &place.id),
                Heard::Refused(head) => return turned.push((socket, Turn::of_refusal(&head))),
                Heard::Ended(code) => return turned.push((socket, Turn::of_close(code))),
            };
            match told {
                Told::Next(text) => says.text(socket, &text),
                Told::Ready => turned.push((socket, Turn::Greeted)),
                told => hear((socket, seats[socket].room), told),
            }
        })?;
        for (socket, turn) in turned {
            match turn {
                Turn::Greeted => self.turn_to(socket, State::Ready),
                Turn::Later(wait) => {
                    self.turn_to(socket, State::Gone);
                    self.sent_away.push((Instant::now() + wait, socket));
                }
                Turn::Lost(why) => {
                    self.turn_to(socket, State::Gone);
                    self.lost.0 += 1;
                    self.lost.1.get_or_insert(why);
                }
            }
        }
        Ok(())
    }
}

/// What became of a socket.
enum Turn {
    Greeted,
    /// It is to come again after this.
    Later(Duration),
    Lost(String),
}

impl Turn {
    fn of_refusal(head: &str) -> Turn {
        let mut lines = head.lines();
        let status = lines.next().unwrap_or_default();
        if !status.contains(" 503 ") {
            return Turn::Lost(status.to_owned());
        }
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("retry-after").then(|| value.trim().parse().ok()).flatten()
        };
        Turn::Later(lines.find_map(header).map_or(AGAIN, Duration::from_secs))
    }

    fn of_close(code: Option<u16>) -> Turn {
        match code {
            Some(TRY_AGAIN_LATER) => Turn::Later(AGAIN),
            code => Turn::Lost(format!("close code {code:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_sent_away_comes_again_when_told() {
        let later = |head| match Turn::of_refusal(head) {
            Turn::Later(wait) => wait.as_secs(),
            _ => panic!("lost"),
        };
        assert_eq!(later("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\n\r\n"), 7);
        assert_eq!(later("HTTP/1.1 503 Service Unavailable\r\n\r\n"), AGAIN.as_secs());
        assert!(matches!(Turn::of_refusal("HTTP/1.1 401 Unauthorized\r\n"), Turn::Lost(_)));
        assert!(matches!(Turn::of_close(Some(1013)), Turn::Later(_)));
        assert!(matches!(Turn::of_close(None), Turn::Lost(_)));
    }
}
