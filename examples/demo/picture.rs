//! The pictures of the README: what a log shows of a run, and what doctor says, for light and for dark pages.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use super::Story;

/// How many letters a line holds.
const WIDEST: usize = 112;
/// The size of a letter, and the height of a line, in pixels.
const LETTER: f64 = 7.83;
const LINE: usize = 20;
const MARGIN: usize = 16;

/// The colours of a page.
struct Colours {
    name: &'static str,
    paper: &'static str,
    frame: &'static str,
    text: &'static str,
    faint: &'static str,
    ok: &'static str,
    warning: &'static str,
    failed: &'static str,
}

/// GitHub's own, in its two themes.
const COLOURS: [Colours; 2] = [
    Colours {
        name: "light",
        paper: "#ffffff",
        frame: "#d1d9e0",
        text: "#1f2328",
        faint: "#59636e",
        ok: "#1a7f37",
        warning: "#9a6700",
        failed: "#d1242f",
    },
    Colours {
        name: "dark",
        paper: "#0d1117",
        frame: "#3d444d",
        text: "#f0f6fc",
        faint: "#9198a1",
        ok: "#3fb950",
        warning: "#d29922",
        failed: "#f85149",
    },
];

/// Writes every picture to `docs/pictures`, and says so.
pub fn draw_all(story: &Story) -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    let log = story.rotate.lines().chain([String::new()]).chain(story.exec.lines());
    let pictures = [
        ("log", "The log of two steps: every secret is ***", log.collect::<Vec<_>>()),
        ("doctor", "What doctor says of a job", story.doctor.lines().collect()),
    ];
    for (name, title, lines) in pictures {
        let lines: Vec<String> = lines.iter().map(|line| story.as_of_the_services(line)).collect();
        for colours in &COLOURS {
            let file = folder.join(format!("{name}-{}.svg", colours.name));
            let written = std::fs::create_dir_all(&folder)
                .and_then(|()| std::fs::write(&file, svg(title, &lines, colours)));
            if let Err(error) = written {
                eprintln!("{}: {error}", file.display());
                return ExitCode::FAILURE;
            }
            println!("{}", file.display());
        }
    }
    ExitCode::SUCCESS
}

fn svg(title: &str, lines: &[String], colours: &Colours) -> String {
    let lines: Vec<String> = lines.iter().flat_map(|line| wrapped(line)).collect();
    let width = (WIDEST as f64 * LETTER).ceil() as usize + 2 * MARGIN;
    let height = lines.len() * LINE + 2 * MARGIN;
    let Colours { paper, frame, text, .. } = colours;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\">\n<title>{}</title>\n<rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" \
         rx=\"8\" fill=\"{paper}\" stroke=\"{frame}\"/>\n<g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, \
         'DejaVu Sans Mono', monospace\" font-size=\"13\" fill=\"{text}\">\n",
        escaped(title),
        width - 1,
        height - 1,
    );
    for (row, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
        let y = MARGIN + row * LINE + 14;
        let length = line.chars().count() as f64 * LETTER;
        let _ = writeln!(
            svg,
            "<text x=\"{MARGIN}\" y=\"{y}\" textLength=\"{length:.1}\">{}</text>",
            coloured(line, colours)
        );
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// A word that says how a check ended is in its colour, a mask too, and what the host itself says is faint.
fn coloured(line: &str, colours: &Colours) -> String {
    let span = |colour: &str, text: &str| format!("<tspan fill=\"{colour}\">{}</tspan>", escaped(text));
    let words = [("ok ", colours.ok), ("warning ", colours.warning), ("Warning:", colours.warning)];
    let words = words.into_iter().chain([("failed ", colours.failed), ("skipped ", colours.faint)]);
    for (word, colour) in words {
        if let Some(rest) = line.strip_prefix(word) {
            return format!("{}{}", span(colour, word), escaped(rest));
        }
    }
    if line.starts_with("Run ") || line.starts_with("Starting: ") {
        return span(colours.faint, line);
    }
    let parts: Vec<String> = line.split("***").map(escaped).collect();
    parts.join(&span(colours.warning, "***"))
}

/// The line in pieces that fit; what follows the first is set in as far as the last column.
fn wrapped(line: &str) -> Vec<String> {
    let column = line.rfind("  ").map_or(4, |gap| gap + 2);
    let mut pieces = vec![String::new()];
    for word in line.split_inclusive(' ') {
        let last = pieces.last_mut().expect("one at least");
        if last.chars().count() + word.trim_end().chars().count() > WIDEST && !last.trim().is_empty() {
            pieces.push(format!("{:column$}{word}", ""));
        } else {
            last.push_str(word);
        }
    }
    pieces.iter().map(|piece| piece.trim_end().to_owned()).collect()
}

fn escaped(text: &str) -> String {
    // Spaces that stand for themselves: others are drawn as one.
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace(' ', "\u{a0}")
}
