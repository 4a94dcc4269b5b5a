//! Output and files in parts, as a whole, and searched.

use std::os::unix::fs::symlink;

use aurora_thermos::checkpoint::record::ProcessChange;
use serde_json::json;

use crate::machine::Machine;

#[tokio::test]
async fn os13_output_is_given_in_parts() {
    let machine = Machine::new().await;
    let told = machine.over("t");
    std::fs::write(told.logs("p", 0).join("stdout"), "start\néabc").unwrap();
    std::fs::write(told.logs("p", 0).join("stderr"), "<&>").unwrap();
    let table = [
        ("", json!({ "offset": 11, "length": 0 })),
        ("?offset=-1", json!({ "offset": 11, "length": 0 })),
        ("?offset=&length=", json!({ "offset": 11, "length": 0 })),
        ("?offset=0", json!({ "offset": 0, "length": 11, "data": "start\néabc" })),
        ("?offset=0&length=7", json!({ "offset": 0, "length": 7, "data": "start\n\u{fffd}" })),
        ("?offset=7", json!({ "offset": 7, "length": 4, "data": "\u{fffd}abc" })),
        ("?offset=0&length=0", json!({ "offset": 0, "length": 0 })),
        ("?offset=999", json!({ "offset": 11, "length": 0 })),
        ("?offset=8&length=-7", json!({ "offset": 8, "length": 3, "data": "abc" })),
        ("?offset=-3", json!({})),
        ("?offset=abc", json!({})),
        ("?offset=0&length=x", json!({})),
    ];
    for (query, expected) in table {
        let path = format!("/logdata/t/p/0/stdout{query}");
        assert_eq!(machine.json(&path).await, expected, "{query}");
    }
    let last = machine.json("/logdata/t/p/-1/stdout?offset=0").await;
    assert_eq!(last["length"], 11);
    let escaped = machine.json("/filedata/t/.logs/p/0/stderr?offset=0").await;
    assert_eq!(escaped["data"], "&lt;&amp;&gt;");
}

#[tokio::test]
async fn os13_a_huge_file_is_cut_at_16_megabytes() {
    let machine = Machine::new().await;
    let told = machine.over("t");
    let huge = std::fs::File::create(told.sandbox.join("huge")).unwrap();
    huge.set_len(1 << 40).unwrap();
    let part = machine.json("/filedata/t/huge?offset=0").await;
    assert_eq!(part["length"], 16 << 20);
    let page = machine.page("/file/t/huge").await;
    assert!(page.contains("1099511627776") && page.len() < 1 << 20, "only the end is shown");
    let head = machine.ask("HEAD", "/download/t/huge", &[]).await;
    assert!(head.head.contains("content-length: 1099511627776"), "{}", head.head);
}

#[tokio::test]
async fn os14_where_nothing_is_there_is_nothing_to_tell() {
    let machine = Machine::new().await;
    let told = machine.over("t");
    std::fs::write(told.logs("p", 0).join("stderr"), "").unwrap();
    let empty = machine.json("/logdata/t/p/0/stderr").await;
    assert_eq!(empty, json!({ "offset": 0, "length": 0 }));
    for path in [
        "t/p/0/stdout",
        "t/p/1/stdout",
        "none/p/0/stdout",
        "t/p/0/bogus",
        "t/none/0/stdout",
        "t/p/x/stdout",
        "t/p/-2/stdout",
    ] {
        assert_eq!(machine.json(&format!("/logdata/{path}?offset=0")).await, json!({}), "{path}");
    }
    let page = machine.page("/logs/t/p/0/stdout").await;
    assert!(
        page.contains("<pre id=\"text\""),
        "a process that prints elsewhere has a page: {page}"
    );
}

#[tokio::test]
async fn a_page_shows_a_part_and_links_to_the_others() {
    let machine = Machine::new().await;
    let told = machine.over("t");
    let lines: String = (0..20_000).map(|number| format!("line {number:05}\n")).collect();
    std::fs::write(told.logs("p", 0).join("stdout"), &lines).unwrap();
    std::fs::write(told.logs("p", 0).join("stdout.1"), "older").unwrap();
    let shown = async |path: &str| -> (String, String) {
        let page = machine.page(path).await;
        let (_, rest) = page.split_once("<pre id=\"text\"").unwrap();
        let text = rest.split_once('>').unwrap().1.split_once("</pre>").unwrap().0.to_owned();
        (page, text)
    };
    let (page, end) = shown("/logs/t/p/0/stdout").await;
    assert!(end.starts_with("line ") && end.ends_with("line 19999\n"));
    assert!(page.contains("data-follow=\"/follow/t/p/0/stdout?offset=220000&amp;inode="), "{page}");
    assert!(page.contains("href=\"/download/t/.logs/p/0/stdout\"") && page.contains("stdout.1"));
    // From the beginning to the end by links alone, without a gap.
    let mut all = String::new();
    let mut path = "/logs/t/p/0/stdout?from=0".to_owned();
    loop {
        let (page, part) = shown(&path).await;
        assert!(part.ends_with('\n') && part.starts_with("line "));
        all.push_str(&part);
        let Some((before, _)) = page.split_once("\">↓ later") else { break };
        path = before.rsplit_once("href=\"").unwrap().1.to_owned();
    }
    assert_eq!(all, lines);
    // And back.
    let mut all = end;
    let mut page = page;
    while let Some((before, _)) = page.split_once("\">↑ earlier") {
        let path = before.rsplit_once("href=\"").unwrap().1.to_owned();
        let (earlier, part) = shown(&path).await;
        all.insert_str(0, &part);
        page = earlier;
    }
    assert_eq!(all, lines);
}

#[tokio::test]
async fn lines_are_searched_for_within_limits() {
    let machine = Machine::new().await;
    let told = machine.over("t");
    let lines: String = (0..500).map(|number| format!("request {number} <ok>\n")).collect();
    std::fs::write(told.logs("p", 0).join("stdout"), &lines).unwrap();
    std::fs::write(told.sandbox.join("a file"), "one\nTwo\n").unwrap();
    let page = machine.page("/search/t/p/0/stdout?q=REQUEST+42+%3C").await;
    assert!(page.contains("1 line in bytes 0–"), "{page}");
    let place = lines.find("request 42 ").unwrap();
    let link = format!("/logs/t/p/0/stdout?from={place}\"");
    assert!(page.contains("request 42 &lt;ok&gt;") && page.contains(&link), "{page}");
    let page = machine.page("/search/t/p/0/stdout?q=request&case=1").await;
    let (_, rest) = page.split_once("200 lines in").unwrap();
    let next = rest.split_once("\">Search on").unwrap().0.rsplit_once("href=\"").unwrap().1;
    let page = machine.page(&next.replace("&amp;", "&")).await;
    assert!(page.contains("200 lines in") && page.contains("request 399 "), "{page}");
    let page = machine.page("/search/t/p/0/stdout?q=%5Erequest+4%5B0-2%5D+&regex=1").await;
    assert!(page.contains("3 lines in"), "{page}");
    assert!(machine.page("/search/t/p/0/stdout?q=Request&case=1").await.contains("0 lines in"));
    assert!(machine.page("/searchfile/t/a%20file?q=two").await.contains("/file/t/a%20file?from=4"));
    assert_eq!(machine.get("/search/t/p/0/stdout?q=(&regex=1").await.status, 400);
    assert_eq!(
        machine.get(&format!("/search/t/p/0/stdout?q={}", "a".repeat(2000))).await.status,
        400
    );
    machine.expect_missing("/searchfile/t/none?q=a", "No such file").await;
    machine.expect_missing("/search/t/p/7/stdout?q=a", "There is no run 7").await;
}

#[tokio::test]
async fn os16_folders_are_listed_down_and_up() {
    let machine = Machine::new().await;
    let told = machine.over("t");
    std::fs::create_dir_all(told.sandbox.join("a/b")).unwrap();
    std::fs::write(told.sandbox.join("a/b/file"), "text").unwrap();
    symlink("a/b", told.sandbox.join("inside")).unwrap();
    symlink("nowhere", told.sandbox.join("dangling")).unwrap();
    symlink("/etc/passwd", told.sandbox.join("out")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        told.sandbox.join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    let top = machine.page("/browse/t").await;
    assert!(!top.contains(">..<") && top.contains("href=\"/browse/t/.logs\""), "{top}");
    assert!(top.contains("drwx") && top.contains("lrwx"));
    assert!(!top.contains("/file/t/fifo") && top.contains("fifo"), "a pipe has no link");
    let nested = machine.page("/browse/t/a/b").await;
    assert!(nested.contains("href=\"/browse/t/a\" aria-label=\"the folder above\">.."), "{nested}");
    assert!(nested.contains("href=\"/file/t/a/b/file\""));
    assert!(machine.page("/browse/t/a/").await.contains("href=\"/browse/t/a/b\""));
    let link = machine.get("/file/t/inside").await;
    assert_eq!(link.status, 303);
    assert!(link.head.contains("location: /browse/t/inside"), "{}", link.head);
    assert!(machine.page("/browse/t/inside").await.contains("file"));
    for path in ["dangling", "out", "fifo", "none", "a/b/file/x"] {
        machine.expect_missing(&format!("/browse/t/{path}"), "Sandbox does not exist.").await;
        machine.expect_missing(&format!("/file/t/{path}"), "No such file").await;
        machine.expect_missing(&format!("/download/t/{path}"), "No such file").await;
        assert_eq!(machine.json(&format!("/filedata/t/{path}?offset=0")).await, json!({}));
    }
    machine.expect_missing("/browse/t/a/b/file", "Sandbox does not exist.").await;
}

#[tokio::test]
async fn os17_files_are_downloaded_as_a_whole_in_parts_or_not_again() {
    let machine = Machine::new().await;
    let told = machine.over("t");
    std::fs::write(told.sandbox.join("file"), "0123456789").unwrap();
    std::fs::write(told.sandbox.join("empty"), "").unwrap();
    let whole = machine.get("/download/t/file").await;
    assert_eq!((whole.status, whole.text().as_str()), (200, "0123456789"));
    for header in [
        "content-type: application/octet-stream",
        "content-disposition: attachment; filename=\"file\"",
        "content-length: 10",
        "accept-ranges: bytes",
        "x-content-type-options: nosniff",
    ] {
        assert!(whole.head.contains(header), "{header}: {}", whole.head);
    }
    let (_, rest) = whole.head.split_once("last-modified: ").unwrap();
    let modified = rest.lines().next().unwrap();
    let ask = async |headers: &[&str]| machine.ask("GET", "/download/t/file", headers).await;
    let part = ask(&["Range: bytes=2-4"]).await;
    assert_eq!((part.status, part.text().as_str()), (206, "234"));
    assert!(part.head.contains("content-range: bytes 2-4/10"), "{}", part.head);
    assert!(part.head.contains("content-length: 3"), "{}", part.head);
    assert_eq!(ask(&["Range: bytes=-3"]).await.text(), "789");
    assert_eq!(ask(&["Range: bytes=10-"]).await.status, 416);
    let same = ask(&["Range: bytes=2-4", &format!("If-Range: {modified}")]).await;
    assert_eq!(same.status, 206);
    let other = ask(&["Range: bytes=2-4", "If-Range: Sun, 06 Nov 1994 08:49:37 GMT"]).await;
    assert_eq!((other.status, other.text().as_str()), (200, "0123456789"));
    let known = ask(&[&format!("If-Modified-Since: {modified}")]).await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    let old = ask(&["If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT"]).await;
    assert_eq!(old.status, 200);
    assert_eq!(ask(&["If-Modified-Since: whenever"]).await.status, 200);
    let empty = machine.get("/download/t/empty").await;
    assert_eq!((empty.status, empty.body.len()), (200, 0));
    machine.expect_missing("/download/t/.logs", "File does not exist.").await;
    machine.expect_missing("/download/t/none", "No such file").await;
}

#[tokio::test]
async fn os26_a_task_of_an_image_has_its_sandbox_on_the_host() {
    let machine = Machine::new().await;
    let mut told = machine.task_of("t", &["p"], |header| {
        // Within the container the logs are at another path than here.
        header.task_json =
            json!({ "name": "t", "processes": [{ "name": "p", "cmdline": "true" }] }).to_string();
        header.uid = 12_345;
    });
    told.failed("p", 0, 1).process("q", 0, ProcessChange::Waiting);
    std::fs::write(told.logs("p", 0).join("stdout"), "here").unwrap();
    assert_eq!(machine.json("/logdata/t/p/0/stdout?offset=0").await["data"], "here");
    machine.page("/browse/t").await;
    machine.page("/task/t").await;
}

#[tokio::test]
async fn of_a_folder_that_is_cut_the_page_says_so() {
    let machine = Machine::new().await;
    let told = machine.over("t");
    let folder = told.sandbox.join("large");
    std::fs::create_dir(&folder).unwrap();
    for number in 0..10_005 {
        std::fs::write(folder.join(format!("f{number:05}")), "").unwrap();
    }
    let page = machine.page("/browse/t/large").await;
    let note = "The first 10000 entries by name are shown, of 10005.";
    assert!(page.contains(note), "{}", &page[..2000]);
    assert!(page.contains("/file/t/large/f09999\"") && !page.contains("f10000"));
    machine.page("/file/t/large/f10004").await;
    for number in 0..5 {
        std::fs::remove_file(folder.join(format!("f{number:05}"))).unwrap();
    }
    let page = machine.page("/browse/t/large").await;
    assert!(!page.contains("by name are shown") && page.contains("f10004"));
}
