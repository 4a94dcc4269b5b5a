//! The codes of everything that can be wrong with a file: one table, one page each in
//! `docs/errors/`.

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file, or the job, cannot be used.
    Error,
    /// It can be used, and does not do what it seems to.
    Warning,
}

macro_rules! codes {
    ($($severity:ident { $($variant:ident $id:literal $title:literal;)* })*) => {
        /// What is wrong, as a name that stays the same from release to release: for people to look
        /// up, for programs to tell apart, and for comments that allow it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $title] $variant,)*)*
        }

        impl Code {
            /// All of them.
            pub const ALL: &'static [Self] = &[$($(Self::$variant,)*)*];

            /// The name, such as `unknown-field`.
            pub const fn id(self) -> &'static str {
                match self { $($(Self::$variant => $id,)*)* }
            }

            /// What it means, in a few words.
            pub const fn title(self) -> &'static str {
                match self { $($(Self::$variant => $title,)*)* }
            }

            /// The page about it, in Markdown.
            pub const fn page(self) -> &'static str {
                match self {
                    $($(Self::$variant => {
                        include_str!(concat!("../../../docs/errors/", $id, ".md"))
                    })*)*
                }
            }

            /// How bad it is.
            pub const fn severity(self) -> Severity {
                match self { $($(Self::$variant => Severity::$severity,)*)* }
            }
        }
    };
}

codes! {
    Error {
        UnreadableFile "unreadable-file" "a file cannot be read";
        IncludeCycle "include-cycle" "a file includes itself";
        BadInclude "bad-include" "an include that cannot be followed";
        OutsideRoot "outside-root" "a file outside the folder of the project";
        UndeclaredInput "undeclared-input" "something is read from outside that is not declared";
        UnknownModule "unknown-module" "a module that this language does not have";
        LimitExceeded "limit-exceeded" "the file takes more than an evaluation may use";
        Cancelled "cancelled" "the evaluation was stopped";
        SyntaxError "syntax-error" "the text is no program";
        UnsupportedSyntax "unsupported-syntax" "Python that this language does not have";
        UnknownName "unknown-name" "a name that nothing defines";
        UnknownAttribute "unknown-attribute" "an attribute or method that the value does not have";
        WrongArguments "wrong-arguments" "a call with arguments that the function does not take";
        WrongType "wrong-type" "an operation on values that do not have it";
        EvaluationError "evaluation-error" "the program fails while it runs";
        FailedByFile "failed-by-file" "the file itself refuses to go on";
        UnknownField "unknown-field" "a field that the struct does not have";
        TypeMismatch "type-mismatch" "a value of another type than its field";
        BadEnumValue "bad-enum-value" "a value that is not one of those allowed";
        BadBinding "bad-binding" "something that cannot be bound";
        NoJobs "no-jobs" "the file defines no jobs";
        NotAJob "not-a-job" "`jobs` holds something else than jobs";
        JobNotFound "job-not-found" "the file has no such job";
        AmbiguousJob "ambiguous-job" "several jobs are called the same";
        MissingField "missing-field" "a required field is not given";
        BadValue "bad-value" "a text or number that its field cannot take";
        BadReference "bad-reference" "braces that are no reference";
        ReferenceCycle "reference-cycle" "a reference that leads back to itself";
        UnboundReference "unbound-reference" "a reference that nothing is bound to";
        BadIdentifier "bad-identifier" "a name with characters that names cannot have";
        BadResources "bad-resources" "resources that are missing or too small";
        BadOrder "bad-order" "processes that cannot run in the order asked for";
        BadConstraint "bad-constraint" "a placement constraint that cannot be read";
        BadContainer "bad-container" "a container that cannot be made";
        BadCronPolicy "bad-cron-policy" "a cron collision policy that does not exist";
        BadUpdateConfig "bad-update-config" "update or health check numbers that cannot work";
        StaticPort "static-port" "a port number on a job that is not dedicated";
        PortmapCycle "portmap-cycle" "port names that lead back to themselves";
        InvalidJob "invalid-job" "the job cannot be submitted";
        BadProjectFile "bad-project-file" "aurora.toml cannot be used";
    }
    Warning {
        HealthCheckWithoutPort "health-check-without-port" "a health check that never runs";
        UnlimitedFailures "unlimited-failures" "a process that may fail for ever";
        ShortWatch "short-watch" "an update that watches shorter than the health check needs";
        UnusedBinding "unused-binding" "something is bound that nothing refers to";
        RedefinedName "redefined-name" "a name defined twice, the first time in vain";
        ShadowedName "shadowed-name" "a name of the language given another meaning";
        ProductionWithoutTier "production-without-tier" "`production` without a tier";
        UpdateOfBatchJob "update-of-batch-job" "update settings on a job that is no service";
        EndlessTask "endless-task" "a batch task that never ends";
        UnrequestedPort "unrequested-port" "a primary port that no process asks for";
        PortOnlyInHealthCheck "port-only-in-health-check" "a port that only the health check names";
        CronService "cron-service" "a cron schedule on a service";
        DuplicateJob "duplicate-job" "two jobs of the same key";
        ImpossibleLimit "impossible-limit" "a limit that leaves no room for any instance";
        OneHost "one-host" "all instances on one host";
        OrderOfUnknown "order-of-unknown" "an order of processes that the task does not have";
        DuplicateProcess "duplicate-process" "two processes of the same name";
        UnknownAllow "unknown-allow" "a comment allows a code that does not exist";
    }
}

impl Code {
    /// The code of a name; [`None`] if there is none.
    pub fn of(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.id() == id)
    }
}

/// What is wrong with a job whose `field`, an address from the job, the scheduler would not take.
pub(crate) fn of_field(field: &str, message: &str) -> Code {
    let top = field.split(['.', '[']).next().unwrap_or_default();
    match top {
        "role" | "environment" | "name" => Code::BadIdentifier,
        "task" if field.starts_with("task.processes") && field.ends_with(".name") => {
            Code::BadIdentifier
        }
        "task" if field.starts_with("task.resources") => Code::BadResources,
        "task" if field.starts_with("task.constraints") => Code::BadOrder,
        "constraints" => Code::BadConstraint,
        "container" => Code::BadContainer,
        "cron_collision_policy" | "cron_catch_up" => Code::BadCronPolicy,
        "update_config" | "health_check_config" => Code::BadUpdateConfig,
        "announce" if message.contains("cycle") => Code::PortmapCycle,
        "announce" if message.contains("static port") => Code::StaticPort,
        _ => Code::InvalidJob,
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id())
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_found_by_its_name_alone() {
        for code in Code::ALL {
            assert_eq!(Code::of(code.id()), Some(*code));
            assert!(code.id().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{code}");
        }
        assert_eq!(Code::of("unknown"), None);
    }
}
