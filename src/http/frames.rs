//! The frames that come in on one connection.

use actix_http::ws::{Codec, Frame, ProtocolError};
use bytes::BytesMut;
use tokio_util::codec::Decoder;

/// A header has no more bytes than this (RFC 6455, section 5.2).
const HEADER: usize = 14;

/// Frames with payloads up to a size. A larger one is refused as soon as it is known to be larger;
/// the codec itself would wait for its end, however far away that is.
pub struct Limited {
    codec: Codec,
    most: usize,
}

impl Limited {
    /// Payloads of at most so many bytes.
    pub fn to(most: usize) -> Limited {
        Limited { codec: Codec::new().max_size(most), most }
    }
}

impl Decoder for Limited {
    type Item = Frame;
    type Error = ProtocolError;

    fn decode(&mut self, bytes: &mut BytesMut) -> Result<Option<Frame>, ProtocolError> {
        let frame = self.codec.decode(bytes)?;
        // What is left where no frame is whole is the beginning of one.
        match frame.is_none() && bytes.len() > HEADER + self.most {
            true => Err(ProtocolError::Overflow),
            false => Ok(frame),
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_http::ws::{OpCode, Parser};

    use super::*;

    const MOST: usize = 1_000;

    fn masked(payload: &str) -> BytesMut {
        let mut bytes = BytesMut::new();
        Parser::write_message(&mut bytes, payload, OpCode::Text, true, true);
        bytes
    }

    /// What comes of these bytes, a few at a time.
    fn decoded(bytes: &[u8]) -> Result<usize, ProtocolError> {
        let (mut limited, mut waiting, mut frames) = (Limited::to(MOST), BytesMut::new(), 0);
        for part in bytes.chunks(100) {
            waiting.extend_from_slice(part);
            while limited.decode(&mut waiting)?.is_some() {
                frames += 1;
            }
        }
        Ok(frames)
    }

    #[test]
    fn a_frame_of_the_size_that_is_allowed_is_heard() {
        let bytes = [masked(&"x".repeat(MOST)), masked("x")].concat();
        assert_eq!(decoded(&bytes).unwrap(), 2);
    }

    #[test]
    fn a_larger_frame_is_refused_long_before_its_end() {
        let mut header = vec![0x81, 0xff];
        header.extend((1_u64 << 40).to_be_bytes());
        let mut limited = Limited::to(MOST);
        let mut waiting = BytesMut::from(&header[..]);
        assert!(matches!(limited.decode(&mut waiting), Ok(None)));
        waiting.extend_from_slice(&[0; MOST + HEADER]);
        assert!(matches!(limited.decode(&mut waiting), Err(ProtocolError::Overflow)));
        assert!(waiting.capacity() < 4 * MOST, "{}", waiting.capacity());
    }
}
