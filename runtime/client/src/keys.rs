//! What people write for roles, jobs, instances and patterns of jobs (`client.md` 4).

use std::collections::BTreeSet;
use std::str::FromStr;

use aurora_model::key::{ClusterJobKey, JobKey, Role};

/// The most instances that one command may name.
const MAX_INSTANCES: usize = 100_000;

/// `cluster/role/environment/name[/instances]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstancesKey {
    /// The job.
    pub job: ClusterJobKey,
    /// All, if none.
    pub instances: Option<BTreeSet<u32>>,
}

impl FromStr for InstancesKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not cluster/role/environment/name or …/name/instances");
        let slashes: Vec<usize> = text.match_indices('/').map(|(at, _)| at).collect();
        let (job, instances) = match slashes.len() {
            3 => (text, None),
            4 => (&text[..slashes[3]], Some(&text[slashes[3] + 1..])),
            _ => return Err(wrong()),
        };
        let job = job.parse().map_err(|error: aurora_model::key::KeyError| error.to_string())?;
        let instances = match instances {
            None | Some("") => None,
            Some(instances) => Some(instance_set(instances)?),
        };
        Ok(Self { job, instances })
    }
}

/// `cluster/role/environment/name/instance`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceKey {
    /// The job.
    pub job: ClusterJobKey,
    /// One instance of it.
    pub instance: u32,
}

impl FromStr for InstanceKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not cluster/role/environment/name/instance");
        let (job, instance) = text.rsplit_once('/').ok_or_else(wrong)?;
        if !instance.bytes().all(|byte| byte.is_ascii_digit()) || text.matches('/').count() != 4 {
            return Err(wrong());
        }
        let job = job.parse().map_err(|error: aurora_model::key::KeyError| error.to_string())?;
        Ok(Self { job, instance: instance.parse().map_err(|_| wrong())? })
    }
}

impl std::fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.job, self.instance)
    }
}

/// `0,2-5,7`.
///
/// # Errors
/// A text that says what was expected.
pub fn instance_set(text: &str) -> Result<BTreeSet<u32>, String> {
    let wrong = || format!("{text:?} is no list of instances such as 0,2-5");
    let number = |part: &str| {
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            part.parse::<u32>().map_err(|_| wrong())
        } else {
            Err(wrong())
        }
    };
    let mut instances = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        if first > last {
            return Err(format!("the range {part} of instances ends before it begins"));
        }
        if (last - first) as usize >= MAX_INSTANCES {
            return Err(format!("the range {part} names more than {MAX_INSTANCES} instances"));
        }
        instances.extend(first..=last);
        if instances.len() > MAX_INSTANCES {
            return Err(format!("{text:?} names more than {MAX_INSTANCES} instances"));
        }
    }
    Ok(instances)
}

/// `cluster/role`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterRole {
    /// The cluster.
    pub cluster: String,
    /// The role.
    pub role: Role,
}

impl FromStr for ClusterRole {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((cluster, role)) if !cluster.is_empty() && !role.contains('/') => {
                let role = Role::new(role).map_err(|error| error.to_string())?;
                Ok(Self { cluster: cluster.to_owned(), role })
            }
            _ => Err(format!("{text:?} is not cluster/role, such as devcluster/www-data")),
        }
    }
}

impl std::fmt::Display for ClusterRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.cluster, self.role)
    }
}

/// `cluster[/role[/environment[/name]]]`; the parts after the cluster may hold `*`, `?` and `[…]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPattern {
    /// The cluster, written out; or `*` for all.
    pub cluster: String,
    parts: [Part; 3],
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Exactly(String),
    Like(Glob),
}

impl FromStr for JobPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').collect();
        if parts.len() > 4 || parts.iter().any(|part| part.is_empty()) {
            return Err(format!("{text:?} is not cluster[/role[/environment[/name]]]"));
        }
        let part = |index: usize| -> Result<Part, String> {
            let text = parts.get(index).copied().unwrap_or("*");
            if text.contains(['*', '?', '[']) {
                Glob::parse(text).map(Part::Like)
            } else if aurora_model::key::is_identifier(text) {
                Ok(Part::Exactly(text.to_owned()))
            } else {
                Err(format!(
                    "{text:?} is neither a name nor a pattern: use A-Z a-z 0-9 _ - . * ? [ ]"
                ))
            }
        };
        Ok(Self { cluster: parts[0].to_owned(), parts: [part(1)?, part(2)?, part(3)?] })
    }
}

impl JobPattern {
    /// Whether jobs of every cluster are meant.
    pub fn is_of_all_clusters(&self) -> bool {
        self.cluster == "*"
    }

    /// The role, if it is written out.
    pub fn role(&self) -> Option<&str> {
        match &self.parts[0] {
            Part::Exactly(role) => Some(role),
            Part::Like(_) => None,
        }
    }

    /// The one job that is meant, if its key is written out.
    pub fn literal(&self) -> Option<JobKey> {
        let [Part::Exactly(role), Part::Exactly(environment), Part::Exactly(name)] = &self.parts
        else {
            return None;
        };
        JobKey::new(role, environment, name).ok()
    }

    /// Whether a key of its cluster is meant.
    pub fn matches(&self, key: &JobKey) -> bool {
        self.parts.iter().zip([key.role(), key.environment(), key.name()]).all(|(part, text)| {
            match part {
                Part::Exactly(wanted) => wanted == text,
                Part::Like(glob) => glob.matches(text),
            }
        })
    }
}

impl std::fmt::Display for JobPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.cluster)?;
        self.parts.iter().try_for_each(|part| match part {
            Part::Exactly(text) => write!(f, "/{text}"),
            Part::Like(glob) => write!(f, "/{}", glob.text),
        })
    }
}

/// A shell pattern: `*`, `?`, `[a-z]`, `[!a-z]`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Glob {
    text: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Char(char),
    Any,
    Many,
    Set { not: bool, ranges: Vec<(char, char)> },
}

impl Glob {
    fn parse(text: &str) -> Result<Self, String> {
        let mut steps = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(char) = chars.next() {
            steps.push(match char {
                '*' => Step::Many,
                '?' => Step::Any,
                '[' => {
                    let not = chars.next_if(|char| matches!(char, '!' | '^')).is_some();
                    let mut ranges = Vec::new();
                    loop {
                        match chars.next() {
                            None => return Err(format!("the [ in {text:?} is not closed")),
                            Some(']') if !ranges.is_empty() => break,
                            Some(first) => {
                                let mut ahead = chars.clone();
                                let range = ahead.next() == Some('-')
                                    && ahead.next().is_some_and(|last| last != ']');
                                let last = if range {
                                    chars.next();
                                    chars.next().unwrap_or(first)
                                } else {
                                    first
                                };
                                ranges.push((first, last));
                            }
                        }
                    }
                    Step::Set { not, ranges }
                }
                other => Step::Char(other),
            });
        }
        Ok(Self { text: text.to_owned(), steps })
    }

    /// In time proportional to the product of the lengths, whatever the pattern.
    fn matches(&self, text: &str) -> bool {
        // Which beginnings of the pattern match what was read so far.
        let mut reached = vec![false; self.steps.len() + 1];
        reached[0] = true;
        self.skip_many(&mut reached);
        for char in text.chars() {
            let mut next = vec![false; reached.len()];
            for (index, step) in self.steps.iter().enumerate() {
                if !reached[index] {
                    continue;
                }
                match step {
                    Step::Many => next[index] = true,
                    Step::Any => next[index + 1] = true,
                    Step::Char(wanted) => next[index + 1] |= *wanted == char,
                    Step::Set { not, ranges } => {
                        let inside = ranges.iter().any(|(a, b)| (*a..=*b).contains(&char));
                        next[index + 1] |= inside != *not;
                    }
                }
            }
            reached = next;
            self.skip_many(&mut reached);
        }
        reached[self.steps.len()]
    }

    fn skip_many(&self, reached: &mut [bool]) {
        for (index, step) in self.steps.iter().enumerate() {
            if reached[index] && *step == Step::Many {
                reached[index + 1] = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_sorted_and_ranges_are_inclusive() {
        let key: InstancesKey = "c/r/e/n/4,1-2,0-0".parse().unwrap();
        assert_eq!(key.instances, Some(BTreeSet::from([0, 1, 2, 4])));
        assert_eq!("c/r/e/n/".parse::<InstancesKey>().unwrap().instances, None);
        assert_eq!("c/r/e/n".parse::<InstancesKey>().unwrap().instances, None);
        for wrong in [
            "",
            "c/r/e",
            "c/r/e/n/x",
            "c/r/e/n/5-2",
            "c/r/e/n/1-",
            "c/r/e/n/0/1",
            "c/r/e/n/+1",
            "c/r/e/n/0-4294967295",
            "/r/e/n",
            "c/r e/e/n",
        ] {
            assert!(wrong.parse::<InstancesKey>().is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn c3_one_instance_is_one_number() {
        let key: InstanceKey = "c/r/e/n/7".parse().unwrap();
        assert_eq!((key.job.to_string().as_str(), key.instance), ("c/r/e/n", 7));
        for wrong in
            ["c/r/e/n", "c/r/e/n/", "c/r/e/n/0-1", "c/r/e/n/0-0", "c/r/e/n/0,0", "c/r/e/n/x"]
        {
            assert!(wrong.parse::<InstanceKey>().is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn a_role_is_of_a_cluster() {
        let key: ClusterRole = "dev cluster/www-data".parse().unwrap();
        assert_eq!((key.cluster.as_str(), key.role.as_str()), ("dev cluster", "www-data"));
        assert_eq!(key.to_string(), "dev cluster/www-data");
        for wrong in ["", "c", "/r", "c/r/prod", "c/", "c/a b"] {
            assert!(wrong.parse::<ClusterRole>().is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn patterns_match_as_in_a_shell() {
        let matches = |pattern: &str, key: &str| {
            pattern.parse::<JobPattern>().unwrap().matches(&key.parse().unwrap())
        };
        assert!(matches("c", "a/b/d"));
        assert!(matches("c/a/*/d", "a/b/d"));
        assert!(!matches("c/a/*/e", "a/b/d"));
        assert!(matches("c/*/prod/h*l?", "www-data/prod/hello"));
        assert!(matches("c/*/prod/[g-i]ello", "www-data/prod/hello"));
        assert!(!matches("c/*/prod/[!g-i]ello", "www-data/prod/hello"));
        assert!(!matches("c/w", "www/prod/x"));
        for (pattern, is_of_all) in [("*", true), ("*/r", true), ("c*", false), ("?", false)] {
            assert_eq!(pattern.parse::<JobPattern>().unwrap().is_of_all_clusters(), is_of_all);
        }
        for wrong in ["", "c//e", "c/r/e/n/0", "c/r/[e", "c/a b"] {
            assert!(wrong.parse::<JobPattern>().is_err(), "{wrong:?} was taken");
        }
    }
}
