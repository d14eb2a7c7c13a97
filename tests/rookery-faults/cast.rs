//! Who plays in a run, and where.

use futures_util::future::join_all;
use rookery::guarantees::dice::Dice;

use crate::asking::{Login, Place};
use crate::members::Floater;
use crate::support::{Person, unique};
use crate::world::World;

const PEOPLE: usize = 20;
const ROOMS: usize = 5;

/// Who plays in a run, and where.
#[derive(Clone)]
pub struct Cast {
    pub places: Vec<Place>,
    pub people: Vec<Login>,
    /// Each with its members' indices in `people`; the first of them is its admin.
    pub rooms: Vec<(String, Vec<usize>)>,
    pub floaters: Vec<Floater>,
    /// Looks at presence.
    pub observer: Login,
    /// For each instance somebody who writes to it all the time, into a room of their own.
    pub probes: Vec<(Place, Login)>,
    pub probed: String,
}

impl Cast {
    pub async fn gather(world: &mut World, dice: &mut Dice) -> Cast {
        let (places, tag) = (world.places(), unique());
        let bases: Vec<String> = places.iter().map(|place| place.base.clone()).collect();
        let sign_up = |name: String| {
            let bases = bases.clone();
            async move { Person::sign_up(&bases, &name).await }
        };
        let names = (0..PEOPLE).map(|number| format!("p{number}-{tag}"));
        let people: Vec<Person> = join_all(names.map(sign_up)).await;
        let observer = sign_up(format!("observer-{tag}")).await;
        let names = places.iter().map(|place| format!("probe-{}-{tag}", place.name));
        let probes: Vec<Person> = join_all(names.map(sign_up)).await;
        let mut rooms = Vec::new();
        for number in 0..ROOMS {
            // Each person in about half of the rooms; who is admin differs.
            let mut members: Vec<usize> = (0..PEOPLE)
                .filter(|person| (person + number) % ROOMS < ROOMS.div_ceil(2))
                .collect();
            let turn = dice.below(members.len());
            members.rotate_left(turn);
            let others: Vec<&Person> = members[1..].iter().map(|&index| &people[index]).collect();
            let room = people[members[0]].group(&format!("room {number}"), &others).await;
            rooms.push((room, members));
        }
        let others: Vec<&Person> = probes[1..].iter().collect();
        let probed = probes[0].group("probes", &others).await;
        let people: Vec<Login> = people.iter().map(login).collect();
        let floaters = rooms.iter().map(|(room, members)| Floater {
            room: room.clone(),
            admin: people[members[0]].clone(),
            user: people[members[1]].id.clone(),
        });
        Cast {
            floaters: floaters.collect(),
            people,
            rooms,
            observer: login(&observer),
            probes: places.iter().cloned().zip(probes.iter().map(login)).collect(),
            probed,
            places,
        }
    }

    pub fn rooms_of(&self, person: usize) -> Vec<String> {
        let rooms = self.rooms.iter().filter(|(_, members)| members.contains(&person));
        rooms.map(|(room, _)| room.clone()).collect()
    }

    pub fn readers(&self) -> Vec<(Login, String)> {
        let of_room = |(room, members): &(String, Vec<usize>)| {
            let readers =
                members[..3].iter().map(|&person| (self.people[person].clone(), room.clone()));
            readers.collect::<Vec<_>>()
        };
        self.rooms.iter().flat_map(of_room).collect()
    }

    /// All rooms, each with somebody who is in it for good.
    pub fn every_room(&self) -> Vec<(String, Login)> {
        let rooms = self.rooms.iter();
        let rooms = rooms.map(|(room, members)| (room.clone(), self.people[members[0]].clone()));
        rooms.chain([(self.probed.clone(), self.probes[0].1.clone())]).collect()
    }
}

fn login(person: &Person) -> Login {
    let Person { id, username, token, .. } = person;
    Login { id: id.clone(), name: username.clone(), token: token.clone() }
}
