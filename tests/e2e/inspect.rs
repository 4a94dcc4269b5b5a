//! What a file means, without a scheduler (`client.md` 6 and 15).

use crate::support::Home;

#[test]
fn c81_c82_a_job_is_shown_in_the_originals_words_and_then_with_more() {
    let home = Home::new();
    let shop = ["inspect", "devcluster/www-data/prod/shop", "examples/production.aurora"];
    let text = home.run(&shop).expect(0).out();
    let job = [
        "Job level information",
        "  name:       'shop'",
        "  role:       'www-data'",
        "  contact:    'shop-team@example.com'",
        "  cluster:    'devcluster'",
        "  instances:  '3'",
        "  constraints:",
        "    'host': 'limit:4'",
        "  partition_policy:",
        "    reschedule: True",
        "    delay_secs: '60'",
        "  service:    True",
        "  production: False",
        "",
        "Task level information",
        "  name: 'shop'",
        "  constraints:",
        "  prepare < serve",
        "",
        "Process 'prepare':",
    ];
    assert!(text.starts_with(&job.join("\n")), "{text}");
    for wanted in [
        "\nProcess 'farewell':\n  final\n  cmdline:\n    echo served until $(date)\n\n",
        "\nOrder of processes\n  prepare: at once\n  serve: when prepare has succeeded\n  \
         farewell: when the others have ended\n",
        "\nResources of each instance\n  cpu:  0.1 core(s)\n  ram:  64 MB\n  disk: 32 MB\n",
        "\nPorts\n  http: given by the agent\n  aurora: the same as http\n  health: the same as http\n",
        "\nIn the cluster\n  tier: preferred\n",
        "\n  metadata: documentation = https://example.com/shop\n",
        "\nHealth check\n  GET /health on port health, expects \"ok\"\n  every 5 s, from 20 s after the start on; ",
        "\nUpdates\n  in batches of 1, 2; each is good after 60 s of running\n",
        "\n  {{thermos.ports[http]}}: a port, from the agent; in task.processes[serve].cmdline\n",
    ] {
        assert!(text.contains(wanted), "{wanted:?} is not in {text}");
    }
    assert_eq!(
        home.run(&[&["job"], &shop[..]].concat()).expect(0).out(),
        text,
        "the short form is the same"
    );

    let cron = ["inspect", "devcluster/www-data/prod/report", "examples/cron.aurora"];
    let listed = home.run(&["config", "list", "examples/cron.aurora"]).expect(0).out();
    let key = listed.trim().trim_start_matches("jobs=[").trim_end_matches(']');
    let key = key.split(", ").next().unwrap();
    let text = home.run(&[cron[0], key, cron[2]]).expect(0).out();
    assert!(text.contains("\n  cron:\n    schedule: '"), "{text}");
    assert!(text.contains("\n    policy:   '"), "{text}");
    assert!(!text.contains("\nUpdates\n"), "a cron job is not updated: {text}");

    assert!(!text.contains("Health check"), "it has no port for one: {text}");

    // For programs: the job, the same on one line, the request.
    let json = home.run(&[&shop[..], &["-o", "json"]].concat()).expect(0).json();
    let line = home.run(&[&shop[..], &["--write-json"]].concat()).expect(0);
    assert_eq!((line.out().lines().count(), line.json()), (1, json.clone()));
    assert_eq!(json["task"]["processes"][1]["name"], "serve");
    let raw = home.run(&[&shop[..], &["--raw", "--write-json"]].concat()).expect(0).json();
    assert_eq!(raw["instance_count"], 3, "--raw wins");
}
