//! What we say of a file must be what wimlib says of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::world::World;

/// Files of different kinds, all made by wimlib.
fn world() -> (World, Vec<&'static str>) {
    let world = World::with_tree();
    let mut files = Vec::new();
    for (file, options) in [
        ("none.wim", &["--compress=none"][..]),
        ("xpress.wim", &["--compress=xpress", "--check"][..]),
        ("lzx.wim", &["--compress=lzx", "--chunk-size=64K"][..]),
        ("solid.esd", &["--solid"][..]),
    ] {
        let capture = ["capture", "src", file, "First", "It is \"the\" first", "--unix-data"];
        world.wimlib(&[&capture[..], options].concat());
        world.wimlib(&[
            "append",
            "src/docs",
            file,
            "Second",
            "--boot",
            "--flags=Enterprise",
            "--image-property=WINDOWS/ARCH=12",
            "--image-property=WINDOWS/VERSION/MAJOR=6",
            "--image-property=WINDOWS/LANGUAGES/LANGUAGE=fr-FR",
            "--image-property=WIMBOOT=1",
        ]);
        files.push(file);
    }
    (world, files)
}

/// Seconds since 1970 of wimlib's "Thu Feb 29 12:34:56 2024 UTC" or our "2024-02-29T12:34:56.1Z".
fn seconds(text: &str) -> i64 {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let number = |text: &str| text.trim().parse::<i64>().unwrap();
    let (year, month, day, clock) = if text.ends_with('Z') {
        let (date, clock) = text.split_once('T').unwrap();
        let parts: Vec<_> = date.split('-').map(number).collect();
        (parts[0], parts[1], parts[2], clock.get(..8).unwrap())
    } else {
        let parts: Vec<_> = text.split_whitespace().collect();
        let month = i64::try_from(MONTHS.find(parts[1]).unwrap() / 3 + 1).unwrap();
        (number(parts[4]), month, number(parts[2]), parts[3])
    };
    let days_before: i64 = (1970..year).map(days_of_year).sum();
    let in_year: i64 = (1..month).map(|month| days_of_month(year, month)).sum();
    let clock: Vec<_> = clock.split(':').map(number).collect();
    (days_before + in_year + day - 1) * 86_400 + clock[0] * 3_600 + clock[1] * 60 + clock[2]
}

const fn days_of_year(year: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if leap { 366 } else { 365 }
}

const fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 => days_of_year(year) - 337,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The blocks of a text, each a list of label and value, with times as seconds.
fn blocks(text: &str, separator: char) -> Vec<Vec<(String, String)>> {
    let mut blocks = vec![Vec::new()];
    for line in text.lines() {
        let Some((label, value)) = line.split_once(separator) else {
            let flag = line.trim();
            match flag.ends_with("is set") || flag.starts_with("Full Path") {
                true => blocks.last_mut().unwrap().push((flag.to_owned(), String::new())),
                false => blocks.push(Vec::new()),
            }
            continue;
        };
        let (label, value) = (label.trim().to_owned(), value.trim().to_owned());
        let is_time = label.ends_with("Time");
        let value = if is_time { seconds(&value).to_string() } else { value };
        blocks.last_mut().unwrap().push((label, value));
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

#[test]
fn info_says_what_wiminfo_says() {
    let (world, files) = world();
    for file in files {
        for words in [vec!["info", file], vec!["info", file, "2"], vec!["info", file, "First"]] {
            let ours = blocks(&world.done(&words).out, ':');
            let theirs = blocks(&world.wimlib(&words), ':');
            assert_eq!(ours, theirs, "{words:?}");
            assert!(ours.iter().flatten().count() > 8, "{words:?}");
        }
    }
}

#[test]
fn header_and_blobs_are_those_wiminfo_shows() {
    let (world, files) = world();
    for file in files {
        let words = ["info", file, "--header"];
        let (ours, theirs) = (world.done(&words).out, world.wimlib(&words));
        assert_eq!(blocks(&ours, '='), blocks(&theirs, '='), "{file}");
        let words = ["info", file, "--blobs"];
        let sorted = |text: &str| {
            let all = blocks(text, '=').into_iter();
            all.map(without_spaces).collect::<BTreeSet<_>>()
        };
        let (ours, theirs) = (sorted(&world.done(&words).out), sorted(&world.wimlib(&words)));
        assert_eq!(ours, theirs, "{file}");
        assert!(ours.len() > 5, "{file}");
    }
}

/// wimlib puts blanks behind its flags.
fn without_spaces(block: Vec<(String, String)>) -> Vec<(String, String)> {
    let value = |value: String| value.split_whitespace().collect::<Vec<_>>().join(" ");
    block.into_iter().map(|(label, text)| (label, value(text))).collect()
}

#[test]
fn the_xml_document_is_the_one_that_is_stored() {
    let (world, files) = world();
    for file in files {
        world.wimlib(&["info", file, "--extract-xml=theirs.xml"]);
        world.done(&["info", file, "--extract-xml=ours.xml"]);
        assert_eq!(world.read("ours.xml"), world.read("theirs.xml"), "{file}");
        assert_eq!(world.done(&["info", file, "--xml"]).bytes, world.read("theirs.xml"));
        let json = world.done(&["info", file, "--xml", "--json"]).json();
        let text = json["xml"].as_str().unwrap().trim_end();
        assert!(text.starts_with("<WIM>") && text.ends_with("</WIM>"), "{text}");
        let imagex = world.done(&["imagex", "/xml", "/info", file]).out;
        assert_eq!(imagex.trim_end(), text);
    }
}

#[test]
fn dir_lists_what_wimdir_lists() {
    let (world, files) = world();
    for file in files {
        for words in [
            vec!["dir", file, "1"],
            vec!["dir", file, "Second"],
            vec!["dir", file, "all"],
            vec!["dir", file, "1", "--path=docs"],
            vec!["dir", file, "1", "--path=/bin/tool", "--one-file-only"],
        ] {
            assert_eq!(world.done(&words).out, world.wimlib(&words), "{words:?}");
        }
    }
}

/// The details wimdir shows of each path. It shows an empty main stream even where there is none,
/// and gives hard-link groups other numbers.
fn details(text: &str) -> BTreeMap<String, BTreeSet<(String, String)>> {
    let mut files = BTreeMap::new();
    for entry in text.split(&"-".repeat(76)).skip(1) {
        let mut facts = BTreeSet::new();
        let mut path = String::new();
        let mut stream = String::new();
        for (label, value) in blocks(entry, '=').into_iter().flatten() {
            match label.as_str() {
                "Full Path" => path = value,
                "Link Group ID" => {}
                "Hash" => {
                    stream.clone_from(&value);
                    if !is_zero(&value) {
                        facts.insert((label, value));
                    }
                }
                _ if stream.is_empty() => {
                    facts.insert((label, value));
                }
                _ if !is_zero(&stream) => {
                    let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
                    facts.insert((format!("{stream} {label}"), value));
                }
                _ => {}
            }
        }
        // Of a stream without data we show the size only.
        facts.remove(&("Uncompressed size".to_owned(), "0 bytes".to_owned()));
        files.insert(path, facts);
    }
    files
}

/// Whether this is the hash of a stream without data.
fn is_zero(hash: &str) -> bool {
    hash.trim_matches(['0', 'x']).is_empty()
}

#[test]
fn dir_shows_the_details_wimdir_shows() {
    let (world, files) = world();
    for file in files {
        for image in ["1", "2"] {
            let words = ["dir", file, image, "--detailed"];
            let (ours, theirs) = (details(&world.done(&words).out), details(&world.wimlib(&words)));
            assert_eq!(ours.len(), theirs.len());
            for (path, facts) in &theirs {
                assert_eq!(&ours[path], facts, "{file} {path}");
            }
        }
    }
}

#[test]
fn json_says_what_the_text_says() {
    let (world, files) = world();
    for file in files {
        let json = world.done(&["dir", file, "1", "--detailed", "--json"]).json();
        let entries = json["images"][0]["entries"].as_array().unwrap().clone();
        let text = details(&world.done(&["dir", file, "1", "--detailed"]).out);
        assert_eq!(entries.len(), text.len());
        for entry in entries {
            let path = format!("\"{}\"", entry["path"].as_str().unwrap());
            let value = |label: &str| {
                let found = text[&path].iter().find(|(l, _)| l == label);
                found.map(|(_, value)| value.clone())
            };
            let attributes = entry["attributes"].as_u64().unwrap();
            assert_eq!(value("Attributes"), Some(format!("{attributes:#010x}")));
            assert_eq!(value("Link Count"), Some(entry["link_count"].to_string()));
            let write = seconds(entry["last_write_time"].as_str().unwrap()).to_string();
            assert_eq!(value("Last Write Time"), Some(write));
            for stream in entry["streams"].as_array().unwrap() {
                let Some(hash) = stream["blob"]["hash"].as_str() else { continue };
                let has = text[&path].contains(&("Hash".to_owned(), format!("0x{hash}")));
                assert!(has, "{path} {hash}");
            }
        }
    }
}
