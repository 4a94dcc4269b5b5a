//! Which pieces of an agent's resources a task uses (`scheduler.md` 5.5), and the Mesos task that
//! is made of them.

use std::collections::BTreeMap;

use aurora_api::v1 as api;
use aurora_daemon::shell::quoted;
use aurora_mesos::v1;
use aurora_model::job::{AssignedTask, Container, Image, MilliCpus, ResourceBag};
use aurora_model::key::JobKey;
use prost::Message;

/// What tasks are launched with.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// The executor's program.
    pub executor: Program,
    /// What it is started with.
    pub executor_flags: String,
    /// What the executor needs beside the task.
    pub overhead: ResourceBag,
    /// The tier of tasks that name none.
    pub default_tier: String,
    /// The tiers whose tasks use revocable resources.
    pub revocable_tiers: Vec<String>,
    /// Whether they use CPU that can be taken away.
    pub revocable_cpus: bool,
    /// Whether they use such memory.
    pub revocable_ram: bool,
    /// The cluster's name, if Mesos is to be told where tasks serve, for others who look there.
    pub discovery: Option<String>,
}

/// Where the executor's program is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// On every agent, at this path.
    There(String),
    /// Where agents fetch it from.
    Fetched {
        /// A path on the agents, or an address.
        source: String,
        /// Its name in the sandbox.
        file: String,
    },
}

impl Program {
    /// A program that agents fetch. None if the path or address names no file.
    pub fn fetched(source: &str) -> Option<Self> {
        let path = match source.split_once("://") {
            Some((_, address)) => {
                let address = address.split(['?', '#']).next().unwrap_or(address);
                address.split_once('/')?.1
            }
            None => source,
        };
        let file = path.rsplit('/').next().filter(|name| !name.is_empty())?;
        Some(Self::Fetched { source: source.to_owned(), file: file.to_owned() })
    }
}

/// An agent's resources do not hold what was decided upon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the offer has too little {0}")]
pub struct TooLittle(&'static str);

/// The resources of some offers of one agent, to be taken from.
#[derive(Debug)]
pub(crate) struct Pool(Vec<v1::Resource>);

impl Pool {
    /// Reserved resources come first: nobody else can use them.
    pub(crate) fn new(resources: impl IntoIterator<Item = v1::Resource>) -> Self {
        let mut all: Vec<v1::Resource> = resources.into_iter().collect();
        all.sort_by_key(|resource| !is_reserved(resource));
        Self(all)
    }

    fn take_scalar(
        &mut self,
        name: &'static str,
        millis: u64,
        revocable: bool,
    ) -> Result<Vec<v1::Resource>, TooLittle> {
        let mut needed = millis;
        let mut taken = Vec::new();
        for resource in &mut self.0 {
            if needed == 0 {
                break;
            }
            if resource.name != name || resource.revocable.is_some() != revocable {
                continue;
            }
            let Some(scalar) = &mut resource.scalar else { continue };
            let has = MilliCpus::from_cores(scalar.value).map_or(0, |millis| millis.0);
            let part = has.min(needed);
            if part == 0 {
                continue;
            }
            needed -= part;
            scalar.value = MilliCpus(has - part).cores();
            let value = Some(v1::value::Scalar { value: MilliCpus(part).cores() });
            taken.push(v1::Resource { scalar: value, ..resource.clone() });
        }
        if needed == 0 { Ok(taken) } else { Err(TooLittle(name)) }
    }

    fn take_ports(
        &mut self,
        ports: &BTreeMap<String, u16>,
    ) -> Result<Vec<v1::Resource>, TooLittle> {
        let mut taken: Vec<v1::Resource> = Vec::new();
        for port in ports.values().map(|port| u64::from(*port)) {
            let holds = |range: &v1::value::Range| (range.begin..=range.end).contains(&port);
            let resource = self
                .0
                .iter_mut()
                .filter(|resource| resource.name == "ports")
                .find(|resource| {
                    resource.ranges.as_ref().is_some_and(|ranges| ranges.range.iter().any(holds))
                })
                .ok_or(TooLittle("ports"))?;
            if let Some(ranges) = &mut resource.ranges {
                let rest = std::mem::take(&mut ranges.range);
                for range in rest {
                    if !holds(&range) {
                        ranges.range.push(range);
                        continue;
                    }
                    if range.begin < port {
                        ranges.range.push(v1::value::Range { begin: range.begin, end: port - 1 });
                    }
                    if port < range.end {
                        ranges.range.push(v1::value::Range { begin: port + 1, end: range.end });
                    }
                }
            }
            let range = vec![v1::value::Range { begin: port, end: port }];
            taken.push(v1::Resource {
                ranges: Some(v1::value::Ranges { range }),
                ..resource.clone()
            });
        }
        Ok(taken)
    }
}

fn is_reserved(resource: &v1::Resource) -> bool {
    !resource.reservations.is_empty()
        || resource.reservation.is_some()
        || resource.role.as_deref().is_some_and(|role| role != "*")
}

impl Launcher {
    /// The Mesos task of an assigned task, its resources taken out of the pool.
    pub(crate) fn task_info(
        &self,
        task: &AssignedTask,
        agent: &v1::AgentId,
        pool: &mut Pool,
    ) -> Result<v1::TaskInfo, TooLittle> {
        let config = &task.task;
        let tier = config.tier.as_deref().unwrap_or(&self.default_tier);
        let revocable = self.revocable_tiers.iter().any(|name| name == tier);
        let wanted = &config.resources;
        let (cpus, ram) = (revocable && self.revocable_cpus, revocable && self.revocable_ram);
        let mut resources = pool.take_scalar("cpus", wanted.cpus.0, cpus)?;
        resources.extend(pool.take_scalar("mem", wanted.ram_mb.saturating_mul(1000), ram)?);
        resources.extend(pool.take_scalar("disk", wanted.disk_mb.saturating_mul(1000), false)?);
        resources.extend(pool.take_scalar("gpus", wanted.gpus.saturating_mul(1000), false)?);
        resources.extend(pool.take_ports(&task.assigned_ports)?);
        let mut overhead = pool.take_scalar("cpus", self.overhead.cpus.0, cpus)?;
        overhead.extend(pool.take_scalar("mem", self.overhead.ram_mb.saturating_mul(1000), ram)?);
        let job = &config.job;
        let source =
            format!("{}.{}.{}.{}", job.role(), job.environment(), job.name(), task.instance);
        let label = |key: String, value: &str| v1::Label { key, value: Some(value.to_owned()) };
        let mut labels = vec![label("org.apache.aurora.tier".to_owned(), tier)];
        labels.extend(
            config
                .metadata
                .iter()
                .map(|(key, value)| label(format!("org.apache.aurora.metadata.{key}"), value)),
        );
        let name = config.executor.as_ref().map(|executor| executor.name.clone());
        Ok(v1::TaskInfo {
            name: job.to_string(),
            task_id: v1::TaskId { value: task.task_id.to_string() },
            agent_id: agent.clone(),
            resources,
            labels: Some(v1::Labels { labels }),
            discovery: self
                .discovery
                .as_deref()
                .map(|cluster| discovery(job, &task.assigned_ports, cluster)),
            data: Some(api::AssignedTask::from(task).encode_to_vec().into()),
            executor: Some(v1::ExecutorInfo {
                executor_id: v1::ExecutorId { value: format!("thermos-{}", task.task_id) },
                r#type: Some(v1::executor_info::Type::Custom as i32),
                name,
                source: Some(source.clone()),
                command: Some(self.command()),
                container: container(&config.container),
                resources: overhead,
                labels: Some(v1::Labels { labels: vec![label("source".to_owned(), &source)] }),
                ..v1::ExecutorInfo::default()
            }),
            ..v1::TaskInfo::default()
        })
    }

    fn command(&self) -> v1::CommandInfo {
        let (program, uris) = match &self.executor {
            Program::There(path) => (quoted(path), Vec::new()),
            Program::Fetched { source, file } => {
                let uri = v1::command_info::Uri {
                    value: source.clone(),
                    executable: Some(true),
                    extract: Some(false),
                    output_file: Some(file.clone()),
                    ..Default::default()
                };
                (format!("${{MESOS_SANDBOX=.}}/{}", quoted(file)), vec![uri])
            }
        };
        v1::CommandInfo {
            value: Some(format!("exec {program} {}", self.executor_flags).trim_end().to_owned()),
            shell: Some(true),
            uris,
            ..v1::CommandInfo::default()
        }
    }
}

/// Where a task serves, for what looks at Mesos (`executor.md` 17.6).
fn discovery(job: &JobKey, ports: &BTreeMap<String, u16>, cluster: &str) -> v1::DiscoveryInfo {
    let ports = ports.iter().map(|(name, number)| v1::Port {
        number: u32::from(*number),
        name: Some(name.clone()),
        protocol: Some("TCP".to_owned()),
        ..v1::Port::default()
    });
    v1::DiscoveryInfo {
        visibility: v1::discovery_info::Visibility::Cluster as i32,
        name: Some(format!("{}.{}.{}", job.name(), job.environment(), job.role())),
        environment: Some(job.environment().to_owned()),
        location: Some(cluster.to_owned()),
        ports: Some(v1::Ports { ports: ports.collect() }),
        ..v1::DiscoveryInfo::default()
    }
}

fn container(container: &Container) -> Option<v1::ContainerInfo> {
    let Container::Mesos { image: Some(image), volumes } = container else { return None };
    let image = match image {
        Image::Docker { name, tag } => v1::Image {
            r#type: v1::image::Type::Docker as i32,
            docker: Some(v1::image::Docker { name: format!("{name}:{tag}"), ..Default::default() }),
            ..Default::default()
        },
        Image::Appc { name, image_id } => v1::Image {
            r#type: v1::image::Type::Appc as i32,
            appc: Some(v1::image::Appc { name: name.clone(), id: Some(image_id.clone()) }),
            ..Default::default()
        },
    };
    let mut mounts = vec![v1::Volume {
        container_path: "taskfs".to_owned(),
        image: Some(image),
        // The executor adds the task's user and the places of mounts to it. It is this task's alone.
        mode: v1::volume::Mode::Rw as i32,
        ..Default::default()
    }];
    mounts.extend(volumes.iter().map(|volume| v1::Volume {
        container_path: volume.container_path.clone(),
        host_path: Some(volume.host_path.clone()),
        mode: if volume.read_only { v1::volume::Mode::Ro } else { v1::volume::Mode::Rw } as i32,
        ..Default::default()
    }));
    Some(v1::ContainerInfo {
        r#type: v1::container_info::Type::Mesos as i32,
        volumes: mounts,
        ..Default::default()
    })
}

/// What an offer holds, as the core sees it.
pub(crate) fn core_offer(
    offer: &v1::Offer,
) -> Result<aurora_scheduler_core::Offer, aurora_model::key::KeyError> {
    use aurora_model::key::{AgentId, OfferId};
    let mut fixed = ResourceBag::default();
    let mut revocable = ResourceBag::default();
    let mut ports = Vec::new();
    for resource in &offer.resources {
        let bag = if resource.revocable.is_some() { &mut revocable } else { &mut fixed };
        let millis = resource
            .scalar
            .as_ref()
            .and_then(|scalar| MilliCpus::from_cores(scalar.value))
            .unwrap_or_default();
        let whole = millis.0 / 1000;
        match resource.name.as_str() {
            "cpus" => bag.cpus.0 = bag.cpus.0.saturating_add(millis.0),
            "mem" => bag.ram_mb = bag.ram_mb.saturating_add(whole),
            "disk" => bag.disk_mb = bag.disk_mb.saturating_add(whole),
            "gpus" => bag.gpus = bag.gpus.saturating_add(whole),
            "ports" => {
                for range in resource.ranges.iter().flat_map(|ranges| &ranges.range) {
                    if let (Ok(begin), Ok(end)) = (range.begin.try_into(), range.end.try_into()) {
                        ports.push(aurora_scheduler_core::PortRange { begin, end });
                    }
                }
            }
            // Other resources are of no use to tasks.
            _ => {}
        }
    }
    let mut attributes: BTreeMap<String, std::collections::BTreeSet<String>> = BTreeMap::new();
    for attribute in &offer.attributes {
        attributes.entry(attribute.name.clone()).or_default().extend(values(attribute));
    }
    // Limits and constraints on hosts work without the operator's help.
    if !attributes.contains_key("host") {
        attributes.insert("host".to_owned(), [offer.hostname.clone()].into());
    }
    Ok(aurora_scheduler_core::Offer {
        id: OfferId::new(&offer.id.value)?,
        agent: AgentId::new(&offer.agent_id.value)?,
        host: offer.hostname.clone(),
        address: offer.url.as_ref().map(address).unwrap_or_default(),
        attributes,
        fixed,
        revocable,
        ports,
        unavailable_from: offer.unavailability.as_ref().map(|unavailability| {
            aurora_model::job::Timestamp(unavailability.start.nanoseconds / 1_000_000)
        }),
    })
}

/// Where an agent listens: by number, which needs no names, if the master tells it.
fn address(url: &v1::Url) -> String {
    let v1::Address { hostname, ip, port } = &url.address;
    match (ip, hostname) {
        (Some(ip), _) if ip.contains(':') => format!("[{ip}]:{port}"),
        (Some(ip), _) if !ip.is_empty() => format!("{ip}:{port}"),
        (_, Some(name)) if !name.is_empty() => format!("{name}:{port}"),
        _ => String::new(),
    }
}

fn values(attribute: &v1::Attribute) -> Vec<String> {
    let mut values = Vec::new();
    if let Some(text) = &attribute.text {
        values.push(text.value.clone());
    }
    if let Some(scalar) = &attribute.scalar {
        // As the original has it: constraints of old files say `1.0`.
        values.push(format!("{:?}", scalar.value));
    }
    if let Some(set) = &attribute.set {
        values.extend(set.item.iter().cloned());
    }
    for range in attribute.ranges.iter().flat_map(|ranges| &ranges.range) {
        values.push(format!("{}-{}", range.begin, range.end));
    }
    values
}

#[cfg(test)]
mod tests {
    use aurora_model::job::Volume;

    use super::*;

    fn scalar(name: &str, value: f64, role: &str) -> v1::Resource {
        v1::Resource {
            name: name.to_owned(),
            r#type: v1::value::Type::Scalar as i32,
            scalar: Some(v1::value::Scalar { value }),
            role: Some(role.to_owned()),
            ..Default::default()
        }
    }

    fn ports(begin: u64, end: u64) -> v1::Resource {
        let range = vec![v1::value::Range { begin, end }];
        v1::Resource {
            name: "ports".to_owned(),
            r#type: v1::value::Type::Ranges as i32,
            ranges: Some(v1::value::Ranges { range }),
            ..Default::default()
        }
    }

    #[test]
    fn what_is_fetched_has_a_name_without_the_rest_of_its_address() {
        let name = |source: &str| match Program::fetched(source)? {
            Program::Fetched { file, .. } => Some(file),
            Program::There(_) => None,
        };
        for (source, file) in [
            ("/usr/local/bin/aurora-executor", Some("aurora-executor")),
            ("aurora?executor", Some("aurora?executor")),
            ("http://h:80/a/aurora-executor?version=1/2#x", Some("aurora-executor")),
            ("file:///opt/aurora-executor", Some("aurora-executor")),
            ("", None),
            ("/usr/local/bin/", None),
            ("http://files", None),
            ("http://files/", None),
            ("http://files?x=/aurora-executor", None),
            ("http://files/?v=2", None),
        ] {
            assert_eq!(name(source).as_deref(), file, "{source}");
        }
    }

    #[test]
    fn reserved_resources_are_used_first_and_nothing_is_used_twice() {
        let mut pool = Pool::new([scalar("cpus", 1.0, "*"), scalar("cpus", 0.5, "www")]);
        let taken = pool.take_scalar("cpus", 700, false).unwrap();
        let shown: Vec<(Option<&str>, f64)> = taken
            .iter()
            .map(|piece| (piece.role.as_deref(), piece.scalar.as_ref().unwrap().value))
            .collect();
        assert_eq!(shown, [(Some("www"), 0.5), (Some("*"), 0.2)]);
        assert!(pool.take_scalar("cpus", 801, false).is_err());
        assert!(pool.take_scalar("cpus", 1, true).is_err(), "none of it is revocable");
    }

    #[test]
    fn mesos_is_told_where_a_task_serves_by_the_name_that_its_dns_makes() {
        let ports = BTreeMap::from([("admin".to_owned(), 31_001), ("http".to_owned(), 31_000)]);
        let told = discovery(&"www-data/prod/hello".parse().unwrap(), &ports, "east");
        assert_eq!(told.name.as_deref(), Some("hello.prod.www-data"));
        assert_eq!(told.environment.as_deref(), Some("prod"));
        assert_eq!(told.location.as_deref(), Some("east"));
        assert_eq!(told.visibility, v1::discovery_info::Visibility::Cluster as i32);
        let ports = told.ports.unwrap().ports.into_iter();
        let ports: Vec<_> = ports.map(|port| (port.name, port.number, port.protocol)).collect();
        let tcp = Some("TCP".to_owned());
        assert_eq!(
            ports,
            [
                (Some("admin".to_owned()), 31_001, tcp.clone()),
                (Some("http".to_owned()), 31_000, tcp)
            ]
        );
    }

    #[test]
    fn an_image_is_a_volume_that_the_executor_may_write_to_and_volumes_come_with_it_alone() {
        let volume = Volume {
            container_path: "/data".to_owned(),
            host_path: "/srv".to_owned(),
            read_only: true,
        };
        let image = Image::Docker { name: "nginx".to_owned(), tag: "1.27".to_owned() };
        let mesos = |image| Container::Mesos { image, volumes: vec![volume.clone()] };
        let info = container(&mesos(Some(image))).unwrap();
        let [taskfs, data] = &info.volumes[..] else { panic!("{info:?}") };
        assert_eq!(
            (taskfs.container_path.as_str(), taskfs.mode()),
            ("taskfs", v1::volume::Mode::Rw)
        );
        let docker = taskfs.image.as_ref().unwrap().docker.as_ref().unwrap();
        assert_eq!(docker.name, "nginx:1.27");
        assert_eq!((data.container_path.as_str(), data.mode()), ("/data", v1::volume::Mode::Ro));
        assert_eq!((data.host_path.as_deref(), &data.image), (Some("/srv"), &None));
        assert!(container(&mesos(None)).is_none());
    }

    #[test]
    fn a_number_is_written_as_constraints_say_it() {
        let attribute = |value| v1::Attribute {
            name: "generation".to_owned(),
            r#type: v1::value::Type::Scalar as i32,
            scalar: Some(v1::value::Scalar { value }),
            ..v1::Attribute::default()
        };
        assert_eq!(values(&attribute(1.0)), ["1.0"]);
        assert_eq!(values(&attribute(2.5)), ["2.5"]);
    }

    #[test]
    fn gpus_are_offered_and_taken_whole() {
        let offer = v1::Offer { resources: vec![scalar("gpus", 3.0, "*")], ..Default::default() };
        let offer = v1::Offer {
            id: v1::OfferId { value: "o".to_owned() },
            agent_id: v1::AgentId { value: "a".to_owned() },
            ..offer
        };
        assert_eq!(core_offer(&offer).unwrap().fixed.gpus, 3);
        let mut pool = Pool::new(offer.resources);
        let taken = pool.take_scalar("gpus", 2000, false).unwrap();
        assert_eq!(taken[0].scalar.as_ref().unwrap().value, 2.0);
        assert_eq!(pool.take_scalar("gpus", 2000, false), Err(TooLittle("gpus")));
    }

    #[test]
    fn ports_are_cut_out_of_their_ranges() {
        let mut pool = Pool::new([ports(31_000, 31_002)]);
        let wanted = BTreeMap::from([("http".to_owned(), 31_001)]);
        let taken = pool.take_ports(&wanted).unwrap();
        assert_eq!(taken[0].ranges.as_ref().unwrap().range[0].begin, 31_001);
        assert_eq!(pool.take_ports(&wanted), Err(TooLittle("ports")));
        assert!(pool.take_ports(&BTreeMap::from([("x".to_owned(), 31_002)])).is_ok());
    }
}
