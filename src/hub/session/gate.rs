//! Holding back what a client sends while a command of it is still at work.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_util::Stream;

/// Whether more is read from a connection. What is not read stays with the client, as soon as the
/// kernel's buffers are full.
#[derive(Debug, Default)]
pub struct Gate {
    is_shut: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
}

impl Gate {
    pub fn shut(&self) {
        self.is_shut.set(true);
    }

    pub fn open(&self) {
        if self.is_shut.replace(false)
            && let Some(waiting) = self.waiting.take()
        {
            waiting.wake();
        }
    }

    pub fn is_shut(&self) -> bool {
        self.is_shut.get()
    }

    /// The stream behind this gate.
    pub fn before<S>(self: &Rc<Self>, stream: S) -> Gated<S> {
        Gated { gate: self.clone(), stream }
    }
}

/// A stream behind a gate.
pub struct Gated<S> {
    gate: Rc<Gate>,
    stream: S,
}

impl<S: Stream + Unpin> Stream for Gated<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<Option<S::Item>> {
        if self.gate.is_shut() {
            self.gate.waiting.replace(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_next(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream::{self, StreamExt};
    use futures_util::task::noop_waker_ref;

    use super::*;

    #[test]
    fn nothing_comes_through_while_it_is_shut() {
        let gate = Rc::new(Gate::default());
        let mut numbers = gate.before(stream::iter([1, 2]));
        let mut poll = || numbers.poll_next_unpin(&mut Context::from_waker(noop_waker_ref()));
        assert_eq!(poll(), Poll::Ready(Some(1)));
        gate.shut();
        assert_eq!(poll(), Poll::Pending);
        gate.open();
        assert_eq!(poll(), Poll::Ready(Some(2)));
        assert_eq!(poll(), Poll::Ready(None));
    }

    #[tokio::test]
    async fn who_waits_at_the_gate_is_woken() {
        let gate = Rc::new(Gate::default());
        gate.shut();
        let mut numbers = gate.before(stream::iter([1]));
        let (heard, ()) = tokio::join!(numbers.next(), async { gate.open() });
        assert_eq!(heard, Some(1));
    }
}
