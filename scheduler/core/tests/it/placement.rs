//! What holds for every placement, against a model that looks at everything each time.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::{
    Constraint, ConstraintRule, JobConfiguration, MilliCpus, Preference, PreferenceRule,
    ResourceBag, ScheduledTask, TaskConfig, TaskState,
};
use aurora_model::key::{AgentId, OfferId, TaskId};
use aurora_scheduler_core::{
    Effect, Input, Offer, OfferOrder, Op, PortRange, Settings, State, StatusUpdate, TaskQuery,
};
use proptest::prelude::*;

use crate::world::{World, job};

const AGENTS: usize = 5;

#[derive(Debug, Clone)]
enum Act {
    Create(u8, Kind, u8),
    /// All that an agent has free, or half of its CPU.
    Offer(usize, bool),
    Rescind(prop::sample::Index),
    Status(prop::sample::Index, TaskState),
    Kill(u8),
    Wait(i64),
    Restart,
}

/// What is special about a job.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Plain,
    HostLimit,
    RackLimit,
    Value,
    NotValue,
    Dedicated,
    Ports,
    Spread,
    Rather,
    Important,
    Preferred,
    Revocable,
    Large,
}

const KINDS: [Kind; 13] = [
    Kind::Plain,
    Kind::HostLimit,
    Kind::RackLimit,
    Kind::Value,
    Kind::NotValue,
    Kind::Dedicated,
    Kind::Ports,
    Kind::Spread,
    Kind::Rather,
    Kind::Important,
    Kind::Preferred,
    Kind::Revocable,
    Kind::Large,
];

fn a_job(number: u8, kind: Kind, instances: u8) -> JobConfiguration {
    let mut job = job(&format!("job{number}"), instances.into(), true);
    let task = &mut job.task;
    let limit = |name: &str, limit| Constraint {
        attribute: name.to_owned(),
        rule: ConstraintRule::Limit(limit),
    };
    let value = |name: &str, negated, value: &str| Constraint {
        attribute: name.to_owned(),
        rule: ConstraintRule::Value { negated, values: [value.to_owned()].into() },
    };
    match kind {
        Kind::Plain => {}
        Kind::HostLimit => drop(task.constraints.insert(limit("host", 1))),
        Kind::RackLimit => drop(task.constraints.insert(limit("rack", 2))),
        Kind::Value => drop(task.constraints.insert(value("rack", false, "r0"))),
        Kind::NotValue => drop(task.constraints.insert(value("rack", true, "r0"))),
        Kind::Dedicated => drop(task.constraints.insert(value("dedicated", false, "www"))),
        Kind::Ports => task.resources.ports = ["http".to_owned(), "admin".to_owned()].into(),
        Kind::Spread => drop(task.preferences.insert(Preference {
            attribute: "rack".into(),
            rule: PreferenceRule::Spread,
            weight: 1,
        })),
        Kind::Rather => drop(task.preferences.insert(Preference {
            attribute: "rack".into(),
            rule: PreferenceRule::Value { negated: false, values: ["r1".to_owned()].into() },
            weight: 5,
        })),
        Kind::Important => task.priority = 10,
        Kind::Preferred => task.tier = Some("preferred".into()),
        Kind::Revocable => task.tier = Some("revocable".into()),
        Kind::Large => {
            task.resources.cpus = MilliCpus(3000);
            task.tier = Some("preferred".into());
        }
    }
    job
}

fn act() -> impl Strategy<Value = Act> {
    let state = prop::sample::select(vec![
        TaskState::Running,
        TaskState::Running,
        TaskState::Killed,
        TaskState::Finished,
        TaskState::Lost,
    ]);
    prop_oneof![
        4 => (0_u8..6, prop::sample::select(KINDS.to_vec()), 1_u8..6)
            .prop_map(|(job, kind, count)| Act::Create(job, kind, count)),
        6 => (0..AGENTS, prop::bool::weighted(0.3)).prop_map(|(a, half)| Act::Offer(a, half)),
        1 => any::<prop::sample::Index>().prop_map(Act::Rescind),
        4 => (any::<prop::sample::Index>(), state).prop_map(|(i, s)| Act::Status(i, s)),
        1 => (0_u8..6).prop_map(Act::Kill),
        3 => (0_i64..3000).prop_map(Act::Wait),
        1 => Just(Act::Restart),
    ]
}

/// A cluster that knows what is free, and everything that was ever offered.
struct Model {
    world: World,
    settings: Settings,
    held: BTreeMap<OfferId, Offer>,
    made: u32,
    stopped: BTreeSet<TaskId>,
    /// Agents for which others were stopped: they may be kept for somebody.
    cleared: BTreeSet<AgentId>,
}

fn agent(number: usize) -> AgentId {
    AgentId::new(format!("A{number}")).unwrap()
}

fn attributes(number: usize) -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::from([
        ("host".to_owned(), BTreeSet::from([format!("h{number}")])),
        ("rack".to_owned(), BTreeSet::from([format!("r{}", number % 2)])),
    ]);
    if number == 4 {
        all.insert("dedicated".to_owned(), BTreeSet::from(["www".to_owned()]));
    }
    all
}

fn capacity() -> (ResourceBag, ResourceBag) {
    let bag = |cpus, ram_mb| ResourceBag {
        cpus: MilliCpus(cpus),
        ram_mb,
        disk_mb: ram_mb,
        ..ResourceBag::default()
    };
    (bag(4000, 4000), ResourceBag { ram_mb: 0, disk_mb: 0, ..bag(2000, 0) })
}

impl Model {
    fn new(orders: Vec<OfferOrder>, looks_per_step: u64) -> Self {
        let settings = Settings {
            looks_per_step,
            unset_quota: None,
            preemption_delay_ms: 1000,
            preemption_search_interval_ms: 1000,
            offer_reservation_ms: 2000,
            offer_order: orders,
            ..Settings::default()
        };
        let mut world = World::with(settings.clone());
        world.register();
        Self {
            world,
            settings,
            held: BTreeMap::new(),
            made: 0,
            stopped: BTreeSet::new(),
            cleared: BTreeSet::new(),
        }
    }

    /// What a task uses of what stays, and of what may be taken away.
    fn uses(&self, config: &TaskConfig) -> (ResourceBag, ResourceBag) {
        let all = config.resources.bag().plus(self.settings.executor_overhead);
        let all = ResourceBag { ports: 0, ..all };
        if config.tier.as_deref() == Some("revocable") {
            let cpus = ResourceBag { cpus: all.cpus, ..ResourceBag::default() };
            return (all.minus(cpus), cpus);
        }
        (all, ResourceBag::default())
    }

    fn live_on<'a>(state: &'a State, on: &AgentId) -> Vec<&'a ScheduledTask> {
        state
            .tasks()
            .filter(|task| task.state.is_slave_assigned())
            .filter(|task| task.assigned.agent.as_ref().is_some_and(|(agent, _)| agent == on))
            .collect()
    }

    /// What an agent has that is neither used nor offered.
    fn free(&self, on: &AgentId) -> (ResourceBag, ResourceBag) {
        let (mut fixed, mut revocable) = capacity();
        for task in Self::live_on(self.world.scheduler.state(), on) {
            let (a, b) = self.uses(&task.assigned.task);
            (fixed, revocable) = (fixed.minus(a), revocable.minus(b));
        }
        for offer in self.held.values().filter(|offer| offer.agent == *on) {
            let fixed_part = ResourceBag { ports: 0, ..offer.fixed };
            (fixed, revocable) = (fixed.minus(fixed_part), revocable.minus(offer.revocable));
        }
        (fixed, revocable)
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Create(number, kind, instances) => {
                let input = a_job(number, kind, instances);
                self.step(|world| {
                    let _ = world.create(input);
                });
            }
            Act::Offer(number, half) => self.offer(number, half),
            Act::Rescind(index) => {
                let ids: Vec<OfferId> = self.held.keys().cloned().collect();
                if let Some(id) = ids.get(index.index(ids.len().max(1))).cloned() {
                    self.held.remove(&id);
                    self.step(|world| drop(world.put(Input::Rescinded(id))));
                }
            }
            Act::Status(index, state) => {
                let tasks: Vec<(TaskId, AgentId)> = self
                    .world
                    .scheduler
                    .state()
                    .tasks()
                    .filter(|task| task.state.is_slave_assigned())
                    .filter_map(|task| Some((task.id().clone(), task.assigned.agent.clone()?.0)))
                    .collect();
                if let Some((task, agent)) = tasks.get(index.index(tasks.len().max(1))).cloned() {
                    let update = StatusUpdate {
                        task,
                        state,
                        agent: Some(agent),
                        message: None,
                        reason: None,
                        uuid: None,
                    };
                    self.step(|world| drop(world.put(Input::Status(update))));
                }
            }
            Act::Kill(number) => self.step(|world| {
                let _ = world.kill(&format!("job{number}"));
            }),
            Act::Wait(ms) => self.step(|world| drop(world.wait(ms))),
            Act::Restart => {
                self.held.clear();
                self.cleared.clear();
                self.step(|world| {
                    world.restart();
                    world.register();
                });
            }
        }
        // A step does as much as a step may; what is left comes at once.
        while self.world.scheduler.next_wakeup().is_some_and(|at| at <= self.world.now) {
            self.step(|world| drop(world.put(Input::Wakeup)));
        }
        self.check_nothing_is_missed();
    }

    fn offer(&mut self, number: usize, half: bool) {
        let id = agent(number);
        let (mut fixed, revocable) = self.free(&id);
        if half {
            fixed.cpus.0 /= 2;
            fixed.ram_mb /= 2;
            fixed.disk_mb /= 2;
        }
        self.made += 1;
        let begin = 31_000 + 4 * u16::try_from(self.made).unwrap();
        let offer = Offer {
            id: OfferId::new(format!("O{}", self.made)).unwrap(),
            agent: id,
            host: format!("h{number}"),
            address: format!("h{number}:5051"),
            attributes: attributes(number),
            fixed,
            revocable,
            ports: vec![PortRange { begin, end: begin + 3 }],
            unavailable_from: None,
        };
        self.held.insert(offer.id.clone(), offer.clone());
        self.step(|world| drop(world.put(Input::Offers(vec![offer]))));
    }

    /// Lets something happen, and looks at all that came of it.
    fn step(&mut self, happen: impl FnOnce(&mut World)) {
        let before = self.world.scheduler.state().clone();
        let (effects, log) = (self.world.effects.len(), self.world.log.len());
        happen(&mut self.world);
        // What a step has not looked at, the next ones do.
        let is_due =
            |world: &World| world.scheduler.next_wakeup().is_some_and(|at| at <= world.now);
        for left in (0..10_000).rev() {
            if !is_due(&self.world) {
                break;
            }
            assert!(left > 0, "it never ends");
            self.world.put(Input::Wakeup);
        }
        let ops: Vec<Op> = self.world.log[log..].iter().flatten().cloned().collect();
        self.check_ops(before, &ops);
        let effects: Vec<Effect> = self.world.effects.iter().skip(effects).cloned().collect();
        for effect in effects {
            match effect {
                Effect::Launch { offers, tasks } => {
                    let offers: Vec<Offer> = offers
                        .iter()
                        .map(|id| self.held.remove(id).expect("R4: an offer is used once"))
                        .collect();
                    self.check_room(&offers, tasks.iter().map(|task| &*task.task));
                    for port in tasks.iter().flat_map(|task| task.assigned_ports.values()) {
                        assert!(
                            offers
                                .iter()
                                .flat_map(|offer| &offer.ports)
                                .any(|range| { (range.begin..=range.end).contains(port) }),
                            "R2: {port} was not offered"
                        );
                    }
                    for agent in offers.into_iter().map(|offer| offer.agent) {
                        self.cleared.remove(&agent);
                    }
                }
                Effect::Decline(id) => {
                    assert!(self.held.remove(&id).is_some(), "R4: what is declined is held");
                }
                _ => {}
            }
        }
        self.check_agents();
    }

    /// R1 of one launch: no more than what was offered.
    fn check_room<'a>(&self, offers: &[Offer], tasks: impl Iterator<Item = &'a TaskConfig>) {
        let sum = |bags: Vec<ResourceBag>| {
            bags.into_iter().fold(ResourceBag::default(), ResourceBag::plus)
        };
        let fixed = sum(offers.iter().map(|offer| offer.fixed).collect());
        let revocable = sum(offers.iter().map(|offer| offer.revocable).collect());
        let used: Vec<_> = tasks.map(|config| self.uses(config)).collect();
        let used_fixed = sum(used.iter().map(|(fixed, _)| *fixed).collect());
        let used_revocable = sum(used.iter().map(|(_, revocable)| *revocable).collect());
        assert!(fixed.covers(&used_fixed), "R1: {used_fixed:?} of {fixed:?}");
        assert!(revocable.covers(&used_revocable), "R1: {used_revocable:?} of {revocable:?}");
    }

    /// R1 and R2 of every agent: what it has is enough for what it runs.
    fn check_agents(&self) {
        for number in 0..AGENTS {
            let (fixed, revocable) = capacity();
            let mut used = (ResourceBag::default(), ResourceBag::default());
            let mut ports = BTreeSet::new();
            for task in Self::live_on(self.world.scheduler.state(), &agent(number)) {
                let (a, b) = self.uses(&task.assigned.task);
                used = (used.0.plus(a), used.1.plus(b));
                for port in task.assigned.assigned_ports.values() {
                    assert!(ports.insert(*port), "R2: {port} is used twice");
                }
            }
            assert!(fixed.covers(&used.0) && revocable.covers(&used.1), "R1: {used:?}");
        }
    }

    /// Goes through the changes one by one: R5 and R6 hold at each.
    fn check_ops(&mut self, mut state: State, ops: &[Op]) {
        for op in ops {
            if let Op::Assign { id, agent: on, host, .. } = op {
                let task = state.task(id).unwrap();
                let number: usize = host[1..].parse().unwrap();
                assert_eq!(*on, agent(number));
                self.check_constraints(&state, &task.assigned.task, number);
            }
            if let Op::Transition { id, event } = op
                && event.state == TaskState::Preempting
            {
                self.check_victim(&state, id, event.message.as_deref().unwrap());
            }
            state.apply(op).unwrap();
        }
    }

    /// How many tasks of the job are on hosts with the value, everybody counted anew.
    fn count(state: &State, config: &TaskConfig, name: &str, value: &str) -> u32 {
        let on = |task: &ScheduledTask| {
            let (_, host) = task.assigned.agent.as_ref()?;
            let number: usize = host[1..].parse().ok()?;
            Some(attributes(number).get(name)?.contains(value))
        };
        let tasks = state.tasks().filter(|task| {
            *task.job() == config.job && task.state.is_slave_assigned() && on(task) == Some(true)
        });
        u32::try_from(tasks.count()).unwrap()
    }

    fn meets(state: &State, config: &TaskConfig, number: usize) -> bool {
        let has = attributes(number);
        let dedicated = has.contains_key("dedicated");
        let none = BTreeSet::new();
        (!dedicated || config.constraints.iter().any(|c| c.attribute == "dedicated"))
            && config.constraints.iter().all(|constraint| {
                let values = has.get(&constraint.attribute).unwrap_or(&none);
                match &constraint.rule {
                    ConstraintRule::Value { negated, values: wanted } => {
                        values.is_disjoint(wanted) == *negated
                    }
                    ConstraintRule::Limit(limit) => {
                        !values.is_empty()
                            && values.iter().all(|value| {
                                let count =
                                    Self::count(state, config, &constraint.attribute, value);
                                i64::from(count) < i64::from(*limit)
                            })
                    }
                }
            })
    }

    fn check_constraints(&self, state: &State, config: &TaskConfig, number: usize) {
        assert!(Self::meets(state, config, number), "R6: {config:?} on agent {number}");
    }

    /// R5: a victim is less important, runs, is stopped once, and its place is then enough.
    fn check_victim(&mut self, state: &State, id: &TaskId, message: &str) {
        let victim = state.task(id).unwrap();
        assert!(self.stopped.insert(id.clone()), "R5: {id} is stopped twice");
        assert!(
            matches!(victim.state, TaskState::Assigned | TaskState::Starting | TaskState::Running),
            "R5: {:?}",
            victim.state
        );
        let waiting = TaskId::new(message.rsplit(' ').next().unwrap()).unwrap();
        let waiting = state.task(&waiting).unwrap();
        assert_eq!(waiting.state, TaskState::Pending);
        let (ours, theirs) = (&waiting.assigned.task, &victim.assigned.task);
        let preemptible = |config: &TaskConfig| config.tier.as_deref() != Some("preferred");
        assert!(preemptible(theirs), "R5: production is not stopped");
        assert!(
            !preemptible(ours)
                || (ours.job.role() == theirs.job.role() && ours.priority > theirs.priority),
            "R5: {ours:?} is not more important than {theirs:?}"
        );
        let (on, host) = victim.assigned.agent.clone().unwrap();
        self.check_constraints(state, ours, host[1..].parse().unwrap());
        self.cleared.insert(on);
    }

    /// V1: whoever waits fits into nothing that is on offer, unless it is kept for others.
    fn check_nothing_is_missed(&self) {
        let state = self.world.scheduler.state();
        for task in state.tasks().filter(|task| task.state == TaskState::Pending) {
            let config = &task.assigned.task;
            for number in 0..AGENTS {
                let id = agent(number);
                if self.cleared.contains(&id) {
                    continue;
                }
                let offers: Vec<&Offer> =
                    self.held.values().filter(|offer| offer.agent == id).collect();
                let sum = |of: fn(&Offer) -> ResourceBag| {
                    offers.iter().map(|o| of(o)).fold(ResourceBag::default(), ResourceBag::plus)
                };
                let (fixed, revocable) = self.uses(config);
                let fits = !offers.is_empty()
                    && sum(|offer| offer.fixed).covers(&fixed)
                    && sum(|offer| offer.revocable).covers(&revocable)
                    && config.resources.ports.len() <= 4 * offers.len()
                    && Self::meets(state, config, number);
                assert!(!fits, "V1: {} waits, and fits on agent {number}", task.id());
            }
            let reason = self.world.scheduler.pending(task.id()).unwrap();
            assert!(!reason.text.is_empty());
            assert!(self.held.is_empty() || reason.hosts > 0 || !reason.text.contains(';'));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn placements_keep_every_rule_and_miss_no_place(
        acts in prop::collection::vec(act(), 1..60),
        orders in prop::sample::select(vec![
            vec![OfferOrder::Random],
            vec![OfferOrder::Cpu, OfferOrder::Memory],
            vec![OfferOrder::Spread],
        ]),
        looks in prop::sample::select(vec![1, 30, 16_000]),
    ) {
        let mut model = Model::new(orders, looks);
        for act in acts {
            model.act(act);
        }
        // What waits runs once there is room for it and nobody else wants it.
        for number in 0..6 {
            model.step(|world| drop(world.kill(&format!("job{number}"))));
        }
        let state = model.world.scheduler.state();
        prop_assert!(state.tasks().all(|task| task.state != TaskState::Pending));
        check_queries(&model.world);
        check_frozen(&mut model.world);
    }
}

/// How many agents have been looked at.
fn looked_at(world: &World) -> u64 {
    world.scheduler.counters().get("veto_evaluated_offers").copied().unwrap_or(0)
}

#[test]
fn a_step_looks_at_so_much_and_every_group_has_its_turn() {
    let settings = Settings { unset_quota: None, looks_per_step: 800, ..Settings::default() };
    let mut world = World::with(settings);
    world.register();
    for number in 0..50 {
        let mut job = job(&format!("never{number}"), 1, true);
        let values = BTreeSet::from(["nowhere".to_owned()]);
        let rule = ConstraintRule::Value { negated: false, values };
        job.task.constraints.insert(Constraint { attribute: "rack".into(), rule });
        world.create(job).unwrap();
    }
    world.create(job("last", 1, true)).unwrap();
    let is_placed = |world: &World| {
        let key = job("last", 1, true).key;
        world.scheduler.state().active_instance(&key, 0).unwrap().state == TaskState::Assigned
    };
    // So much changes all the time that those before it could do nothing but look at that.
    for round in 0..300 {
        let changed = if round == 0 { 200 } else { 2 };
        let offers: Vec<Offer> =
            (0..changed).map(|agent| world.an_offer(&format!("a{round}-{agent}"), 2)).collect();
        let before = looked_at(&world);
        world.put(Input::Offers(offers));
        let looks = looked_at(&world) - before;
        assert!((1..=101).contains(&looks), "{looks}");
        if is_placed(&world) {
            assert!(round > 0, "it did not have to wait for its turn");
            return;
        }
    }
    panic!("those before it keep it from ever being looked at");
}

/// A copy to be written down is what it was made of, and stays so.
fn check_frozen(world: &mut World) {
    let before = world.scheduler.state().clone();
    let frozen = world.scheduler.state().frozen();
    let restored = |state: &State| {
        let mut made = State::default();
        for op in state.to_ops() {
            made.apply(&op).unwrap();
        }
        made
    };
    let ops: Vec<Op> = frozen.to_ops().collect();
    let _ = world.create(job("later", 3, true));
    world.wait(1_000_000);
    assert_eq!(frozen.to_ops().collect::<Vec<_>>(), ops);
    assert_eq!(restored(&frozen), before);
    assert_eq!(restored(world.scheduler.state()), *world.scheduler.state());
}

/// What is found by index is what is found by looking at everything.
fn check_queries(world: &World) {
    let state = world.scheduler.state();
    for number in 0..AGENTS {
        let hosts = BTreeSet::from([format!("h{number}")]);
        let query = TaskQuery { hosts, ..TaskQuery::default() };
        let mut found: Vec<&TaskId> =
            world.scheduler.tasks(&query).into_iter().map(ScheduledTask::id).collect();
        let mut all: Vec<&TaskId> =
            state.tasks().filter(|task| query.matches(task)).map(ScheduledTask::id).collect();
        found.sort();
        all.sort();
        assert_eq!(found, all);
    }
    let all = world.scheduler.tasks(&TaskQuery::default());
    assert_eq!(all.len(), state.len());
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let (page, next) = world.scheduler.tasks_page(&TaskQuery::default(), after.as_ref(), 3);
        paged.extend(page);
        let Some(next) = next else { break };
        after = aurora_scheduler_core::TaskCursor::parse(&next.to_text());
        assert_eq!(after, Some(next));
    }
    assert_eq!(paged, all, "pages hold each task once");
    let mut states: BTreeMap<TaskState, u64> = BTreeMap::new();
    for (_, counts) in world.scheduler.jobs("") {
        for (state, count) in counts.states {
            *states.entry(state).or_default() += u64::from(count);
        }
    }
    assert_eq!(states, *state.counts());
    for job in state.jobs() {
        let page = world.scheduler.jobs_page(job.role(), None, 100);
        assert!(page.iter().any(|(key, _)| key == job));
    }
}
