//! Sets of resources: sums, differences, and the text they are configured with.

use aurora_mesos::v1::{Resource, value};

/// Ports of an agent that says nothing else, as Mesos has them.
const DEFAULT_PORTS: (u64, u64) = (31_000, 32_000);

/// Amounts of one agent: scalars in thousandths by name, and port numbers.
///
/// Roles and reservations are not kept apart: everything belongs to `*`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources {
    scalars: std::collections::BTreeMap<String, u64>,
    /// Sorted, neither overlapping nor touching.
    ports: Vec<(u64, u64)>,
}

/// A text that is no set of resources.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid resources {text:?}: {reason}; write cpus:4;mem:8192;disk:20000;ports:[31000-32000]"
)]
pub struct ResourcesError {
    text: String,
    reason: String,
}

impl Resources {
    /// Reads `cpus:8;mem:8192;disk:20000;ports:[31000-32000]`; sizes are in MB.
    ///
    /// # Errors
    /// The text is something else.
    pub fn parse(text: &str) -> Result<Self, ResourcesError> {
        let error = |reason: String| ResourcesError { text: text.to_owned(), reason };
        let mut all = Self::default();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) =
                part.split_once(':').ok_or_else(|| error(format!("{part:?} has no ':'")))?;
            let value = value.trim();
            if let Some(ranges) = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                for range in ranges.split(',') {
                    let (begin, end) = range
                        .split_once('-')
                        .and_then(|(b, e)| Some((b.trim().parse().ok()?, e.trim().parse().ok()?)))
                        .filter(|(begin, end)| begin <= end && *end <= 65_535)
                        .ok_or_else(|| error(format!("{range:?} is no range of ports")))?;
                    all.ports.push((begin, end));
                }
                continue;
            }
            let amount = value
                .parse::<f64>()
                .ok()
                .and_then(millis)
                .ok_or_else(|| error(format!("{value:?} is no amount")))?;
            *all.scalars.entry(name.trim().to_owned()).or_default() += amount;
        }
        all.ports = merged(all.ports);
        Ok(all)
    }

    /// What this machine has: its cores, its memory less what the rest needs, the disk around
    /// `folder`. As Mesos does: of memory and disk the smaller of half and 1 GB (5 GB) is kept.
    pub fn of_machine(folder: &std::path::Path) -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
        let info = rustix::system::sysinfo();
        let memory_mb = (info.totalram as u64).saturating_mul(u64::from(info.mem_unit)) >> 20;
        let disk_mb = rustix::fs::statvfs(folder)
            .map_or(0, |found| found.f_bavail.saturating_mul(found.f_frsize) >> 20);
        let spare = |amount: u64, most: u64| amount - (amount / 2).min(most);
        let scalars = [
            ("cpus", cpus * 1000),
            ("mem", spare(memory_mb, 1024) * 1000),
            ("disk", spare(disk_mb, 5120) * 1000),
        ];
        Self {
            scalars: scalars.into_iter().map(|(name, amount)| (name.to_owned(), amount)).collect(),
            ports: vec![DEFAULT_PORTS],
        }
    }

    /// Takes what is missing from `defaults`.
    #[must_use]
    pub fn or(mut self, defaults: Self) -> Self {
        for (name, amount) in defaults.scalars {
            self.scalars.entry(name).or_insert(amount);
        }
        if self.ports.is_empty() {
            self.ports = defaults.ports;
        }
        self
    }

    /// What Mesos resources amount to.
    pub fn of<'a>(resources: impl IntoIterator<Item = &'a Resource>) -> Self {
        let mut all = Self::default();
        for resource in resources {
            if let Some(scalar) = &resource.scalar {
                let sum = all.scalars.entry(resource.name.clone()).or_default();
                *sum = sum.saturating_add(millis(scalar.value).unwrap_or(0));
            }
            if resource.name == "ports" {
                all.ports.extend(
                    resource
                        .ranges
                        .iter()
                        .flat_map(|ranges| &ranges.range)
                        .map(|range| (range.begin, range.end))
                        // One that ends before it begins holds nothing.
                        .filter(|(begin, end)| begin <= end),
                );
            }
        }
        all.ports = merged(all.ports);
        all
    }

    /// As Mesos resources, allocated to a role if one is given.
    pub fn to_mesos(&self, role: Option<&str>) -> Vec<Resource> {
        let allocation_info = role
            .map(|role| aurora_mesos::v1::resource::AllocationInfo { role: Some(role.to_owned()) });
        #[expect(clippy::cast_precision_loss, reason = "amounts are far below 2^53")]
        let scalars =
            self.scalars.iter().filter(|(_, amount)| **amount > 0).map(|(name, amount)| Resource {
                name: name.clone(),
                r#type: value::Type::Scalar as i32,
                scalar: Some(value::Scalar { value: *amount as f64 / 1000.0 }),
                role: Some("*".to_owned()),
                allocation_info: allocation_info.clone(),
                ..Resource::default()
            });
        let ports = (!self.ports.is_empty()).then(|| Resource {
            name: "ports".to_owned(),
            r#type: value::Type::Ranges as i32,
            ranges: Some(value::Ranges {
                range: self
                    .ports
                    .iter()
                    .map(|(begin, end)| value::Range { begin: *begin, end: *end })
                    .collect(),
            }),
            role: Some("*".to_owned()),
            allocation_info: allocation_info.clone(),
            ..Resource::default()
        });
        scalars.chain(ports).collect()
    }

    /// The sum.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        for (name, amount) in &other.scalars {
            let total = sum.scalars.entry(name.clone()).or_default();
            *total = total.saturating_add(*amount);
        }
        sum.ports.extend(&other.ports);
        sum.ports = merged(sum.ports);
        sum
    }

    /// What is left when `other` is taken away; nothing goes below zero.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        rest.take(other);
        rest
    }

    /// Takes `other` away; nothing goes below zero.
    pub fn take(&mut self, other: &Self) {
        for (name, amount) in &other.scalars {
            if let Some(has) = self.scalars.get_mut(name) {
                *has = has.saturating_sub(*amount);
            }
        }
        for (begin, end) in &other.ports {
            self.ports = std::mem::take(&mut self.ports)
                .into_iter()
                .flat_map(|(b, e)| {
                    let before = (b < *begin).then(|| (b, e.min(begin - 1)));
                    let after = (e > *end).then(|| (b.max(end + 1), e));
                    before.into_iter().chain(after)
                })
                .collect();
        }
    }

    /// Whether `other` is in this, every kind of it.
    pub fn covers(&self, other: &Self) -> bool {
        let scalars = other
            .scalars
            .iter()
            .all(|(name, amount)| self.scalars.get(name).copied().unwrap_or(0) >= *amount);
        scalars
            && other
                .ports
                .iter()
                .all(|(begin, end)| self.ports.iter().any(|(b, e)| b <= begin && end <= e))
    }

    /// Whether tasks could run on this: there must be both CPU and memory.
    pub fn is_useful(&self) -> bool {
        ["cpus", "mem"].iter().all(|name| self.scalars.get(*name).is_some_and(|amount| *amount > 0))
    }
}

fn millis(amount: f64) -> Option<u64> {
    if !(0.0..1e12).contains(&amount) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked just above"
    )]
    Some((amount * 1000.0).round() as u64)
}

fn merged(mut ports: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    ports.sort_unstable();
    let mut all: Vec<(u64, u64)> = Vec::with_capacity(ports.len());
    for (begin, end) in ports {
        match all.last_mut() {
            Some((_, last)) if begin <= last.saturating_add(1) => *last = end.max(*last),
            _ => all.push((begin, end)),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_and_differences_taken() {
        let all = Resources::parse("cpus:2;mem:100;ports:[10-20, 30-40]").unwrap();
        let part = Resources::parse("cpus:0.5;mem:100;ports:[15-15,30-40]").unwrap();
        assert!(all.covers(&part) && !part.covers(&all));
        let rest = all.minus(&part);
        assert_eq!(rest, Resources::parse("cpus:1.5;mem:0;ports:[10-14,16-20]").unwrap());
        assert_eq!(rest.plus(&part), all);
        assert!(!rest.is_useful());
        assert_eq!(Resources::of(&all.to_mesos(Some("*"))), all);
        let ports = |ranges: &[(u64, u64)]| Resource {
            name: "ports".to_owned(),
            ranges: Some(value::Ranges {
                range: ranges.iter().map(|&(begin, end)| value::Range { begin, end }).collect(),
            }),
            ..Resource::default()
        };
        let huge = Resources::of(&[ports(&[(0, u64::MAX), (5, u64::MAX)])]);
        assert!(!all.covers(&huge) && all.minus(&huge).ports.is_empty());
        assert_eq!(Resources::of(&[ports(&[(35, 32)])]), Resources::default());
        for bad in ["cpus", "cpus:x", "cpus:-1", "ports:[3-2]", "ports:[1-70000]"] {
            assert!(Resources::parse(bad).is_err(), "{bad}");
        }
    }
}
