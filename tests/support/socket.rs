//! A live socket: commands and their answers, events in the order they came, raw frames.

use std::collections::VecDeque;

use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::spoken::Spoken;
use super::{Person, Request, SOON};

pub struct Socket {
    ws: WebSocketStream<MaybeTlsStream<TcpStream>>,
    refs: u64,
    /// What `hello` answered.
    pub greeting: Value,
    /// Every event that came, in order.
    pub log: Vec<Value>,
    /// Events that no one has asked for yet.
    waiting: VecDeque<Value>,
    /// Holds both sides to the description of the socket.
    spoken: Spoken,
}

/// How a socket ended: with a close frame's code, or `None` where the connection just broke.
pub type Close = Option<u16>;

impl Socket {
    pub async fn open(base: &str, token: &str) -> Socket {
        let connected = connect_async(opening(base, token)).await;
        let (ws, response) = connected.unwrap_or_else(|error| {
            panic!("no socket at {base}: {error:?}");
        });
        let protocol = response.headers().get("sec-websocket-protocol");
        assert_eq!(protocol.and_then(|value| value.to_str().ok()), Some("rookery.v1"));
        let (log, waiting) = (Vec::new(), VecDeque::new());
        let spoken = Spoken::default();
        Socket { ws, refs: 0, greeting: Value::Null, log, waiting, spoken }
    }

    /// Says hello with these fields; keeps and returns the answer.
    pub async fn hello(&mut self, fields: Value) -> Value {
        let answer = self.ok("hello", fields).await;
        self.greeting = answer.clone();
        answer
    }

    /// Sends a command and waits for its answer; events that come first are kept.
    pub async fn command(&mut self, kind: &str, mut fields: Value) -> Value {
        self.refs += 1;
        let reference = self.refs;
        fields["type"] = json!(kind);
        fields["ref"] = json!(reference);
        self.send_text(&fields.to_string()).await;
        self.answer(&json!(reference)).await
    }

    /// Waits for the answer to a command.
    pub async fn answer(&mut self, reference: &Value) -> Value {
        loop {
            let frame = self.frame(&format!("the answer to ref {reference}")).await;
            if frame.get("ref") == Some(reference) {
                assert!(matches!(frame["type"].as_str(), Some("ok" | "error")), "{frame}");
                return frame;
            }
            self.keep(frame);
        }
    }

    /// A command that works.
    pub async fn ok(&mut self, kind: &str, fields: Value) -> Value {
        let answer = self.command(kind, fields).await;
        assert_eq!(answer["type"], "ok", "{kind}: {answer}");
        answer
    }

    /// A command that is refused with this code; returns the whole answer.
    pub async fn error(&mut self, kind: &str, fields: Value, code: &str) -> Value {
        let answer = self.command(kind, fields).await;
        check_error(&answer, code);
        answer
    }

    /// Says something in a room; returns the message.
    pub async fn say(&mut self, room: &str, client_id: &str, body: &str) -> Value {
        let fields = json!({"room": room, "client_id": client_id, "body": body});
        self.ok("send", fields).await["message"].clone()
    }

    /// An answer to something that carried no `ref`, such as a frame that was no JSON.
    pub async fn error_without_ref(&mut self, code: &str) -> Value {
        loop {
            let frame = self.frame("an error").await;
            if frame["type"] == "error" {
                assert!(frame.get("ref").is_none_or(Value::is_null), "{frame}");
                check_error(&frame, code);
                return frame;
            }
            self.keep(frame);
        }
    }

    /// The next event of this type that no one has asked for yet.
    pub async fn expect(&mut self, kind: &str) -> Value {
        self.expect_where(kind, |event| event["type"] == kind).await
    }

    /// The next event that fits and that no one has asked for yet; `what` is for people.
    pub async fn expect_where(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.waiting.iter().position(&fits) {
            return self.waiting.remove(at).expect("just found");
        }
        loop {
            let frame = self.frame(what).await;
            self.log.push(frame.clone());
            if fits(&frame) {
                return frame;
            }
            self.waiting.push_back(frame);
        }
    }

    /// The event of the message with this text; those before it stay in the log.
    pub async fn expect_message(&mut self, body: &str) -> Value {
        let what = format!("the message {body:?}");
        self.expect_where(&what, |event| {
            event["type"] == "message" && event["message"]["body"] == body
        })
        .await
    }

    /// Everything of one room that came so far, in order.
    pub fn of_room(&self, room: &str) -> Vec<Value> {
        self.log.iter().filter(|event| event["room"] == room).cloned().collect()
    }

    /// The texts of one room that came so far, in order.
    pub fn texts(&self, room: &str) -> Vec<String> {
        let messages = self.of_room(room).into_iter().filter(|event| event["type"] == "message");
        messages.filter_map(|event| event["message"]["body"].as_str().map(String::from)).collect()
    }

    /// Nothing that the server has for us is still on its way: a ping came back.
    pub async fn settle(&mut self) {
        self.ok("ping", json!({})).await;
    }

    fn keep(&mut self, event: Value) {
        self.log.push(event.clone());
        self.waiting.push_back(event);
    }

    async fn frame(&mut self, what: &str) -> Value {
        let wait = async {
            loop {
                match self.ws.next().await {
                    Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    other => return Err(other),
                }
            }
        };
        match timeout(SOON, wait).await {
            Ok(Ok(text)) => {
                let frame = serde_json::from_str(&text).unwrap_or_else(|error| {
                    panic!("a frame that is no JSON ({error}): {text}");
                });
                self.spoken.heard(&frame);
                frame
            }
            Ok(Err(end)) => panic!("waited for {what}, got {end:?}; before: {:#?}", self.log),
            Err(_) => panic!("waited {SOON:?} for {what}; what came: {:#?}", self.log),
        }
    }

    /// Waits until the server ends the socket; says with which code.
    pub async fn closed(&mut self) -> Close {
        let wait = async {
            loop {
                match self.ws.next().await {
                    Some(Ok(Message::Text(text))) => {
                        self.log.extend(serde_json::from_str::<Value>(&text));
                    }
                    Some(Ok(Message::Close(frame))) => {
                        return frame.map(|frame| u16::from(frame.code));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return None,
                }
            }
        };
        match timeout(SOON, wait).await {
            Ok(close) => close,
            Err(_) => panic!("waited {SOON:?} for the end; what came: {:#?}", self.log),
        }
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        // The other side may have gone first.
        let _ = self.ws.close(None).await;
        while let Ok(Some(Ok(_))) = timeout(SOON, self.ws.next()).await {}
    }

    pub async fn send_text(&mut self, text: &str) {
        self.spoken.said(text);
        self.send(Message::text(text)).await;
    }

    pub async fn send_binary(&mut self, bytes: &[u8]) {
        self.send(Message::binary(bytes.to_vec())).await;
    }

    /// A text message in one frame, of bytes that need not be text.
    pub async fn send_raw_text(&mut self, bytes: &[u8]) {
        self.send_frame(bytes, Data::Text, true).await;
    }

    /// A text message in as many frames as there are parts.
    pub async fn send_fragments(&mut self, parts: &[&[u8]]) {
        self.spoken.said(&String::from_utf8_lossy(&parts.concat()));
        for (at, part) in parts.iter().enumerate() {
            let kind = if at == 0 { Data::Text } else { Data::Continue };
            self.send_frame(part, kind, at + 1 == parts.len()).await;
        }
    }

    /// The middle of a message that never began.
    pub async fn send_continuation(&mut self, bytes: &[u8]) {
        self.send_frame(bytes, Data::Continue, true).await;
    }

    /// A text message that does not end yet.
    pub async fn send_unfinished_text(&mut self, bytes: &[u8]) {
        self.send_frame(bytes, Data::Text, false).await;
    }

    /// Sends a ping of the protocol below; returns what the pong carried.
    pub async fn pong_to(&mut self, payload: &[u8]) -> Vec<u8> {
        self.send(Message::Ping(payload.to_vec().into())).await;
        let wait = async {
            loop {
                match self.ws.next().await {
                    Some(Ok(Message::Pong(payload))) => return payload.to_vec(),
                    Some(Ok(Message::Text(_) | Message::Ping(_))) => {}
                    other => panic!("waited for a pong, got {other:?}"),
                }
            }
        };
        timeout(SOON, wait).await.expect("a pong")
    }

    /// Begins the closing handshake; `closed` sees its end.
    pub async fn say_goodbye(&mut self) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        self.send(Message::Close(Some(frame))).await;
    }

    async fn send_frame(&mut self, bytes: &[u8], kind: Data, last: bool) {
        self.send(Message::Frame(Frame::message(bytes.to_vec(), OpCode::Data(kind), last))).await;
    }

    async fn send(&mut self, message: Message) {
        match self.ws.send(message).await {
            // What the server thinks of the frame is seen by what it answers.
            Ok(()) | Err(Error::ConnectionClosed | Error::Io(_)) => {}
            Err(error) => panic!("cannot send: {error:?}"),
        }
    }
}

#[track_caller]
fn check_error(answer: &Value, code: &str) {
    assert_eq!(answer["type"], "error", "{answer}");
    assert_eq!(answer["code"], code, "{answer}");
    assert!(answer["detail"].as_str().is_some_and(|text| !text.is_empty()), "{answer}");
    assert!(answer["temporary"].is_boolean(), "{answer}");
}

/// The request that opens a socket, for those who hold the connection themselves.
pub fn opening(base: &str, token: &str) -> client::Request {
    let url = format!("{}/api/v1/socket", base.replace("http://", "ws://"));
    let mut request = url.into_client_request().expect("an address");
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", "rookery.v1".parse().expect("a header"));
    headers.insert("authorization", format!("Bearer {token}").parse().expect("a header"));
    request
}

/// The request that opens a socket, for those that will be refused: send it and look at the
/// status. It offers `protocols`, if any.
pub fn handshake(person: &Person, protocols: Option<&str>) -> Request {
    let request = handshake_at(person, "/api/v1/socket");
    match protocols {
        Some(protocols) => request.header("sec-websocket-protocol", protocols),
        None => request,
    }
}

/// The same at another address, without any subprotocol.
pub fn handshake_at(person: &Person, path: &str) -> Request {
    handshake_of(person, path, "13")
}

/// The same of this version of WebSocket.
pub fn handshake_of(person: &Person, path: &str, version: &str) -> Request {
    person
        .request(Method::GET, path)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", version)
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}
