//! Many sockets on one thread, with as little as possible for each: what is measured is the
//! server.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket as RawSocket, Type};

use super::frames;

/// Bytes read at once.
const BUFFER: usize = 256 * 1024;
/// Sockets that are heard before anything else is said.
const EVENTS: usize = 256;
/// Sockets from one address of ours: a client has some 28,000 ports for each server, and those of
/// sockets that it closed are free again only after a while.
const FROM_ONE_ADDRESS: usize = 10_000;

/// What came on a socket.
#[derive(Debug)]
pub enum Heard<'a> {
    /// The handshake is done.
    Opened,
    Text(&'a [u8]),
    /// The handshake was answered with something else: the head of that.
    Refused(String),
    /// With the code of the close frame, if one came.
    Ended(Option<u16>),
}

/// Sockets by number.
pub struct Crowd {
    poll: Poll,
    events: Events,
    sockets: Vec<Socket>,
    buffer: Box<[u8]>,
}

impl Crowd {
    pub fn new() -> io::Result<Crowd> {
        Ok(Crowd {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS),
            sockets: Vec::new(),
            buffer: vec![0; BUFFER].into(),
        })
    }

    /// Begins to open the socket of this number with this request; [`Heard::Opened`],
    /// [`Heard::Refused`] or [`Heard::Ended`] follows. One that was open under it ends.
    pub fn dial(&mut self, number: usize, address: SocketAddr, request: String) -> io::Result<()> {
        if self.sockets.len() <= number {
            self.sockets.resize_with(number + 1, Socket::default);
        }
        let mut stream = TcpStream::from_std(dialled(number, address)?);
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(number), interest)?;
        self.sockets[number] =
            Socket { stream: Some(stream), out: request.into_bytes(), ..Socket::default() };
        Ok(())
    }

    /// Ends a socket without a word.
    pub fn drop_socket(&mut self, number: usize) {
        self.sockets[number] = Socket::default();
    }

    /// Says something on a socket; one that ended drops it.
    pub fn say(&mut self, number: usize, text: &str) {
        self.sockets[number].say(text);
    }

    /// Hears what has come, after waiting for it no longer than this, and says what is answered.
    pub fn turn(
        &mut self,
        wait: Duration,
        mut hear: impl FnMut(usize, Heard<'_>) -> Option<String>,
    ) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &self.events {
            let Token(number) = event.token();
            let socket = &mut self.sockets[number];
            // It comes with every other event, too.
            if event.is_writable() && !socket.out.is_empty() {
                socket.write(&[]);
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                let to_the_end = event.is_read_closed() || event.is_error();
                socket.read(&mut self.buffer, to_the_end, &mut |heard| hear(number, heard));
            }
        }
        Ok(())
    }
}

/// A connection that is on its way, from one of several addresses of ours.
fn dialled(number: usize, address: SocketAddr) -> io::Result<std::net::TcpStream> {
    let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if address.ip().is_loopback() && address.is_ipv4() && number >= FROM_ONE_ADDRESS {
        let last = u8::try_from(1 + number / FROM_ONE_ADDRESS)
            .map_err(|_| io::Error::other("more sockets than one machine has ports for"))?;
        socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)).into())?;
    }
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(socket.into()),
    }
}

#[derive(Debug, Default)]
struct Socket {
    stream: Option<TcpStream>,
    /// What the kernel did not take yet.
    out: Vec<u8>,
    /// The beginning of a frame, or of the answer to the handshake.
    part: Vec<u8>,
    is_open: bool,
}

impl Socket {
    /// Writes what waits, and this. An error shows when reading.
    fn write(&mut self, bytes: &[u8]) {
        let Some(stream) = &mut self.stream else { return };
        if self.out.is_empty() {
            let taken = stream.write(bytes).unwrap_or(0);
            self.out.extend_from_slice(&bytes[taken..]);
            return;
        }
        self.out.extend_from_slice(bytes);
        let taken = stream.write(&self.out).unwrap_or(0);
        self.out.drain(..taken);
        if self.out.is_empty() {
            self.out = Vec::new();
        }
    }

    fn say(&mut self, text: &str) {
        let mut frame = Vec::with_capacity(text.len() + frames::MOST_HEADER);
        frames::put(&mut frame, frames::TEXT, text.as_bytes());
        self.write(&frame);
    }

    /// Reads what has come. A read that did not fill the buffer has taken all that there was.
    fn read(&mut self, buffer: &mut [u8], to_the_end: bool, hear: &mut Hear<'_>) {
        while let Some(stream) = &mut self.stream {
            match stream.read(buffer) {
                Ok(0) => return self.end(Heard::Ended(None), hear),
                Ok(count) => {
                    self.take_in(&buffer[..count], hear);
                    if count < buffer.len() && !to_the_end {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.end(Heard::Ended(None), hear),
            }
        }
    }

    fn end(&mut self, how: Heard<'_>, hear: &mut Hear<'_>) {
        *self = Socket::default();
        hear(how);
    }

    fn take_in(&mut self, fresh: &[u8], hear: &mut Hear<'_>) {
        if self.part.is_empty() {
            let used = self.hear_all(fresh, hear);
            self.part = fresh[used..].to_vec();
        } else {
            let mut part = std::mem::take(&mut self.part);
            part.extend_from_slice(fresh);
            let used = self.hear_all(&part, hear);
            self.part = part[used..].to_vec();
        }
    }

    /// Hears what is whole; returns how many bytes that were.
    fn hear_all(&mut self, bytes: &[u8], hear: &mut Hear<'_>) -> usize {
        let mut used = 0;
        if !self.is_open {
            let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return 0 };
            used = end + 4;
            if !bytes.starts_with(b"HTTP/1.1 101") {
                let head = String::from_utf8_lossy(&bytes[..used]).into_owned();
                self.end(Heard::Refused(head), hear);
                return bytes.len();
            }
            self.is_open = true;
            self.hear_one(Heard::Opened, hear);
        }
        while let Some(frame) = frames::first(&bytes[used..]) {
            used += frame.length;
            match frame.opcode {
                frames::TEXT => self.hear_one(Heard::Text(frame.payload), hear),
                frames::PING => {
                    let mut pong = Vec::new();
                    frames::put(&mut pong, frames::PONG, frame.payload);
                    self.write(&pong);
                }
                frames::CLOSE => {
                    let code = frame.payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                    self.end(Heard::Ended(code), hear);
                    return bytes.len();
                }
                _ => {}
            }
        }
        used
    }

    fn hear_one(&mut self, heard: Heard<'_>, hear: &mut Hear<'_>) {
        if let Some(answer) = hear(heard) {
            self.say(&answer);
        }
    }
}

/// Is told what came on a socket, and says what to answer.
type Hear<'a> = dyn FnMut(Heard<'_>) -> Option<String> + 'a;
