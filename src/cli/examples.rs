//! An example for each command, shown below its `--help`.

/// By the words of the command.
const EXAMPLES: &[(&str, &str)] = &[
    ("up", "aurora up examples/hello_world.aurora"),
    ("down", "aurora down"),
    (
        "job create",
        "aurora job create devcluster/www-data/prod/hello hello.aurora --wait-until RUNNING",
    ),
    ("job add", "aurora job add devcluster/www-data/prod/hello/0 2 --wait-until RUNNING"),
    ("job restart", "aurora job restart devcluster/www-data/prod/hello --batch-size 2"),
    ("job wait", "aurora job wait devcluster/www-data/prod/hello --for healthy --timeout 5m"),
    ("job why", "aurora job why devcluster/www-data/prod/hello/0"),
    ("job open", "aurora job open devcluster/www-data/prod/hello"),
    ("job kill", "aurora job kill devcluster/www-data/prod/hello/0,2-4 -m 'too many'"),
    ("job killall", "aurora job killall devcluster/www-data/prod/hello --batch-size 5"),
    ("job status", "aurora job status 'devcluster/www-data/*/hello'"),
    ("job list", "aurora job list devcluster/www-data"),
    ("job inspect", "aurora job inspect devcluster/www-data/prod/hello hello.aurora"),
    ("deploy", "aurora deploy devcluster/www-data/prod/hello hello.aurora --yes --timeout 15m"),
    ("plan", "aurora plan devcluster/www-data/prod/hello hello.aurora --detailed-exitcode"),
    ("diff", "aurora diff devcluster/www-data/prod/hello/0 hello.aurora"),
    ("inspect", "aurora inspect devcluster/www-data/prod/hello hello.aurora"),
    ("job plan", "aurora job plan devcluster/www-data/prod/hello hello.aurora"),
    ("job diff", "aurora job diff devcluster/www-data/prod/hello hello.aurora --detailed-exitcode"),
    (
        "update start",
        "aurora update start devcluster/www-data/prod/hello hello.aurora --wait -m 'version 7'",
    ),
    ("update pause", "aurora update pause devcluster/www-data/prod/hello -m 'looking at errors'"),
    ("update resume", "aurora update resume devcluster/www-data/prod/hello"),
    ("update abort", "aurora update abort devcluster/www-data/prod/hello"),
    ("update rollback", "aurora update rollback devcluster/www-data/prod/hello --wait"),
    ("update wait", "aurora update wait devcluster/www-data/prod/hello"),
    ("update list", "aurora update list devcluster/www-data --status active"),
    ("update info", "aurora update info devcluster/www-data/prod/hello"),
    ("update open", "aurora update open devcluster/www-data/prod/hello"),
    ("why", "aurora why devcluster/www-data/prod/hello"),
    ("cron schedule", "aurora cron schedule devcluster/www-data/prod/backup backup.aurora"),
    ("cron deschedule", "aurora cron deschedule devcluster/www-data/prod/backup"),
    ("cron start", "aurora cron start devcluster/www-data/prod/backup"),
    ("cron show", "aurora cron show devcluster/www-data/prod/backup"),
    ("task logs", "aurora task logs devcluster/www-data/prod/hello --follow --tail 20"),
    ("task exec", "aurora task exec -it devcluster/www-data/prod/hello/0 -- bash"),
    ("task shell", "aurora task shell devcluster/www-data/prod/hello/0"),
    ("task cp", "aurora task cp devcluster/www-data/prod/hello/0:heap.prof ."),
    ("task run", "aurora task run devcluster/www-data/prod/hello 'ls -a'"),
    (
        "task ssh",
        "aurora task ssh devcluster/www-data/prod/hello/0 -c 'tail -1 .logs/main/0/stdout'",
    ),
    ("task scp", "aurora task scp notes.txt devcluster/www-data/prod/hello/0:"),
    ("quota get", "aurora quota get devcluster/www-data"),
    ("quota set", "aurora quota set devcluster/www-data 20 40GB 1TB"),
    ("sla get-task-up-count", "aurora sla get-task-up-count devcluster/www-data/prod/hello"),
    (
        "sla get-job-uptime",
        "aurora sla get-job-uptime devcluster/www-data/prod/hello --percentiles 99,50",
    ),
    ("admin query", "aurora admin query -l '%taskId% %slaveHost%' devcluster www-data hello"),
    (
        "admin prune_tasks",
        "aurora admin prune_tasks devcluster --states FINISHED --role www-data --dry-run",
    ),
    (
        "admin force_task_state",
        "aurora admin force_task_state devcluster www-data-prod-hello-0-2c4f LOST",
    ),
    ("admin set_quota", "aurora admin set_quota devcluster www-data 20 40gb 1tb"),
    ("admin increase_quota", "aurora admin increase_quota devcluster www-data 1.5 -512mb 10gb"),
    ("admin host_deactivate", "aurora admin host_deactivate --hosts host-1,host-2 devcluster"),
    ("admin host_activate", "aurora admin host_activate --filename hosts.txt devcluster"),
    ("admin host_status", "aurora admin host_status --hosts host-1 devcluster"),
    ("admin host_list", "aurora admin host_list devcluster --mode DRAINING,DRAINED"),
    (
        "admin host_drain",
        "aurora admin host_drain --filename hosts.txt --grouping by_name:^rack[0-9]+ devcluster",
    ),
    (
        "admin sla_host_drain",
        "aurora admin sla_host_drain --hosts host-1 --force-drain-timeout 2h --wait devcluster",
    ),
    ("admin sla_probe_hosts", "aurora admin sla_probe_hosts --hosts host-1 devcluster 95 30m"),
    ("admin sla_list_safe_domain", "aurora admin sla_list_safe_domain devcluster 95 30m -l"),
    ("admin scheduler_backup_now", "aurora admin scheduler_backup_now devcluster"),
    ("admin scheduler_list_backups", "aurora admin scheduler_list_backups devcluster"),
    ("admin scheduler_snapshot", "aurora admin scheduler_snapshot devcluster"),
    (
        "admin scheduler_stage_recovery",
        "aurora admin scheduler_stage_recovery devcluster scheduler-backup-2026-11-30-02-00-00",
    ),
    (
        "admin scheduler_print_recovery_tasks",
        "aurora admin scheduler_print_recovery_tasks devcluster",
    ),
    (
        "admin scheduler_delete_recovery_tasks",
        "aurora admin scheduler_delete_recovery_tasks devcluster www-data-prod-hello-0-2c4f",
    ),
    (
        "admin scheduler_commit_recovery",
        "aurora admin scheduler_commit_recovery devcluster --dry-run",
    ),
    ("admin scheduler_unload_recovery", "aurora admin scheduler_unload_recovery devcluster"),
    ("admin reconcile_tasks", "aurora admin reconcile_tasks devcluster --type implicit"),
    ("admin get_cluster_config", "aurora admin get_cluster_config --sh --export devcluster"),
    ("admin get_scheduler", "aurora admin get_scheduler devcluster"),
    ("config list", "aurora config list hello.aurora"),
    ("config check", "aurora config check --deny-warnings *.aurora"),
    ("config export", "aurora config export hello.aurora"),
    ("config fmt", "aurora config fmt --check hello.aurora"),
    ("config migrate", "aurora config migrate --in-place old.aurora"),
    ("config explain", "aurora config explain Job.update_config"),
    ("config schema", "aurora config schema"),
    ("thermos run", "aurora thermos run hello.aurora"),
    ("thermos simplerun", "aurora thermos simplerun 'echo hello'"),
    ("thermos status", "aurora thermos status --verbosity 2"),
    ("thermos tail", "aurora thermos tail 1733000000-www-data-prod-hello-0 main"),
    ("thermos read", "aurora thermos read /var/run/thermos/checkpoints/1733000000-hello/runner"),
    ("thermos inspect", "aurora thermos inspect hello.aurora"),
    ("thermos kill", "aurora thermos kill '.*hello.*'"),
    ("thermos gc", "aurora thermos gc --max-age 7days"),
    ("cluster list", "aurora cluster list"),
    ("cluster show", "aurora cluster show devcluster"),
    ("version", "aurora version devcluster"),
    ("lsp", "aurora lsp --log /tmp/aurora-lsp.log"),
    ("completion", "source <(aurora completion bash)"),
    ("man", "aurora man /usr/local/share/man/man1"),
];

/// A command, whose words are given, and those below it with their examples; `called` is the name by which it is called.
pub(super) fn with_examples(command: clap::Command, path: &str, called: &str) -> clap::Command {
    let example = EXAMPLES.iter().find(|(of, _)| *of == path).map(|(_, example)| *example);
    let command = match example {
        // What a command says by itself stays.
        Some(example) if command.get_after_help().is_none() => {
            let example = match called {
                "aurora_admin" => example.replace("aurora admin", called),
                _ => example.to_owned(),
            };
            command.after_help(format!("Example:\n  {example}"))
        }
        _ => command,
    };
    command.mut_subcommands(|command| {
        let path = format!("{path} {}", command.get_name());
        with_examples(command, &path, called)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The commands that do something, by their words.
    fn verbs(command: &clap::Command, path: &str, found: &mut Vec<String>) {
        for below in command.get_subcommands().filter(|it| !it.is_hide_set()) {
            let path = format!("{path} {}", below.get_name()).trim().to_owned();
            if below.has_subcommands() {
                verbs(below, &path, found);
            } else {
                found.push(path);
            }
        }
    }

    #[test]
    fn every_command_has_an_example_that_can_be_typed() {
        // Daemons are started by machines; docs/operations.md shows how.
        let daemons = ["scheduler", "master", "agent", "observer", "executor"];
        let mut tree = super::super::command().disable_help_subcommand(true);
        tree.build();
        let mut all = Vec::new();
        verbs(&tree, "", &mut all);
        let without: Vec<_> = all
            .iter()
            .filter(|verb| !daemons.contains(&verb.as_str()))
            .filter(|verb| {
                let mut command = &tree;
                for word in verb.split(' ') {
                    command = command.find_subcommand(word).unwrap();
                }
                command.get_after_help().is_none()
            })
            .collect();
        assert!(without.is_empty(), "no example in src/cli/examples.rs: {without:?}");
        for (path, example) in EXAMPLES {
            assert!(all.iter().any(|verb| verb == path), "there is no `aurora {path}`");
            let line = example.trim_start_matches("source <(").trim_end_matches(')');
            let words = shell_words(line);
            assert!(line.starts_with("aurora "), "{example}");
            let parsed = super::super::command().try_get_matches_from(&words);
            assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
        }
    }

    /// The words of a line in which only single quotes are special.
    fn shell_words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
        for char in line.chars() {
            match char {
                '\'' => quoted = !quoted,
                ' ' if !quoted => words.push(std::mem::take(&mut word)),
                other => word.push(other),
            }
        }
        words.push(word);
        words
    }
}
