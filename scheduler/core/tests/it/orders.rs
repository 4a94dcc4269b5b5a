//! Which of the agents that fit is taken.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::{MilliCpus, Preference, PreferenceRule};
use aurora_scheduler_core::{Input, Offer, OfferOrder, Settings};

use crate::world::{World, job};

fn world(orders: &[OfferOrder]) -> World {
    let mut world = World::with(Settings {
        executor_overhead: Default::default(),
        offer_order: orders.to_vec(),
        ..Settings::default()
    });
    world.register();
    world
}

fn offer(world: &mut World, agent: &str, cpus: u64, rack: &str) -> Offer {
    let mut offer = world.an_offer(agent, cpus);
    offer.attributes.insert("rack".to_owned(), BTreeSet::from([rack.to_owned()]));
    offer
}

/// How many tasks of a job each host has.
fn hosts(world: &World, name: &str) -> BTreeMap<String, usize> {
    let mut hosts = BTreeMap::new();
    for task in world.tasks(name) {
        if let Some((_, host)) = &task.assigned.agent {
            *hosts.entry(host.to_string()).or_default() += 1;
        }
    }
    hosts
}

fn counts(of: &[(&str, usize)]) -> BTreeMap<String, usize> {
    of.iter().map(|(host, count)| ((*host).to_owned(), *count)).collect()
}

#[test]
fn the_fullest_agent_that_fits_is_filled_first() {
    let mut world = world(&[OfferOrder::Cpu]);
    let offers =
        [("A", 8), ("B", 2), ("C", 1)].map(|(agent, cpus)| offer(&mut world, agent, cpus, "a"));
    world.put(Input::Offers(offers.to_vec()));
    let mut two = job("two", 2, true);
    two.task.resources.cpus = MilliCpus(2000);
    world.create(two).unwrap();
    assert_eq!(hosts(&world, "two"), counts(&[("host-A", 1), ("host-B", 1)]));
}

#[test]
fn agents_are_filled_evenly_if_so_ordered() {
    let mut world = world(&[OfferOrder::Spread]);
    let offers =
        [("A", 6), ("B", 4), ("C", 2)].map(|(agent, cpus)| offer(&mut world, agent, cpus, "a"));
    world.put(Input::Offers(offers.to_vec()));
    world.create(job("web", 6, true)).unwrap();
    // Down to two free cores each.
    assert_eq!(hosts(&world, "web"), counts(&[("host-A", 4), ("host-B", 2)]));
}

#[test]
fn hosts_that_will_be_unavailable_come_last() {
    let mut world = world(&[OfferOrder::Random]);
    let mut offers: Vec<Offer> =
        ["A", "B", "C"].iter().map(|agent| offer(&mut world, agent, 1, "a")).collect();
    offers[0].unavailable_from = Some(world.now.plus_ms(3_600_000));
    offers[1].unavailable_from = Some(world.now.plus_ms(7_200_000));
    world.put(Input::Offers(offers));
    for (name, host) in [("one", "host-C"), ("two", "host-B"), ("three", "host-A")] {
        world.create(job(name, 1, true)).unwrap();
        assert_eq!(hosts(&world, name), counts(&[(host, 1)]));
    }
}

#[test]
fn wishes_decide_among_hosts_that_fit_and_keep_nothing_waiting() {
    let mut world = world(&[OfferOrder::Random]);
    let offers = [("A", 4, "r1"), ("B", 4, "r1"), ("C", 4, "r2"), ("D", 4, "r3")]
        .map(|(agent, cpus, rack)| offer(&mut world, agent, cpus, rack));
    world.put(Input::Offers(offers.to_vec()));
    let mut web = job("web", 9, true);
    web.task.preferences.insert(Preference {
        attribute: "rack".into(),
        rule: PreferenceRule::Spread,
        weight: 1,
    });
    world.create(web).unwrap();
    let found = hosts(&world, "web");
    let rack_1 = found.get("host-A").unwrap_or(&0) + found.get("host-B").unwrap_or(&0);
    assert_eq!((rack_1, found["host-C"], found["host-D"]), (3, 3, 3));

    let offers = [("E", 2, "r8"), ("F", 9, "r9")]
        .map(|(agent, cpus, rack)| offer(&mut world, agent, cpus, rack));
    world.put(Input::Offers(offers.to_vec()));
    let mut rather = job("rather", 3, true);
    let values = BTreeSet::from(["r8".to_owned()]);
    rather.task.preferences.insert(Preference {
        attribute: "rack".into(),
        rule: PreferenceRule::Value { negated: false, values },
        weight: 1,
    });
    world.create(rather).unwrap();
    let found = hosts(&world, "rather");
    assert_eq!((found["host-E"], found.values().sum::<usize>()), (2, 3), "{found:?}");
}

#[test]
fn offers_are_given_back_after_their_time_unless_held_for_ever() {
    let give_back = |settings: Settings| {
        let mut world = World::with(settings);
        world.register();
        world.offer("A", 1);
        // Whatever was drawn, the end of the window is past all offers' time.
        let early = world.wait(300_000 - 1).len();
        let late = world.wait(60_000).len();
        (early, late, world.scheduler.next_wakeup())
    };
    let (early, late, _) = give_back(Settings::default());
    assert_eq!((early, late), (0, 1));
    // A window of nothing is a time without chance.
    let (early, late, _) = give_back(Settings { offer_hold_jitter_ms: 0, ..Settings::default() });
    assert_eq!((early, late), (0, 1));
    let forever = Settings { hold_offers_forever: true, ..Settings::default() };
    assert_eq!(give_back(forever).1, 0);
}

#[test]
fn an_offer_that_was_used_leaves_no_timer_behind() {
    let mut world = world(&[OfferOrder::Random]);
    let before = world.scheduler.next_wakeup();
    world.put(Input::Wakeup);
    for _ in 0..3 {
        world.offer("A", 1);
        let id = world.offers.keys().last().unwrap().clone();
        world.put(Input::Rescinded(id));
    }
    assert_eq!(world.scheduler.next_wakeup(), before);
}
