//! References within texts.

use aurora_ide::complete::complete;

use super::{check, taken};
use crate::fixture::Fixture;

#[test]
fn references_in_texts() {
    let bound = "p = Process(name='a', cmdline='{{$0}}')\nclass Q(Struct):\n  cpu = Float\n  port = Integer\n\
        j = Job(task=Task(processes=[p])).bind(profile=Q(cpu=1), x=1)\n";
    check(&[
        (bound, "profile, x, name, profile.cpu, profile.port, mesos.instance, mesos.hostname, …"),
        (bound, "-cmdline, +daemon, +mesos, +thermos, +role, +thermos.ports, +self, …"),
        (&bound.replace("$0", "profile.$0"), "cpu, port"),
        (&bound.replace("$0", "prof$0"), "profile, profile.cpu, profile.port"),
        (&bound.replace("$0", "profile.p$0ort"), "port"),
        ("x = '{{mesos.$0}}'", "instance, hostname, role, cluster"),
        ("x = '{{mesos.$0", "instance, hostname, role, cluster"),
        ("x = '{{thermos.$0", "ports, task_id, user"),
        ("x = '{{thermos.ports[$0]}} {{thermos.ports[http]}}'", "http"),
        (
            "x = '{{thermos.ports[$0'\ny = '{{thermos.ports[http]}}'\na = Announcer(primary_port='admin')",
            "admin, http",
        ),
        ("x = '{{thermos.ports[http]}} {{$0'", "+thermos.ports[http], …"),
        ("x = '{{docker.$0", "image"),
        ("p = Process(name='a', cmdline='{{self.$0}}')", "+name, +role, …"),
        ("t = Task(name='{{processes[0].$0}}')", "name, cmdline, …"),
        (
            "t = Task(name='a', resources=Resources(cpu=1, ram=2, disk='{{$0}}'))",
            "cpu, ram, name, …",
        ),
        (
            "#- a.aurora\ninclude('b.aurora')\nj = base.bind(zone=2)\n#- b.aurora\nbase = Process(cmdline='{{zo$0}}')\n",
            "zone, …",
        ),
        ("j = Job().bind(x=1).bind(x=2)\ny = '{{x$0", "x, …"),
        ("p = Process(cmdline=\"\"\"\n  run {{na$0\n\"\"\")", "name, …"),
        ("x = '{{&me$0", "+mesos.instance, …"),
        ("x = f'{{{{me$0", "+mesos.instance, …"),
        ("x = f'{{{{&me$0", "+mesos.instance, …"),
        // Entries of tables.
        ("p = Process(cmdline='{{$0}}').bind(d={'k': 1})\n", "+d.k, +d, …"),
        ("p = Process(cmdline='{{d.$0}}').bind(d={'k': 1, 'l': {'m': 2}})\n", "k, l"),
        ("p = Process(cmdline='{{d.l.$0}}').bind(d=dict(l={'m': 2}))\n", "m"),
        // What nothing gives, nothing finds.
        ("p = Process(cmdline='{{$0}}')\n", "+role, -instance, -contact, -tier, -user, …"),
        ("p = Process(cmdline='{{$0}}')\nj = Job(contact = 'a')\n", "+contact, -tier, …"),
        // What leads back, or is known too late.
        (
            "j = Job(role='{{$0}}')\n",
            "-mesos.role, -thermos.user, -mesos.instance, +mesos.cluster, …",
        ),
        ("j = Job(cluster='{{mesos.$0}}')\n", "role"),
        ("j = Job(name='{{thermos.$0}}')\n", "user"),
        ("j = Job(contact='{{mesos.$0}}')\n", "instance, hostname, role, cluster"),
    ]);
    taken(&[(
        "p = Process(cmdline='{{$0}}').bind(d={'k': 1})\n",
        "d",
        "p = Process(cmdline='{{d.}}').bind(d={'k': 1})\n",
    )]);
    taken(&[
        ("x = '{{mesos.ins$0'", "instance", "x = '{{mesos.instance}}'"),
        ("x = '{{mesos.ins$0}'", "instance", "x = '{{mesos.instance}}'"),
        ("x = '{{mesos.ins$0}}'", "instance", "x = '{{mesos.instance}}'"),
        ("x = '{{mesos.ins$0tance}}'", "instance", "x = '{{mesos.instance}}'"),
        ("x = '{{mesos.ins$0 and so on'", "instance", "x = '{{mesos.instance}} and so on'"),
        ("x = '{{mesos.ins$0", "instance", "x = '{{mesos.instance}}"),
        ("x = '{{$0}}'", "mesos", "x = '{{mesos.}}'"),
        ("x = '{{thermos.po$0'", "ports", "x = '{{thermos.ports[$0]}}'"),
        (
            "y = '{{thermos.ports[http]}}'\nx = '{{thermos.ports[h$0'",
            "http",
            "y = '{{thermos.ports[http]}}'\nx = '{{thermos.ports[http]}}'",
        ),
        (
            "y = '{{thermos.ports[http]}}'\nx = '{{thermos.ports[h$0]'",
            "http",
            "y = '{{thermos.ports[http]}}'\nx = '{{thermos.ports[http]}}'",
        ),
        (
            "y = '{{thermos.ports[http]}}'\nx = '{{thermos.ports[h$0]}}'",
            "http",
            "y = '{{thermos.ports[http]}}'\nx = '{{thermos.ports[http]}}'",
        ),
        (
            "y = '{{thermos.ports[http]}}'\nx = '{{$0'",
            "thermos.ports[http]",
            "y = '{{thermos.ports[http]}}'\nx = '{{thermos.ports[http]}}'",
        ),
        ("x = f'{{{{mesos.ins$0'", "instance", "x = f'{{{{mesos.instance}}}}'"),
        ("x = f'{{{{mesos.ins$0}}}}'", "instance", "x = f'{{{{mesos.instance}}}}'"),
        ("x = '{{dock$0'", "docker.image", "x = '{{docker.image[${1:name}][${2:tag}]}}'"),
    ]);
}

#[test]
fn names_that_are_bound_from_outside_are_proposed_in_references() {
    let mut fixture = Fixture::new("p = Process(cmdline='{{fol$0}}')\n");
    fixture.workspace.set_outside(vec!["folder".to_owned()]);
    let found = complete(&fixture.workspace.snapshot(), &fixture.file, fixture.at);
    let folder = found.iter().find(|found| found.label == "folder").unwrap();
    assert_eq!(folder.detail, "bound from outside");
}
