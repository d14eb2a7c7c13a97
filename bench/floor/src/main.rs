//! What the kernel alone takes for a broadcast: one thread, one epoll, no accounts, no limits, no
//! storage. A text frame goes to everybody whose socket was opened on the same path, encoded once;
//! what came within one turn goes to each socket in one write.
//!
//! A yardstick, not a server: it believes its clients, and who does not read is dropped.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use memchr::memmem;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);
const BUFFER: usize = 64 * 1024;
/// The answer to the key of RFC 6455, section 1.3, which the bench's client sends.
const ACCEPTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

struct Socket {
    stream: TcpStream,
    room: Option<usize>,
    /// The beginning of a frame or of the request.
    part: Vec<u8>,
    /// What the kernel did not take.
    left: Vec<u8>,
}

#[derive(Default)]
struct Room {
    sockets: Vec<usize>,
    /// The frames of this turn.
    frames: Vec<u8>,
}

struct Floor {
    poll: Poll,
    listener: TcpListener,
    sockets: Vec<Option<Socket>>,
    free: Vec<usize>,
    rooms: Vec<Room>,
    by_path: HashMap<String, usize>,
    /// Rooms in which something was said in this turn.
    spoken: Vec<usize>,
    buffer: Vec<u8>,
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    raise_open_files()?;
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    Floor::on(listener)?.serve()
}

/// As many sockets as the system allows, beyond the hard limit if it lets us.
fn raise_open_files() -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: pointers to whole structures, here and below.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let set = |most: u64| {
        let wanted = libc::rlimit { rlim_cur: most, rlim_max: most.max(limit.rlim_max) };
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const wanted) == 0 }
    };
    if set(1 << 20) || set(limit.rlim_max) { Ok(()) } else { Err(io::Error::last_os_error()) }
}

impl Floor {
    fn on(mut listener: TcpListener) -> io::Result<Floor> {
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Floor {
            poll,
            listener,
            sockets: Vec::new(),
            free: Vec::new(),
            rooms: Vec::new(),
            by_path: HashMap::new(),
            spoken: Vec::new(),
            buffer: vec![0; BUFFER],
        })
    }

    fn serve(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1_024);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(number) => {
                        if event.is_writable() {
                            self.write(number, &[]);
                        }
                        let to_the_end = event.is_read_closed() || event.is_error();
                        self.read(number, to_the_end);
                    }
                }
            }
            self.broadcast();
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // It was gone before it was accepted.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            let number = self.free.pop().unwrap_or_else(|| {
                self.sockets.push(None);
                self.sockets.len() - 1
            });
            stream.set_nodelay(true)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(number), interest)?;
            let (part, left) = (Vec::new(), Vec::new());
            self.sockets[number] = Some(Socket { stream, room: None, part, left });
        }
    }

    /// A read that did not fill the buffer has taken all that there was.
    fn read(&mut self, number: usize, to_the_end: bool) {
        while let Some(socket) = &mut self.sockets[number] {
            match socket.stream.read(&mut self.buffer) {
                Ok(0) => return self.end(number),
                Ok(count) => {
                    socket.part.extend_from_slice(&self.buffer[..count]);
                    self.take_in(number);
                    if count < BUFFER && !to_the_end {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.end(number),
            }
        }
    }

    fn take_in(&mut self, number: usize) {
        let Some(socket) = &mut self.sockets[number] else { return };
        let mut bytes = std::mem::take(&mut socket.part);
        let mut used = 0;
        let room = match socket.room {
            Some(room) => room,
            None => {
                let Some(end) = memmem::find(&bytes, b"\r\n\r\n") else {
                    socket.part = bytes;
                    return;
                };
                used = end + 4;
                let request = String::from_utf8_lossy(&bytes);
                let path = request.split(' ').nth(1).unwrap_or("/").to_owned();
                let room = *self.by_path.entry(path).or_insert_with(|| {
                    self.rooms.push(Room::default());
                    self.rooms.len() - 1
                });
                socket.room = Some(room);
                self.rooms[room].sockets.push(number);
                self.write(number, ACCEPTED);
                room
            }
        };
        while let Some((opcode, payload, length)) = unmasked(&mut bytes[used..]) {
            match opcode {
                1 => {
                    let frames = &mut self.rooms[room].frames;
                    if frames.is_empty() {
                        self.spoken.push(room);
                    }
                    frame(frames, payload);
                }
                8 => return self.end(number),
                _ => {}
            }
            used += length;
        }
        if let Some(socket) = &mut self.sockets[number] {
            socket.part = bytes[used..].to_vec();
        }
    }

    fn broadcast(&mut self) {
        for room in std::mem::take(&mut self.spoken) {
            let mut frames = std::mem::take(&mut self.rooms[room].frames);
            for at in (0..self.rooms[room].sockets.len()).rev() {
                self.write(self.rooms[room].sockets[at], &frames);
            }
            frames.clear();
            self.rooms[room].frames = frames;
        }
    }

    fn write(&mut self, number: usize, bytes: &[u8]) {
        const MOST: usize = 1 << 20;
        let Some(socket) = &mut self.sockets[number] else { return };
        if socket.left.is_empty() {
            if bytes.is_empty() {
                return;
            }
            let taken = socket.stream.write(bytes).unwrap_or(0);
            socket.left.extend_from_slice(&bytes[taken..]);
        } else {
            socket.left.extend_from_slice(bytes);
            let taken = socket.stream.write(&socket.left).unwrap_or(0);
            socket.left.drain(..taken);
        }
        if socket.left.is_empty() {
            socket.left = Vec::new();
        } else if socket.left.len() > MOST {
            self.end(number);
        }
    }

    fn end(&mut self, number: usize) {
        let Some(socket) = self.sockets[number].take() else { return };
        if let Some(room) = socket.room {
            self.rooms[room].sockets.retain(|other| *other != number);
        }
        self.free.push(number);
    }
}

/// The first frame of a client's, if it is whole: its opcode, payload and length.
fn unmasked(bytes: &mut [u8]) -> Option<(u8, &[u8], usize)> {
    let (opcode, short) = (bytes.first()? & 0x0f, bytes.get(1)? & 0x7f);
    let (length, header) = match short {
        126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize, 10),
        length => (usize::from(length), 2),
    };
    let (start, end) = (header + 4, header + 4 + length);
    let key: [u8; 4] = bytes.get(header..start)?.try_into().ok()?;
    let payload = bytes.get_mut(start..end)?;
    if key != [0; 4] {
        payload.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    }
    Some((opcode, payload, end))
}

/// Appends a text frame.
fn frame(out: &mut Vec<u8>, payload: &[u8]) {
    out.push(0x81);
    match payload.len() {
        length @ 0..=125 => out.push(length as u8),
        length @ 126..=65_535 => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}
