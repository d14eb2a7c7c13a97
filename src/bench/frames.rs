//! WebSocket frames as a client has them (RFC 6455, section 5.2), for as little as possible.

pub const TEXT: u8 = 1;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// Bytes before the payload, at the most.
pub const MOST_HEADER: usize = 14;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// A frame of the server's, and how many bytes it took.
#[derive(Debug, PartialEq)]
pub struct Frame<'a> {
    pub opcode: u8,
    pub payload: &'a [u8],
    pub length: usize,
}

/// Appends a frame. A client has to mask what it sends; the key 0 changes nothing.
pub fn put(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(FIN | opcode);
    match payload.len() {
        length @ 0..=125 => out.push(MASKED | length as u8),
        length @ 126..=65_535 => {
            out.push(MASKED | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(MASKED | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

/// The first frame of these bytes, if it is whole. A server masks nothing.
pub fn first(bytes: &[u8]) -> Option<Frame<'_>> {
    let (&head, rest) = bytes.split_first()?;
    let (length, header) = match rest.first()? & !MASKED {
        126 => (u16::from_be_bytes(rest.get(1..3)?.try_into().ok()?).into(), 4),
        127 => (u64::from_be_bytes(rest.get(1..9)?.try_into().ok()?), 10),
        length => (length.into(), 2),
    };
    let end = header + usize::try_from(length).ok()?;
    let payload = bytes.get(header..end)?;
    Some(Frame { opcode: head & 0x0f, payload, length: end })
}

#[cfg(test)]
mod tests {
    use actix_http::ws::{OpCode, Parser};
    use bytes::BytesMut;

    use super::*;

    const SIZES: [usize; 6] = [0, 1, 125, 126, 65_535, 65_536];

    #[test]
    fn what_is_put_is_what_a_server_reads() {
        for size in SIZES {
            let (mut out, said) = (Vec::new(), "x".repeat(size));
            put(&mut out, TEXT, said.as_bytes());
            let read = Parser::parse(&mut BytesMut::from(&out[..]), true, 1 << 20).unwrap();
            let (is_last, opcode, payload) = read.unwrap();
            assert!(is_last && opcode == OpCode::Text);
            assert_eq!(payload.unwrap_or_default(), said.as_bytes(), "{size}");
        }
    }

    #[test]
    fn a_frame_is_read_once_it_is_whole() {
        for size in SIZES {
            let (mut sent, said) = (BytesMut::new(), "x".repeat(size));
            Parser::write_message(&mut sent, said.as_bytes(), OpCode::Text, true, false);
            let length = sent.len();
            assert_eq!(first(&sent[..length - 1]), None, "{size}");
            sent.extend_from_slice(b"more");
            let payload = said.as_bytes();
            assert_eq!(first(&sent), Some(Frame { opcode: TEXT, payload, length }), "{size}");
        }
    }
}
