//! The stories of the contract. Each is told once and runs embedded and in a cluster.

pub mod accounts;

/// One test for each story, in a world of that kind. A story that is not listed here is never
/// called, which the compiler remarks upon.
macro_rules! each_story {
    ($world:path) => {
        each_story! { $world;
            accounts: signing_up_logs_in;
        }
    };
    ($world:path; $($file:ident: $($story:ident),+;)+) => {
        $(mod $file {
            $(#[tokio::test]
            async fn $story() {
                crate::contract::$file::$story(&$world().await).await;
            })+
        })+
    };
}
