//! A socket of the simple API, as a plain WebSocket client has it: no subprotocol, no hello.

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::spoken;
use super::{Close, Person, SOON};

pub struct Lines {
    ws: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Every frame that came, in order.
    pub log: Vec<Value>,
}

impl Lines {
    /// Subscribes to a group on the next instance.
    pub async fn subscribe(person: &Person, group: &str) -> Lines {
        let url = format!("{}/subscribe/{group}", person.base().replace("http://", "ws://"));
        let mut request = url.clone().into_client_request().expect("an address");
        let token = format!("Bearer {}", person.token).parse().expect("a header");
        request.headers_mut().insert("authorization", token);
        let opened = connect_async(request).await;
        let (ws, response) = opened.unwrap_or_else(|error| panic!("{url}: {error:?}"));
        assert_eq!(response.headers().get("sec-websocket-protocol"), None);
        Lines { ws, log: Vec::new() }
    }

    pub async fn send(&mut self, text: &str) {
        // What the server thinks of it is seen by what it answers.
        let _ = self.ws.send(Message::text(text)).await;
    }

    /// The next frame.
    pub async fn next(&mut self) -> Value {
        let wait = async {
            loop {
                match self.ws.next().await {
                    Some(Ok(Message::Text(text))) => return text.to_string(),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    other => panic!("waited for a line, got {other:?} after {:#?}", self.log),
                }
            }
        };
        let text = timeout(SOON, wait).await;
        let text = text.unwrap_or_else(|_| panic!("no line came after {:#?}", self.log));
        let line: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"));
        spoken::check_line(&line);
        self.log.push(line.clone());
        line
    }

    /// The next frame is an error with this code.
    pub async fn error(&mut self, code: &str) {
        let line = self.next().await;
        assert_eq!(line["code"], code, "{line}");
        assert!(line["error"].as_str().is_some_and(|text| !text.is_empty()), "{line}");
    }

    /// Waits until the server ends the socket; says with which code.
    pub async fn closed(&mut self) -> Close {
        let wait = async {
            loop {
                match self.ws.next().await {
                    Some(Ok(Message::Close(frame))) => {
                        return frame.map(|frame| u16::from(frame.code));
                    }
                    Some(Ok(Message::Text(text))) => {
                        self.log.extend(serde_json::from_str::<Value>(&text));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return None,
                }
            }
        };
        let closed = timeout(SOON, wait).await;
        closed.unwrap_or_else(|_| panic!("not closed after {:#?}", self.log))
    }
}
