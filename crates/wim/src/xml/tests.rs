//! XML data as programs write it, and as nobody should.

use imprint_winvalues::FileTime;

use super::{ImageInfo, WimInfo, WindowsInfo, WindowsVersion};

fn utf16(text: &str) -> Vec<u8> {
    let marked = format!("\u{feff}{text}");
    marked.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn parse(text: &str) -> WimInfo {
    WimInfo::parse(&utf16(text), 0).unwrap()
}

fn text(info: &WimInfo) -> String {
    let bytes = info.to_bytes();
    assert_eq!(bytes[..2], [0xff, 0xfe], "WIMGAPI demands the mark");
    let units: Vec<u16> = bytes[2..].as_chunks().0.iter().map(|&u| u16::from_le_bytes(u)).collect();
    String::from_utf16(&units).unwrap()
}

fn message(text: &str) -> String {
    WimInfo::parse(&utf16(text), 0x1000).unwrap_err().to_string()
}

/// As WIMGAPI orders it, with elements nobody knows.
const MICROSOFT: &str = "<WIM><TOTALBYTES>4321</TOTALBYTES><IMAGE INDEX=\"1\">\
    <DIRCOUNT>3</DIRCOUNT><FILECOUNT>5</FILECOUNT><TOTALBYTES>700</TOTALBYTES>\
    <HARDLINKBYTES>8</HARDLINKBYTES><CREATIONTIME><HIGHPART>0x01DD7AA0</HIGHPART>\
    <LOWPART>0x000000FF</LOWPART></CREATIONTIME><LASTMODIFICATIONTIME><HIGHPART>0x01DD7AA1</HIGHPART>\
    <LOWPART>0x00000001</LOWPART></LASTMODIFICATIONTIME><WINDOWS><ARCH>9</ARCH>\
    <PRODUCTNAME>Microsoft\u{ae} Windows\u{ae}</PRODUCTNAME><EDITIONID>Education</EDITIONID>\
    <INSTALLATIONTYPE>Client</INSTALLATIONTYPE><SERVICINGDATA><GDRDUREVISION>1</GDRDUREVISION>\
    </SERVICINGDATA><LANGUAGES><LANGUAGE>de-DE</LANGUAGE><LANGUAGE>en-US</LANGUAGE>\
    <DEFAULT>de-DE</DEFAULT></LANGUAGES><VERSION><MAJOR>10</MAJOR><MINOR>0</MINOR>\
    <BUILD>26100</BUILD><SPBUILD>4349</SPBUILD><SPLEVEL>0</SPLEVEL></VERSION>\
    <SYSTEMROOT>WINDOWS</SYSTEMROOT></WINDOWS><NAME>Windows 11 EDU</NAME>\
    <DESCRIPTION>a &lt;b&gt; &amp; c</DESCRIPTION><FLAGS>Education</FLAGS></IMAGE></WIM>";

#[test]
fn documents_are_kept_as_they_are() {
    assert_eq!(text(&parse(MICROSOFT)), MICROSOFT);
    let odd = "<WIM a=\"1\"><!-- note --><IMAGE INDEX=\"2\"></IMAGE> <X y=\"&quot;\">t<Z></Z>u</X>\
        <?pi data?><IMAGE INDEX=\"1\"></IMAGE></WIM>";
    assert_eq!(text(&parse(odd)), odd);
}

#[test]
fn what_means_the_same_is_written_in_one_way() {
    let info = parse(
        "<?xml version=\"1.0\"?><!DOCTYPE WIM><!-- lost --><WIM b='x'><A/><B><![CDATA[<&>]]></B>\
         <C>&#65;&#x42;&apos;</C></WIM>\n\0\0",
    );
    assert_eq!(text(&info), "<WIM b=\"x\"><A></A><B>&lt;&amp;&gt;</B><C>AB&apos;</C></WIM>");
    let unmarked: Vec<u8> = "<WIM></WIM>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(text(&WimInfo::parse(&unmarked, 0).unwrap()), "<WIM></WIM>");
}

#[test]
fn unpaired_surrogates_do_not_hide_a_file() {
    let mut bytes = utf16("<WIM>x</WIM>");
    bytes[12..14].copy_from_slice(&[0x00, 0xd8]);
    let info = WimInfo::parse(&bytes, 0).unwrap();
    assert_eq!(text(&info), "<WIM>\u{fffd}</WIM>");
}

#[test]
fn what_is_known_is_typed() {
    let info = parse(MICROSOFT);
    assert_eq!(info.image_count(), 1);
    assert_eq!(info.total_bytes(), Some(4321));
    let string = |text: &str| Some(text.to_owned());
    assert_eq!(
        info.image(1).unwrap(),
        ImageInfo {
            name: "Windows 11 EDU".to_owned(),
            description: string("a <b> & c"),
            display_name: None,
            display_description: None,
            flags: string("Education"),
            dir_count: 3,
            file_count: 5,
            total_bytes: 700,
            hard_link_bytes: 8,
            creation_time: Some(FileTime(0x01dd_7aa0_0000_00ff)),
            last_modification_time: Some(FileTime(0x01dd_7aa1_0000_0001)),
            wimboot: false,
            windows: Some(WindowsInfo {
                arch: Some(9),
                product_name: string("Microsoft\u{ae} Windows\u{ae}"),
                edition_id: string("Education"),
                installation_type: string("Client"),
                hal: None,
                product_type: None,
                product_suite: None,
                languages: vec!["de-DE".to_owned(), "en-US".to_owned()],
                default_language: string("de-DE"),
                version: Some(WindowsVersion {
                    major: 10,
                    minor: 0,
                    build: 26100,
                    sp_build: 4349,
                    sp_level: 0,
                }),
                system_root: string("WINDOWS"),
            }),
        }
    );
    assert_eq!(info.find_image("Windows 11 EDU"), Some(1));
    assert_eq!(info.find_image("windows 11 edu"), None);
    assert_eq!((info.image(0), info.image(2)), (None, None));
}

#[test]
fn setting_what_is_there_changes_nothing() {
    let mut info = parse(MICROSOFT);
    let image = info.image(1).unwrap();
    info.set_image(1, &image).unwrap();
    assert_eq!(text(&info), MICROSOFT);
}

#[test]
fn setting_changes_only_what_differs() {
    let mut info = parse(MICROSOFT);
    let mut image = info.image(1).unwrap();
    image.name = "new".to_owned();
    image.description = None;
    image.display_name = Some("shown".to_owned());
    image.file_count = 6;
    image.wimboot = true;
    let windows = image.windows.as_mut().unwrap();
    windows.languages = vec!["fr-FR".to_owned()];
    windows.version = None;
    info.set_image(1, &image).unwrap();
    let expected = MICROSOFT
        .replace("<NAME>Windows 11 EDU</NAME>", "<NAME>new</NAME>")
        .replace("<DESCRIPTION>a &lt;b&gt; &amp; c</DESCRIPTION>", "")
        .replace("<FILECOUNT>5<", "<FILECOUNT>6<")
        .replace(
            "<LANGUAGE>de-DE</LANGUAGE><LANGUAGE>en-US</LANGUAGE><DEFAULT>de-DE</DEFAULT>",
            "<DEFAULT>de-DE</DEFAULT><LANGUAGE>fr-FR</LANGUAGE>",
        )
        .replace(
            "<VERSION><MAJOR>10</MAJOR><MINOR>0</MINOR><BUILD>26100</BUILD>\
             <SPBUILD>4349</SPBUILD><SPLEVEL>0</SPLEVEL></VERSION>",
            "",
        )
        .replace("</FLAGS>", "</FLAGS><DISPLAYNAME>shown</DISPLAYNAME><WIMBOOT>1</WIMBOOT>");
    assert_eq!(text(&info), expected);
    assert_eq!(info.image(1).unwrap(), image);

    image.windows = None;
    image.creation_time = None;
    info.set_image(1, &image).unwrap();
    assert_eq!(info.image(1).unwrap(), image);
    assert!(!text(&info).contains("WINDOWS") && !text(&info).contains("CREATIONTIME"));
}

#[test]
fn images_are_added_copied_and_removed() {
    let mut info = WimInfo::new();
    let named = |name: &str| ImageInfo { name: name.to_owned(), ..ImageInfo::default() };
    assert_eq!(info.add_image(&named("one")), Ok(1));
    assert_eq!(info.add_image(&named("")), Ok(2));
    assert_eq!(info.add_image(&named("")), Ok(3), "any number of images may have no name");
    info.add_image(&named("one")).unwrap_err();
    assert!(info.check_new_name("one").is_err());
    let microsoft = parse(MICROSOFT);
    assert_eq!(info.add_copy(&microsoft, 1, Some("copy"), None), Ok(4));
    assert_eq!(info.add_copy(&microsoft, 1, None, Some("")), Ok(5));
    info.add_copy(&microsoft, 1, None, None).unwrap_err();
    assert_eq!(info.property(4, "WINDOWS/SERVICINGDATA/GDRDUREVISION").unwrap().unwrap(), "1");
    assert_eq!(info.property(5, "DESCRIPTION"), Ok(None));
    info.set_total_bytes(9);
    info.remove_image(2);
    info.remove_image(9);
    assert_eq!(info.image_count(), 4);
    let again = parse(&text(&info));
    let names: Vec<_> = (1..=4).map(|n| again.image(n).unwrap().name).collect();
    assert_eq!(names, ["one", "", "copy", "Windows 11 EDU"]);
    assert_eq!(again.total_bytes(), Some(9));
    assert!(text(&info).starts_with(
        "<WIM><IMAGE INDEX=\"1\"><NAME>one</NAME><DIRCOUNT>0</DIRCOUNT><FILECOUNT>0</FILECOUNT>\
         <TOTALBYTES>0</TOTALBYTES><HARDLINKBYTES>0</HARDLINKBYTES></IMAGE>"
    ));
}

#[test]
fn properties_are_reached_by_path() {
    let mut info = parse(MICROSOFT);
    let get = |info: &WimInfo, path| info.property(1, path).unwrap();
    assert_eq!(get(&info, "WINDOWS/LANGUAGES/LANGUAGE[2]").as_deref(), Some("en-US"));
    assert_eq!(get(&info, "WINDOWS/LANGUAGES/LANGUAGE[3]"), None);
    assert_eq!(get(&info, "NOTHING/HERE"), None);
    info.set_property(1, "WINDOWS/LANGUAGES/LANGUAGE[3]", "it-IT").unwrap();
    info.set_property(1, "VENDOR/A/B", "deep").unwrap();
    info.set_property(1, "VENDOR/A/B", "deeper").unwrap();
    info.set_property(1, "FLAGS", "").unwrap();
    info.set_property(1, "NOT/THERE", "").unwrap();
    assert_eq!(get(&info, "VENDOR/A/B").as_deref(), Some("deeper"));
    assert_eq!(get(&info, "FLAGS"), None);
    assert_eq!(info.image(1).unwrap().windows.unwrap().languages.len(), 3);
    assert!(text(&info).ends_with("<VENDOR><A><B>deeper</B></A></VENDOR></IMAGE></WIM>"));
}

#[test]
fn properties_that_cannot_be_set_say_why() {
    let mut info = parse(MICROSOFT);
    info.add_image(&ImageInfo { name: "two".to_owned(), ..ImageInfo::default() }).unwrap();
    let before = text(&info);
    let mut check = |index, path: &str, value: &str, expected: &str| {
        assert_eq!(info.set_property(index, path, value).unwrap_err().to_string(), expected);
    };
    check(3, "A", "b", "image should be one of 1 to 2, but is 3");
    check(0, "A", "b", "image should be one of 1 to 2, but is 0");
    for path in ["", "/A", "A/", "A//B", "A[0]", "A[x]", "A[1", "1A", "A B", "A[1]x", "<A"] {
        let expected =
            format!("property path {path:?} should be element names separated by slashes");
        check(1, path, "v", &expected);
    }
    check(
        1,
        "WINDOWS/LANGUAGES/LANGUAGE[4]",
        "x",
        "property \"WINDOWS/LANGUAGES/LANGUAGE[4]\" cannot be made: the elements before it do not \
         exist",
    );
    check(
        1,
        "A",
        "a\u{0}",
        "value of property \"A\" holds the character U+0000, which XML forbids",
    );
    check(1, "NAME", "two", "name \"two\" is used by image 2");
    check(1, "NAME[1]", "two", "name \"two\" is used by image 2");
    assert_eq!(text(&info), before);
}

#[test]
fn malformed_documents_are_refused_at_their_byte() {
    let malformed = "XML data: XML is not well formed: ";
    let check = |document: &str, rule: &str| {
        assert_eq!(message(document), format!("{malformed}{rule}"), "{document}");
    };
    check("", "there is no element (at offset 0x1002)");
    check("<WIM>", "an element is not closed (at offset 0x100c)");
    check("<WIM></WIN>", "end tag does not match its start tag (at offset 0x100c)");
    check("<WIM></WIM></WIM>", "end tag without start tag (at offset 0x1018)");
    check("<WIM></WIM><WIM></WIM>", "there is a second root element (at offset 0x102e)");
    check("text<WIM></WIM>", "there is text outside the root element (at offset 0x100a)");
    check("<WIM a></WIM>", "attribute is not of the form name=\"value\" (at offset 0x1010)");
    let name = "name of an element or attribute holds a character that names cannot have";
    // Found by the fuzzer: written again, these would be other documents.
    check("<WIM><A/B/></WIM>", &format!("{name} (at offset 0x1018)"));
    check("<WIM><A <=''/></WIM>", &format!("{name} (at offset 0x101e)"));
    check("<WIM><1/></WIM>", &format!("{name} (at offset 0x1014)"));
    check("<WIM><!-- </WIM>", "a comment is not closed (at offset 0x100c)");
    check("<WIM \u{1f600}=\"1\"><A", "a tag is not closed (at offset 0x101a)");
    let odd = [utf16("<WIM></WIM>"), vec![0]].concat();
    assert_eq!(
        WimInfo::parse(&odd, 0x1000).unwrap_err().to_string(),
        format!("{malformed}number of bytes is odd, but the encoding is UTF-16 (at offset 0x1019)")
    );
}

#[test]
fn documents_of_another_kind_are_refused() {
    assert_eq!(message("<X></X>"), "XML data: root element should be WIM (at offset 0x1000)");
    for images in ["<IMAGE/>", "<IMAGE INDEX='2'/>", "<IMAGE INDEX='x'/>", "<IMAGE INDEX='0'/>"] {
        assert_eq!(
            message(&format!("<WIM>{images}</WIM>")),
            "XML data: INDEX of each IMAGE should be one of 1 to 1, each used once \
             (at offset 0x1000)"
        );
    }
    assert!(message("<WIM><IMAGE INDEX='1'/><IMAGE INDEX='1'/></WIM>").contains("1 to 2"));
    assert!(parse("<WIM><ESD><ENCRYPTED/></ESD></WIM>").is_encrypted());
    assert!(!parse("<WIM><ESD/></WIM>").is_encrypted());
}

#[test]
fn bombs_do_not_go_off() {
    let entities = "<!DOCTYPE WIM [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>\
        <WIM>&b;</WIM>";
    assert!(message(entities).contains("entity is not one of XML's own five"));
    assert!(message("<WIM a=\"&x;\"></WIM>").contains("entity is not one"));
    let deep = "<A>".repeat(100_000);
    assert!(message(&format!("<WIM>{deep}")).contains("nested at most 64 deep"));
    let wide = format!("<WIM>{}</WIM>", "<A/>".repeat(250_000));
    assert!(message(&wide).contains("at most 250000 elements, attributes and texts"));
    let attributes: String = (0..250_000).map(|n| format!(" a{n}=''")).collect();
    assert!(message(&format!("<WIM{attributes}/>")).contains("at most 250000"));
}

#[test]
fn numbers_that_are_none_are_passed_over() {
    let info = parse(
        "<WIM><TOTALBYTES>x</TOTALBYTES><IMAGE INDEX='1'><DIRCOUNT> 12 </DIRCOUNT>\
         <FILECOUNT>99999999999999999999</FILECOUNT><CREATIONTIME><HIGHPART>1</HIGHPART>\
         </CREATIONTIME><LASTMODIFICATIONTIME><HIGHPART>0X10</HIGHPART><LOWPART>ff</LOWPART>\
         </LASTMODIFICATIONTIME><WIMBOOT>0</WIMBOOT></IMAGE></WIM>",
    );
    assert_eq!(info.total_bytes(), None);
    let image = info.image(1).unwrap();
    assert_eq!((image.dir_count, image.file_count, image.wimboot), (12, 0, false));
    assert_eq!(image.creation_time, None);
    assert_eq!(image.last_modification_time, Some(FileTime(0x10_0000_00ff)));
}
