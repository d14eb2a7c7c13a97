//! The frames that come in on one connection.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_http::ws::{Codec, Frame, ProtocolError};
use bytes::BytesMut;
use futures_util::Stream;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;
use tokio_util::codec::Decoder;

/// A header has no more bytes than this (RFC 6455, section 5.2).
const HEADER: usize = 14;
/// Bytes that are read at once.
const AT_ONCE: usize = 16 * 1024;

thread_local! {
    /// What all connections of a thread are read into.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; AT_ONCE]);
}

/// The frames of a connection. Between two of them it keeps no buffer.
pub struct Frames<R = OwnedReadHalf> {
    reader: R,
    limited: Limited,
    /// Read, and not heard yet.
    part: BytesMut,
    /// What follows is not heard, but read: a peer that is still sending would have a close frame
    /// taken away by the reset that unread bytes are answered with.
    is_broken: bool,
    has_ended: bool,
}

impl<R> Frames<R> {
    /// Of what was read already, and what follows, with payloads of at most so many bytes.
    pub fn of(reader: R, begun: BytesMut, most: usize) -> Frames<R> {
        let part = if begun.is_empty() { BytesMut::new() } else { begun };
        Frames { reader, limited: Limited::to(most), part, is_broken: false, has_ended: false }
    }
}

impl<R: AsyncRead + Unpin> Stream for Frames<R> {
    type Item = Result<Frame, ProtocolError>;

    /// An error is the last item; the end comes with that of the connection all the same.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<Option<Self::Item>> {
        let Frames { reader, limited, part, is_broken, has_ended } = &mut *self;
        while !*has_ended {
            if *is_broken {
                *part = BytesMut::new();
            } else if !part.is_empty()
                && let Some(item) = limited.decode(part).transpose()
            {
                *is_broken = item.is_err();
                if part.is_empty() {
                    *part = BytesMut::new();
                }
                return Poll::Ready(Some(item));
            }
            match ready!(read(reader, part, cx)) {
                Ok(0) => *has_ended = true,
                Ok(_) => {}
                Err(error) => {
                    *has_ended = true;
                    if *is_broken {
                        break;
                    }
                    return Poll::Ready(Some(Err(error.into())));
                }
            }
        }
        Poll::Ready(None)
    }
}

fn read(
    reader: &mut (impl AsyncRead + Unpin),
    part: &mut BytesMut,
    cx: &mut Context,
) -> Poll<io::Result<usize>> {
    BUFFER.with_borrow_mut(|buffer| {
        let mut read = ReadBuf::new(buffer);
        ready!(Pin::new(reader).poll_read(cx, &mut read))?;
        part.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    })
}

/// Frames with payloads up to a size. A larger one is refused as soon as it is known to be larger;
/// the codec itself would wait for its end, however far away that is.
struct Limited {
    codec: Codec,
    most: usize,
}

impl Limited {
    /// Payloads of at most so many bytes.
    fn to(most: usize) -> Limited {
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
    use futures_util::StreamExt;
    use tokio::io::AsyncWriteExt;

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

    #[tokio::test]
    async fn what_was_read_before_comes_first_and_nothing_is_kept_in_between() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut frames = Frames::of(server, masked("first"), MOST);
        let text = |frame| match frame {
            Some(Ok(Frame::Text(text))) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(text(frames.next().await), "first");
        let second = masked(&"x".repeat(300));
        tokio::join!(async { client.write_all(&second).await.unwrap() }, async {
            assert_eq!(text(frames.next().await).len(), 300);
        });
        assert_eq!(frames.part.capacity(), 0);
        drop(client);
        assert!(frames.next().await.is_none());
    }

    #[tokio::test]
    async fn after_an_error_all_is_read_and_nothing_heard() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut frames = Frames::of(server, BytesMut::new(), MOST);
        let talks = async move {
            client.write_all(&masked(&"x".repeat(MOST + 1))).await.unwrap();
            client.write_all(&masked("x")).await.unwrap();
        };
        tokio::join!(talks, async {
            assert!(matches!(frames.next().await, Some(Err(ProtocolError::Overflow))));
            assert!(frames.next().await.is_none());
        });
        assert_eq!(frames.part.capacity(), 0);
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
