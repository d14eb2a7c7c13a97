//! The nouns that everything else is written in: who, where, and in what order.
//!
//! Every id is a string in JSON, in the log and on the socket alike, so that no client rounds a
//! large one; inside the hub they are small `Copy` values.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Why a string is not an id, a position or a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub &'static str);

/// Implements serde through `Display` and `FromStr`, for ids that are strings in JSON.
macro_rules! string_in_json {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl de::Visitor<'_> for Visitor {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                        f.write_str("a string")
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Visitor)
            }
        }
    };
}

/// Parses a decimal in its one canonical form: no sign, no leading zero, no blanks.
fn canonical(text: &str) -> Option<i64> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (canonical && digits).then(|| text.parse().ok()).flatten()
}

/// A person with an account. The store hands the numbers out, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub i64);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for UserId {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        match canonical(text) {
            Some(number) if number > 0 => Ok(UserId(number)),
            _ => Err(ParseError("a user id is a positive number in a string")),
        }
    }
}
string_in_json!(UserId);

/// A conversation. A group's number comes from the store; a direct room's id is made from its
/// pair of people, so that there can only ever be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoomId {
    /// Written `17`.
    Group(i64),
    /// Written `d3-17`, the smaller user id first.
    Direct(UserId, UserId),
}

impl RoomId {
    /// The room of two people, or `None` where they are one.
    pub fn direct(one: UserId, other: UserId) -> Option<RoomId> {
        match one.cmp(&other) {
            std::cmp::Ordering::Less => Some(RoomId::Direct(one, other)),
            std::cmp::Ordering::Greater => Some(RoomId::Direct(other, one)),
            std::cmp::Ordering::Equal => None,
        }
    }
}

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            RoomId::Group(number) => number.fmt(f),
            RoomId::Direct(one, other) => write!(f, "d{one}-{other}"),
        }
    }
}

impl FromStr for RoomId {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        const WRONG: ParseError = ParseError("a room id looks like \"17\" or \"d3-17\"");
        if let Some(pair) = text.strip_prefix('d') {
            let (one, other) = pair.split_once('-').ok_or(WRONG)?;
            let one: UserId = one.parse().map_err(|_| WRONG)?;
            let other: UserId = other.parse().map_err(|_| WRONG)?;
            return if one < other { Ok(RoomId::Direct(one, other)) } else { Err(WRONG) };
        }
        match canonical(text) {
            Some(number) if number > 0 => Ok(RoomId::Group(number)),
            _ => Err(WRONG),
        }
    }
}
string_in_json!(RoomId);

/// Where an entry stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// How often the log was made anew, 0 to 1,023.
    pub epoch: u16,
    /// 0 to 1,023.
    pub partition: u16,
    /// 0 to 2^43 - 1.
    pub offset: i64,
}

impl Place {
    pub fn position(self) -> Position {
        Position::new(self.epoch, self.offset)
    }

    pub fn message_id(self) -> MessageId {
        MessageId((i64::from(self.epoch) << 53) | (self.offset << 10) | i64::from(self.partition))
    }
}

impl MessageId {
    /// Where in the log the message is.
    pub fn place(self) -> Place {
        Place {
            epoch: (self.0 >> 53) as u16,
            partition: (self.0 & 0x3ff) as u16,
            offset: (self.0 >> 10) & ((1 << 43) - 1),
        }
    }
}

/// The one cursor of a room: for order, paging, resuming and read markers. It only grows within
/// a room. 0 is before everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub i64);

impl Position {
    pub const START: Position = Position(0);
    /// A record's widest offset; above it stand the bits of the epoch.
    const OFFSET_BITS: u32 = 48;

    pub fn new(epoch: u16, offset: i64) -> Position {
        Position((i64::from(epoch) << Self::OFFSET_BITS) | (offset + 1))
    }

    pub fn epoch(self) -> u16 {
        (self.0 >> Self::OFFSET_BITS) as u16
    }

    /// The offset, or -1 for the start of an epoch.
    pub fn offset(self) -> i64 {
        (self.0 & ((1 << Self::OFFSET_BITS) - 1)) - 1
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Position {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        canonical(text)
            .map(Position)
            .ok_or(ParseError("a position is an integer in a string, from 0 to 2^63 - 1"))
    }
}
string_in_json!(Position);

/// A message, named by its place in the log: unique in the hub, and a safe integer for
/// JavaScript in a log that was never made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub i64);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for MessageId {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        canonical(text).map(MessageId).ok_or(ParseError("a message id is an integer in a string"))
    }
}
string_in_json!(MessageId);

/// Milliseconds since 1970 in UTC; RFC 3339 with milliseconds in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let time = jiff::Timestamp::from_millisecond(self.0).unwrap_or_default();
        write!(f, "{time:.3}")
    }
}

impl FromStr for Timestamp {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        text.parse::<jiff::Timestamp>()
            .map(|time| Timestamp(time.as_millisecond()))
            .map_err(|_| ParseError("a time is RFC 3339 in UTC"))
    }
}
string_in_json!(Timestamp);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoomKind {
    Direct,
    Group,
}

/// Who may see a group and join it. Direct rooms are private.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    #[default]
    Private,
    Public,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Admin,
    Member,
}

/// The words of an enum as they stand in JSON, in the log and in the store.
macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ }) => {
        impl $type {
            pub fn as_str(self) -> &'static str {
                match self { $($type::$variant => $word),+ }
            }
        }
        impl FromStr for $type {
            type Err = ParseError;
            fn from_str(text: &str) -> Result<Self, ParseError> {
                match text {
                    $($word => Ok($type::$variant),)+
                    _ => Err(ParseError(concat!("one of", $(" ", $word),+))),
                }
            }
        }
    };
}
words!(RoomKind { Direct = "direct", Group = "group" });
words!(Visibility { Private = "private", Public = "public" });
words!(Role { Admin = "admin", Member = "member" });

/// A person as others see them beside a line or in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: UserId,
    pub username: String,
    pub display_name: String,
}

impl Person {
    /// What is shown in place of somebody whose account was deleted. No user name has a colon, so
    /// nobody can take this one.
    pub fn deleted(id: UserId) -> Person {
        let username = format!("{DELETED}{id}");
        Person { id, username, display_name: "Deleted user".to_owned() }
    }

    pub fn is_deleted(&self) -> bool {
        self.username.starts_with(DELETED)
    }
}

/// How the user names of deleted accounts begin.
const DELETED: &str = "deleted:";

/// People written as lists of members are: `user_id` where a person alone has `id`.
pub mod as_members {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Member {
        user_id: UserId,
        username: String,
        display_name: String,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        deleted: bool,
    }

    pub fn serialize<S: Serializer>(people: &[Person], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(people.iter().cloned().map(|person| Member {
            user_id: person.id,
            deleted: person.is_deleted(),
            username: person.username,
            display_name: person.display_name,
        }))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Person>, D::Error> {
        let members = Vec::<Member>::deserialize(deserializer)?;
        let person = |Member { user_id: id, username, display_name, .. }| Person {
            id,
            username,
            display_name,
        };
        Ok(members.into_iter().map(person).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_spelling() {
        for room in ["17", "d3-17"] {
            assert_eq!(room.parse::<RoomId>().unwrap().to_string(), room);
        }
        for wrong in ["", "0", "017", "+1", "-1", "d3-3", "d17-3", "d3", "x", "9223372036854775808"]
        {
            assert!(wrong.parse::<RoomId>().is_err(), "{wrong}");
        }
        assert_eq!(RoomId::direct(UserId(5), UserId(2)), RoomId::direct(UserId(2), UserId(5)));
        assert_eq!(RoomId::direct(UserId(2), UserId(2)), None);
    }

    #[test]
    fn a_position_grows_with_the_offset_and_more_with_the_epoch() {
        let first = Position::new(0, 0);
        assert!(Position::START < first && first < Position::new(0, 1));
        assert!(Position::new(0, 1 << 43) < Position::new(1, 0));
        let packed = Position::new(3, 41);
        assert_eq!((packed.epoch(), packed.offset()), (3, 41));
        assert_eq!(Position::START.offset(), -1);
    }

    #[test]
    fn a_message_id_names_one_place() {
        let place = |epoch, partition, offset| Place { epoch, partition, offset }.message_id();
        assert_ne!(place(0, 1, 0), place(0, 0, 1));
        assert_ne!(place(0, 1023, 7), place(0, 0, 8));
        assert_ne!(place(1, 0, 0), place(0, 0, 0));
        assert!(place(1023, 1023, (1 << 43) - 1).0 > 0);
    }

    #[test]
    fn times_are_rfc_3339_with_milliseconds() {
        assert_eq!(Timestamp(1_700_000_000_000).to_string(), "2023-11-14T22:13:20.000Z");
        assert_eq!("2023-11-14T22:13:20.007Z".parse(), Ok(Timestamp(1_700_000_000_007)));
    }
}
