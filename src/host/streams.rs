//! Standard output and standard error: the one way out for whatever is printed.
//!
//! Words are made [harmless](sanitize::line) and searched for every secret of the run. A command of the host
//! goes out as it was built, since some carry a secret on purpose. Tests and simulations put buffers in the
//! place of both streams.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::MakeWriter;
use zeroize::Zeroizing;

use super::outlet::Outlet;
use super::sanitize;
use crate::failure::{Exit, Failure};
use crate::secret::{Register, Secret};
use crate::time::Cancellation;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
    /// Standard output, whatever else was sent to standard error: for what was asked for.
    Product,
}

type Sink = Arc<Mutex<Box<dyn Write + Send>>>;

/// Both streams and the [`Register`] of secrets that must not be read on either. Clones share them.
#[derive(Clone)]
pub struct Streams {
    out: Sink,
    err: Sink,
    product: Sink,
    register: Register,
    unmasked: Arc<AtomicBool>,
    /// Why what was asked for could not be printed, if it could not.
    unprinted: Arc<Mutex<Option<io::Error>>>,
    coloured: bool,
}

impl Streams {
    /// The streams to print on.
    pub fn new(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>, register: Register) -> Self {
        let (out, err) = (Arc::new(Mutex::new(out)), Arc::new(Mutex::new(err)));
        let product = Arc::clone(&out);
        let (unmasked, unprinted) = (Arc::default(), Arc::default());
        Self { out, err, product, register, unmasked, unprinted, coloured: false }
    }

    /// The process's own, in colours where standard output is a terminal. Once the run is cancelled, nobody is waited
    /// for who does not read.
    pub fn standard(register: Register, cancellation: Cancellation) -> Self {
        let coloured = io::stdout().is_terminal();
        let out = Outlet::new(io::stdout(), cancellation.clone());
        let err = Outlet::new(io::stderr(), cancellation);
        Self::new(Box::new(out), Box::new(err), register).coloured(coloured)
    }

    /// Buffers that can be read back: standard output, then standard error.
    pub fn captured(register: Register) -> (Self, Captured, Captured) {
        let (out, err) = (Captured::default(), Captured::default());
        (Self::new(Box::new(out.clone()), Box::new(err.clone()), register), out, err)
    }

    /// The same, with everything on standard error: under `exec` standard output is the child's.
    pub fn all_on_stderr(self) -> Self {
        Self { out: Arc::clone(&self.err), ..self }
    }

    /// The same, in colours or without.
    pub fn coloured(self, coloured: bool) -> Self {
        Self { coloured, ..self }
    }

    /// Every secret that is known.
    pub fn register(&self) -> &Register {
        &self.register
    }

    /// The text as it may be shown: one harmless line, without a known secret.
    pub fn shown<'a>(&self, text: &'a str) -> Cow<'a, str> {
        // Before, since a secret may itself hold what is made harmless; after, since that may bring one about.
        let harmless = |text: &str| match sanitize::line(text) {
            Cow::Borrowed(_) => None,
            Cow::Owned(line) => Some(self.register.redact(&line).into_owned()),
        };
        let redacted = self.register.redact(text);
        harmless(&redacted).map_or(redacted, Cow::Owned)
    }

    /// Prints a line of words. That it could not be printed is nobody's concern: there is no one left to read; but
    /// for what was asked for, see [`all_printed`](Self::all_printed).
    pub fn say(&self, stream: Stream, text: &str) {
        let _ = self.line(stream, &self.shown(text));
    }

    /// Prints what was asked for, each of its lines by itself made harmless.
    pub fn print(&self, text: &str) {
        let mut shown = String::with_capacity(text.len() + 1);
        for line in text.lines() {
            shown.push_str(&self.shown(line));
            shown.push('\n');
        }
        if !shown.is_empty() {
            let _ = self.write(Stream::Product, &shown);
        }
    }

    /// The same, one line in pieces, each in its colour where colours are wanted.
    pub fn print_coloured(&self, pieces: &[(Option<&str>, &str)]) {
        let line: String = pieces.iter().map(|(_, text)| *text).collect();
        let line = self.shown(&line);
        let shown: Vec<_> = pieces.iter().map(|(colour, text)| (colour, self.shown(text))).collect();
        // What only shows where two pieces meet is not coloured.
        let is_whole = shown.iter().map(|(_, text)| text.as_ref()).collect::<String>() == line;
        if !self.coloured || !is_whole {
            let _ = self.line(Stream::Product, &line);
            return;
        }
        let coloured = shown.iter().map(|(colour, text)| match colour {
            Some(colour) => format!("\u{1b}[{colour}m{text}\u{1b}[0m"),
            None => text.to_string(),
        });
        let _ = self.line(Stream::Product, &coloured.collect::<String>());
    }

    /// Prints a command of the host as it is. It must hold no line break.
    ///
    /// # Errors
    /// Any failure to write, because nobody reads any more, for example.
    pub fn command(&self, stream: Stream, command: &str) -> io::Result<()> {
        debug_assert!(!command.contains(['\r', '\n']), "a command is one line");
        self.line(stream, command)
    }

    /// Prints adopat's own text, like its help, on standard output as it is.
    pub fn print_plainly(&self, text: &str) {
        let _ = self.write(Stream::Product, text);
    }

    /// Whether what was asked for was printed whole. That nobody reads it to its end (`adopat list | head`) is no
    /// failure.
    ///
    /// # Errors
    /// That it was not.
    pub fn all_printed(&self) -> Result<(), Failure> {
        match &*lock(&self.unprinted) {
            None => Ok(()),
            Some(error) => Err(Failure::new(
                Exit::Store,
                format!("What was asked for could not be written to standard output: {error}."),
                "See that the place it goes to is writable and has space, and run it again.",
            )),
        }
    }

    /// Registers the forms of a secret, and prints on standard output the host's command that masks it, for each
    /// that was not registered before. One with a control character would not stand in a command as it is; its parts do.
    pub fn mask(&self, forms: Vec<Secret>, command: impl Fn(&str) -> Zeroizing<String>) {
        let in_a_line = |form: &Secret| !form.expose().contains(char::is_control);
        for form in self.register.add(forms).into_iter().filter(in_a_line) {
            if self.command(Stream::Out, &command(form.expose())).is_err() {
                self.unmasked.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Whether the host was told of every secret: otherwise none may be handed over to it.
    ///
    /// # Errors
    /// That it was not.
    pub fn all_masked(&self) -> Result<(), Failure> {
        if self.unmasked.load(Ordering::Relaxed) {
            return Err(Failure::new(
                Exit::Store,
                "The host could not be told to mask a secret: nothing reads standard output any more.",
                "Run it again, with adopat's standard output left to the host.",
            ));
        }
        Ok(())
    }

    fn line(&self, stream: Stream, line: &str) -> io::Result<()> {
        let mut whole = Zeroizing::new(String::with_capacity(line.len() + 1));
        whole.push_str(line);
        whole.push('\n');
        self.write(stream, &whole)
    }

    fn write(&self, stream: Stream, text: &str) -> io::Result<()> {
        let mut sink = match stream {
            Stream::Out => lock(&self.out),
            Stream::Err => lock(&self.err),
            Stream::Product => lock(&self.product),
        };
        let written = sink.write_all(text.as_bytes()).and_then(|()| sink.flush());
        match written {
            Err(error) if stream == Stream::Product && error.kind() != io::ErrorKind::BrokenPipe => {
                let told = io::Error::new(error.kind(), error.to_string());
                lock(&self.unprinted).get_or_insert(told);
                Err(error)
            }
            written => written,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Streams {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Streams")
    }
}

/// Traces go to standard error, each event as one line of words.
impl MakeWriter<'_> for Streams {
    type Writer = TraceEvent;

    fn make_writer(&self) -> TraceEvent {
        TraceEvent { streams: self.clone(), text: Vec::new() }
    }
}

/// One event of a trace; printed when it is dropped, because only then it is whole.
#[derive(Debug)]
pub struct TraceEvent {
    streams: Streams,
    text: Vec<u8>,
}

impl Write for TraceEvent {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for TraceEvent {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.text);
        let text = text.trim_end_matches(['\r', '\n']);
        if !text.is_empty() {
            self.streams.say(Stream::Err, text);
        }
    }
}

/// What was printed on a captured stream.
#[derive(Clone, Debug, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// All of it so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.0)).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::failing;

    fn streams(secret: &str) -> (Streams, Captured, Captured) {
        let register = Register::default();
        register.add(Secret::new(secret.to_owned()).forms());
        Streams::captured(register)
    }

    #[test]
    fn words_are_harmless_and_without_secrets() {
        let (streams, out, err) = streams("hunter2hunter2");
        streams.say(Stream::Out, "got hunter2hunter2\n##vso[task.complete result=Failed]");
        assert_eq!(out.text(), "got *** # #vso[task.complete result=Failed]\n");
        assert_eq!(err.text(), "");
    }

    #[test]
    fn a_secret_that_is_itself_a_command_is_redacted_all_the_same() {
        let (streams, out, _) = streams("pass##phrase");
        streams.say(Stream::Out, "<pass##phrase> <pass# #phrase>");
        assert_eq!(out.text(), "<***> <pass# #phrase>\n");
    }

    #[test]
    fn a_secret_that_only_shows_once_the_line_is_harmless_is_redacted() {
        let (streams, out, _) = streams("correct horse");
        streams.say(Stream::Out, "correct\nhorse");
        assert_eq!(out.text(), "***\n");
    }

    #[test]
    fn a_secret_that_spans_two_pieces_is_redacted_too() {
        let (streams, out, _) = streams("hunter2hunter2");
        let streams = streams.coloured(true);
        streams.print_coloured(&[(Some("32"), "ok hunter2"), (None, "hunter2 end")]);
        streams.print_coloured(&[(Some("32"), "hunter2hunter2"), (None, " end")]);
        assert_eq!(out.text(), "ok *** end\n\u{1b}[32m***\u{1b}[0m end\n");
    }

    #[test]
    fn a_command_goes_out_as_it_was_built() {
        let (streams, out, _) = streams("hunter2hunter2");
        streams.command(Stream::Out, "::add-mask::hunter2hunter2").expect("printed");
        assert_eq!(out.text(), "::add-mask::hunter2hunter2\n");
    }

    #[test]
    fn everything_can_go_to_standard_error() {
        let (streams, out, err) = streams("hunter2hunter2");
        let streams = streams.all_on_stderr();
        streams.say(Stream::Out, "words");
        streams.command(Stream::Out, "::debug::x").expect("printed");
        assert_eq!((out.text().as_str(), err.text().as_str()), ("", "words\n::debug::x\n"));
    }

    #[test]
    fn a_trace_is_one_redacted_line_on_standard_error() {
        let (streams, out, err) = streams("hunter2hunter2");
        let subscriber =
            tracing_subscriber::fmt().with_writer(streams).without_time().with_ansi(false).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(body = "hunter2hunter2", "answer\n##vso[task.x]\n::error::boom");
        });
        assert_eq!(out.text(), "");
        let text = err.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("body=\"***\""), "{text}");
        assert!(!text.contains("##"), "{text}");
    }

    #[test]
    fn what_was_asked_for_and_could_not_be_printed_is_told() {
        let streams = failing(io::ErrorKind::StorageFull);
        streams.say(Stream::Out, "words");
        streams.all_printed().expect("words alone are no loss");
        streams.say(Stream::Product, "[]");
        assert_eq!(streams.all_printed().expect_err("it is lost").exit, Exit::Store);
        let streams = failing(io::ErrorKind::StorageFull);
        streams.print_plainly("help");
        streams.all_printed().expect_err("it is lost");
    }

    #[test]
    fn that_nobody_reads_to_the_end_is_no_failure() {
        let streams = failing(io::ErrorKind::BrokenPipe);
        streams.say(Stream::Product, "[]");
        streams.all_printed().expect("it was printed as far as anybody read it");
    }

    #[test]
    fn a_closed_stream_is_an_error_for_a_command_alone() {
        let streams = failing(io::ErrorKind::BrokenPipe);
        streams.say(Stream::Out, "nobody reads this");
        streams.command(Stream::Out, "::debug::x").expect_err("nobody reads this");
    }
}
