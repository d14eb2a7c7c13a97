//! What a fan-out allocates: nothing for a member, however many there are.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use rookery::hub::outbound::{Outbound, text_frame};
use rookery::hub::writer::Writer;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

/// The system's allocator, with a count of what a thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    // A thread that ends may allocate after its count is gone.
    let _ = ALLOCATED.try_with(|allocated| allocated.set(allocated.get() + 1));
}

// SAFETY: the system's allocator does it all.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MEMBERS: usize = 300;

async fn member(listener: &TcpListener) -> (TcpStream, Arc<Outbound>) {
    let address = listener.local_addr().unwrap();
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    let outbound = Outbound::new(1 << 20);
    outbound.connect(server.unwrap().0.into_split().1, Writer::here());
    outbound.let_out();
    (client.unwrap(), outbound)
}

/// As a room does it, until all is with the kernel.
async fn fan_out(members: &[(TcpStream, Arc<Outbound>)], frame: &Bytes) {
    for (_, outbound) in members {
        assert!(outbound.push(frame.clone()));
    }
    while members.iter().any(|(_, outbound)| outbound.waiting() > 0) {
        tokio::task::yield_now().await;
    }
}

#[actix_rt::test]
async fn a_fan_out_allocates_nothing_for_a_member() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut members = Vec::new();
    for _ in 0..MEMBERS {
        members.push(member(&listener).await);
    }
    let frame = text_frame(&[b'x'; 400]);
    // The lists of the thread grow to what they need.
    fan_out(&members, &frame).await;
    let before = ALLOCATED.get();
    for _ in 0..10 {
        fan_out(&members, &frame).await;
    }
    let allocated = ALLOCATED.get() - before;
    assert!(allocated < MEMBERS, "{allocated} for 10 messages to {MEMBERS}");

    let mut heard = vec![0; 11 * frame.len()];
    for (client, _) in &mut members {
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, frame.repeat(11));
    }
}
