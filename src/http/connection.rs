//! A connection whose client has to get on.
//!
//! The web framework gives up a slow head of the first request alone, and an idle connection only
//! as long as nothing comes. Whoever sends a byte now and then, of a later head or of a body that
//! no handler waits for, would keep a connection for ever. So it also ends when no byte of an answer
//! has gone out for long.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_codec::{AsyncRead, AsyncWrite, ReadBuf};
use actix_rt::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// A stream that reads as ended once nothing was written to it for some time.
pub struct Connection {
    stream: TcpStream,
    quiet: Duration,
    ends: Pin<Box<Sleep>>,
}

impl Connection {
    pub fn new(stream: TcpStream, quiet: Duration) -> Connection {
        Connection { stream, quiet, ends: Box::pin(sleep(quiet)) }
    }

    /// The stream alone, for a protocol that keeps its own time.
    pub fn into_inner(self) -> TcpStream {
        self.stream
    }

    fn wrote(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(count)) if count > 0) {
            self.ends.as_mut().reset(Instant::now() + self.quiet);
        }
        written
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context,
        buffer: &mut ReadBuf,
    ) -> Poll<io::Result<()>> {
        if self.ends.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context,
        slices: &[io::IoSlice],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const QUIET: Duration = Duration::from_millis(300);

    async fn pair() -> (TcpStream, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (client, Connection::new(server, QUIET))
    }

    /// Sends a byte now and then, until the other side has ended or hung up.
    fn trickle(mut client: TcpStream) -> tokio::task::JoinHandle<()> {
        tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                tokio::time::sleep(QUIET / 10).await;
            }
        })
    }

    #[tokio::test]
    async fn a_client_that_trickles_is_given_up() {
        let (client, mut server) = pair().await;
        let (began, trickling) = (Instant::now(), trickle(client));
        let mut heard = Vec::new();
        server.read_to_end(&mut heard).await.unwrap();
        assert!(heard.len() > 1 && began.elapsed() >= QUIET, "{heard:?} {:?}", began.elapsed());
        drop(server);
        trickling.await.unwrap();
    }

    #[tokio::test]
    async fn who_says_nothing_is_given_up_and_answers_begin_the_time_anew() {
        let (_client, mut server) = pair().await;
        let began = Instant::now();
        tokio::time::sleep(QUIET / 2).await;
        server.write_all(b"an answer").await.unwrap();
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(began.elapsed() >= QUIET / 2 + QUIET, "{:?}", began.elapsed());
    }
}
