//! Accounts: signing up, logging in and out, the profile, the password.

use crate::support::World;

pub async fn signing_up_logs_in(world: &World) {
    let alice = world.person("alice").await;
    let mut socket = alice.socket().await;
    socket.settle().await;
    let me = alice.get("/api/v1/me").await.expect(200);
    assert_eq!(me["user"]["id"], alice.id);
}
