//! Standard output and standard error that are read late, or never, or that somebody has made non-blocking.
#![cfg(unix)]

mod support;

use std::io::{PipeReader, PipeWriter, Read as _, Write as _};
use std::process::{Child, Stdio};
use std::time::Duration;

use adopat_emulator::{Fault, NewPat, Service};
use rstest::rstest;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::Signal;
use support::{Host, Machine};

/// A pipe that takes nothing more.
fn fill(writer: &mut PipeWriter) {
    let flags = fcntl_getfl(&*writer).expect("flags");
    fcntl_setfl(&*writer, flags | OFlags::NONBLOCK).expect("set");
    while writer.write(&[b'x'; 512]).is_ok() {}
    while writer.write(b"x").is_ok() {}
    fcntl_setfl(&*writer, flags).expect("set");
}

/// Starts a run that prints on this pipe.
fn start(machine: &Machine, writer: &PipeWriter, also_errors: bool) -> Child {
    let mut command = machine.command();
    command.stdout(writer.try_clone().expect("a pipe"));
    if also_errors {
        command.stderr(writer.try_clone().expect("a pipe"));
    } else {
        command.stderr(Stdio::null());
    }
    command.spawn().expect("the binary starts")
}

fn creating() -> Machine {
    let mut machine = Machine::new(Host::GitHub, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code");
    machine
}

#[rstest]
fn a_run_whose_words_nobody_reads_is_cancelled_all_the_same(
    #[values(true, false)] is_full_from_the_start: bool,
    #[values(true, false)] also_errors: bool,
    #[values((Signal::TERM, 143), (Signal::INT, 130))] signal: (Signal, i32),
) {
    let machine = creating();
    let (_reader, mut writer) = std::io::pipe().expect("a pipe");
    let mut run = if is_full_from_the_start {
        fill(&mut writer);
        let run = start(&machine, &writer, also_errors);
        std::thread::sleep(Duration::from_millis(500));
        run
    } else {
        let hold = machine.emulator.order(Fault::on(Service::Pats).method("POST").hold_after());
        let run = start(&machine, &writer, also_errors);
        assert!(hold.wait_until_held(Duration::from_secs(20)), "the request came");
        fill(&mut writer);
        hold.release();
        // Now the mask of the PAT waits for somebody who reads.
        std::thread::sleep(Duration::from_millis(500));
        run
    };
    assert!(run.try_wait().expect("asked").is_none(), "it waits to be read");
    support::signal(&run, signal.0);
    let ended = run.wait().expect("it ends");
    assert_eq!(ended.code(), Some(signal.1));
    assert!(machine.active("nightly").is_empty(), "{:?}", machine.calls());
    assert_eq!(machine.emulator.pats().len(), usize::from(!is_full_from_the_start));
    assert_eq!(machine.read("GITHUB_OUTPUT"), "");
}

fn read_slowly(mut reader: PipeReader) -> String {
    let mut text = Vec::new();
    let mut some = [0; 3000];
    while let Ok(count @ 1..) = reader.read(&mut some) {
        text.extend_from_slice(&some[..count]);
        if text.len() < 60_000 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    String::from_utf8(text).expect("text")
}

#[test]
fn a_non_blocking_standard_output_is_written_to_its_end() {
    let machine = Machine::new(Host::Generic, "list");
    for number in 0..400 {
        machine.emulator.add_pat(NewPat::named(&format!("nightly {number} {}", "x".repeat(100))));
    }
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let flags = fcntl_getfl(&writer).expect("flags");
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).expect("set");
    let mut run = start(&machine, &writer, false);
    drop(writer);
    std::thread::sleep(Duration::from_millis(500));
    let text = read_slowly(reader);
    assert_eq!(run.wait().expect("it ends").code(), Some(0));
    let pats: serde_json::Value = serde_json::from_str(&text).expect("whole JSON");
    assert_eq!(pats.as_array().expect("an array").len(), 400);
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let machine = Machine::new(Host::Generic, "list");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut run = start(&machine, &writer, false);
    drop((reader, writer));
    assert_eq!(run.wait().expect("it ends").code(), Some(0));
}
