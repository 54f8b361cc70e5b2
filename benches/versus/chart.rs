//! The figures as a picture: a group of bars for each operation, a panel for each figure. The scale is logarithmic,
//! since a list of 10,000 takes a hundred times what a rotation does.

use std::fmt::Write as _;
use std::time::Duration;

use super::Cell;
use super::measure::Taken;
use super::stage::{LATENCY, Operation};
use super::table::{cell, mebibytes, milliseconds, times};

const WIDTH: u32 = 900;
/// Where bars begin, and how long the longest is.
const LEFT: u32 = 190;
const LONGEST: f64 = 540.0;
const BAR: u32 = 15;
/// In the order of the tables: blue for adopat, then what can be told apart by everybody (Okabe and Ito's palette).
const CONTENDERS: [(&str, &str); 4] =
    [("adopat", "#0072b2"), ("Python", "#e69f00"), ("Node", "#009e73"), ("curl + jq", "#999999")];
const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#1f2328}.t{font-size:15px;font-weight:600}\
    .e{text-anchor:end}.b{fill:#fff}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.b{fill:#0d1117}}";

/// What a panel shows, and how.
struct Panel {
    title: &'static str,
    latency: Duration,
    figure: fn(&Taken) -> f64,
    in_words: fn(&Taken) -> String,
}

/// The whole picture, as SVG.
pub fn draw(cells: &[Cell]) -> String {
    let panels = [
        Panel {
            title: "CPU time (no latency)",
            latency: Duration::ZERO,
            figure: |taken| taken.cpu.as_secs_f64(),
            in_words: |taken| milliseconds(taken.cpu),
        },
        Panel {
            title: "Time from start to end, at 50 ms a request",
            latency: LATENCY,
            figure: |taken| taken.wall.as_secs_f64(),
            in_words: |taken| milliseconds(taken.wall),
        },
        Panel {
            title: "Peak memory",
            latency: Duration::ZERO,
            figure: |taken| taken.peak as f64,
            in_words: |taken| mebibytes(taken.peak),
        },
    ];
    let mut drawn = String::new();
    let mut y = 20;
    for panel in &panels {
        y = draw_panel(&mut drawn, cells, panel, y);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" role=\"img\">\n\
         <title>adopat beside Python, Node and curl + jq; shorter is better, the scale is logarithmic</title>\n\
         <style>{STYLE}</style>\n<rect class=\"b\" width=\"{WIDTH}\" height=\"{y}\"/>\n{drawn}</svg>\n"
    )
}

/// Draws a panel with its top at `y`; returns where the next one begins.
fn draw_panel(drawn: &mut String, cells: &[Cell], panel: &Panel, top: u32) -> u32 {
    let value = |operation, contender| {
        let taken = &cell(cells, operation, panel.latency, contender).taken;
        ((panel.figure)(taken), (panel.in_words)(taken))
    };
    let all =
        Operation::ALL.iter().flat_map(|operation| CONTENDERS.map(|(name, _)| value(*operation, name).0));
    let (least, most) =
        all.fold((f64::MAX, 0.0_f64), |(least, most), figure| (least.min(figure), most.max(figure)));
    // The shortest bar is still one: the scale begins at half of it.
    let length = |figure: f64| (figure / (least / 2.0)).ln() / (most / (least / 2.0)).ln() * LONGEST;
    let mut y = top + 12;
    let _ = writeln!(
        drawn,
        "<text class=\"t\" x=\"16\" y=\"{y}\">{}; shorter is better, the scale is logarithmic</text>",
        panel.title
    );
    y += 14;
    for operation in Operation::ALL {
        let middle = y + BAR * 2 + 4;
        let _ = writeln!(drawn, "<text class=\"e\" x=\"100\" y=\"{middle}\">{}</text>", operation.title());
        let (ours, _) = value(operation, "adopat");
        for (name, colour) in CONTENDERS {
            let (figure, words) = value(operation, name);
            let (length, base) = (length(figure), y + BAR - 4);
            let ratio = if name == "adopat" { String::new() } else { format!(" ({})", times(figure / ours)) };
            let _ = writeln!(
                drawn,
                "<text class=\"e\" x=\"{}\" y=\"{base}\">{name}</text>\
                 <rect x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"{}\" fill=\"{colour}\"/>\
                 <text x=\"{:.1}\" y=\"{base}\">{words}{ratio}</text>",
                LEFT - 8,
                BAR - 2,
                f64::from(LEFT) + length + 6.0
            );
            y += BAR;
        }
        y += 10;
    }
    y + 20
}
