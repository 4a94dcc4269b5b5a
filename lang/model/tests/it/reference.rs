use std::path::Path;

use aurora_model::docs::pages;

const UPDATE: &str = "UPDATE_DOCS=1 cargo test -p aurora-model --test it reference";

#[test]
fn the_reference_is_what_is_declared() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    let is_update = std::env::var_os("UPDATE_DOCS").is_some();
    if is_update {
        std::fs::create_dir_all(&folder).unwrap();
    }
    let mut stale = Vec::new();
    for page in pages() {
        let path = folder.join(&page.file);
        if is_update {
            std::fs::write(&path, &page.text).unwrap();
        } else if std::fs::read_to_string(&path).ok().as_deref() != Some(&page.text) {
            stale.push(page.file);
        }
    }
    let known: Vec<String> = pages().into_iter().map(|page| page.file).collect();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if !known.contains(&name) {
            stale.push(format!("{name} (to be removed)"));
        }
    }
    assert!(stale.is_empty(), "docs/reference is not what is declared: {stale:?}; run\n{UPDATE}");
}

#[test]
fn the_links_of_the_reference_lead_somewhere() {
    let pages = pages();
    for page in &pages {
        for link in page.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("..") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = if file.is_empty() { page.file.as_str() } else { file };
            let target = pages.iter().find(|page| page.file == file);
            let target = target.unwrap_or_else(|| panic!("{}: {link}", page.file));
            let headings = target.text.lines().filter_map(|line| line.strip_prefix("## "));
            let is_there = headings.map(|heading| heading.to_lowercase().replace(' ', "-"));
            let is_there = is_there.map(|heading| heading.replace(['\'', ','], ""));
            assert!(
                anchor.is_empty() || is_there.into_iter().any(|known| known == anchor),
                "{}: {link}",
                page.file
            );
        }
    }
}
