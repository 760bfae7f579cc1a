//! How panes share a window: tmux's layouts, layout strings, and what a pane's `size` comes to.

use std::fmt;

/// tmux's layouts by name.
pub const LAYOUTS: [&str; 5] =
    ["even-horizontal", "even-vertical", "main-horizontal", "main-vertical", "tiled"];

/// What counts where panes have no layout: one above the other.
pub const DEFAULT: &str = "even-vertical";

/// Cells of a window that nobody looks at, as gt makes them: columns and rows.
pub const CELLS: (usize, usize) = (200, 50);

/// How large a pane is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Of the window, 1 to 99.
    Percent(usize),
    /// Columns or rows.
    Cells(usize),
}

impl Size {
    /// `30%` or `12`.
    pub fn parse(text: &str) -> Option<Size> {
        let number =
            |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        match text.strip_suffix('%') {
            Some(percent) => number(percent).filter(|n| (1..100).contains(n)).map(Size::Percent),
            None => number(text).filter(|n| (1..=10_000).contains(n)).map(Size::Cells),
        }
    }

    fn of(self, all: usize) -> usize {
        match self {
            Size::Percent(percent) => (all * percent + 50) / 100,
            Size::Cells(cells) => cells,
        }
        .max(1)
    }
}

/// One direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Columns, tmux's `-x`.
    X,
    /// Rows, tmux's `-y`.
    Y,
}

/// One pane of a window, by number, made so large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resize {
    /// The pane, from 0.
    pub pane: usize,
    /// Which way.
    pub axis: Axis,
    /// Columns or rows.
    pub cells: usize,
    /// What that is of the window, whatever its size.
    pub part: PaneShare,
}

/// How much of a window a pane has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaneShare {
    /// What it was given.
    Own(Size),
    /// Its share of what the others leave.
    Rest {
        /// Percent of the window that others were given.
        percent: usize,
        /// Cells that others were given, and those of the borders.
        cells: usize,
        /// Who shares.
        among: usize,
    },
}

/// Whether sizes mean something in a layout: not where it says all places itself.
pub fn takes_sizes(layout: Option<&str>) -> bool {
    !matches!(layout.unwrap_or(DEFAULT), "tiled") && LAYOUTS.contains(&layout.unwrap_or(DEFAULT))
}

/// What makes panes as large as they are to be, once the layout stands, in this order. A pane has its size along the
/// border that it shares with its neighbours: in columns where panes stand side by side, in rows where one is above
/// the other; the main pane against all others. Panes without a size share the rest.
pub fn resizes(layout: Option<&str>, sizes: &[Option<Size>], window: (usize, usize)) -> Vec<Resize> {
    if sizes.len() < 2 || sizes.iter().all(Option::is_none) || !takes_sizes(layout) {
        return Vec::new();
    }
    let (x, y) = ((Axis::X, window.0), (Axis::Y, window.1));
    let (across, along) = match layout.unwrap_or(DEFAULT) {
        "even-horizontal" => return row(0, sizes, x),
        "main-vertical" => (x, y),
        "main-horizontal" => (y, x),
        _ => return row(0, sizes, y),
    };
    if sizes.len() == 2 {
        return row(0, sizes, across);
    }
    let main = sizes[0].map(|size| Resize {
        pane: 0,
        axis: across.0,
        cells: size.of(across.1),
        part: PaneShare::Own(size),
    });
    let mut resizes: Vec<Resize> = main.into_iter().collect();
    if sizes[1..].iter().any(Option::is_some) {
        resizes.extend(row(1, &sizes[1..], along));
    }
    resizes
}

/// Panes in a row, from the pane `first`: all but the last are set, each moves the border to the next.
fn row(first: usize, sizes: &[Option<Size>], (axis, all): (Axis, usize)) -> Vec<Resize> {
    let free = all.saturating_sub(sizes.len() - 1);
    let taken: usize = sizes.iter().flatten().map(|size| size.of(all)).sum();
    let others = sizes.iter().filter(|size| size.is_none()).count();
    let share = (free.saturating_sub(taken) / others.max(1)).max(1);
    let given = |part: fn(Size) -> usize| sizes.iter().flatten().map(|size| part(*size)).sum::<usize>();
    let rest = PaneShare::Rest {
        percent: given(|size| if let Size::Percent(percent) = size { percent } else { 0 }),
        cells: sizes.len() - 1 + given(|size| if let Size::Cells(cells) = size { cells } else { 0 }),
        among: others.max(1),
    };
    let resize = |(number, size): (usize, &Option<Size>)| Resize {
        pane: first + number,
        axis,
        cells: size.map_or(share, |size| size.of(all)),
        part: size.map_or(rest, PaneShare::Own),
    };
    let mut resizes: Vec<Resize> = sizes.iter().enumerate().map(resize).collect();
    resizes.pop();
    resizes
}

/// Why a text is no layout string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokenLayout {
    /// It is neither a name nor of a layout string's form.
    Form,
    /// Its first four digits do not belong to the rest: it was edited.
    Sum,
}

impl fmt::Display for BrokenLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BrokenLayout::Form => "is no layout of tmux",
            BrokenLayout::Sum => {
                "is no layout string that tmux takes: its first four digits do not fit the rest"
            }
        })
    }
}

/// How many panes a layout string (`#{window_layout}`) places.
///
/// # Errors
/// When it is none.
pub fn count(layout: &str) -> Result<usize, BrokenLayout> {
    let (sum, body) = layout.split_once(',').ok_or(BrokenLayout::Form)?;
    let digits = sum.len() == 4 && sum.bytes().all(|b| b.is_ascii_hexdigit());
    if !digits {
        return Err(BrokenLayout::Form);
    }
    let mut cells = Cells { rest: body, panes: 0 };
    if cells.cell(0).is_none() || !cells.rest.is_empty() {
        return Err(BrokenLayout::Form);
    }
    match u16::from_str_radix(sum, 16) {
        Ok(said) if said == checksum(body) => Ok(cells.panes),
        _ => Err(BrokenLayout::Sum),
    }
}

/// tmux's own sum over a layout.
pub fn checksum(body: &str) -> u16 {
    body.bytes().fold(0_u16, |sum, byte| sum.rotate_right(1).wrapping_add(u16::from(byte)))
}

/// Windows this deep are no windows.
const DEEPEST: usize = 64;

struct Cells<'t> {
    rest: &'t str,
    panes: usize,
}

impl Cells<'_> {
    /// `WxH,X,Y` and then `,ID`, `{…}` or `[…]`.
    fn cell(&mut self, depth: usize) -> Option<()> {
        self.number()?;
        self.mark('x')?;
        for _ in 0..2 {
            self.number()?;
            self.mark(',')?;
        }
        self.number()?;
        let close = match self.rest.chars().next() {
            Some('{') => '}',
            Some('[') => ']',
            _ => {
                self.panes += 1;
                self.id();
                return Some(());
            }
        };
        self.rest = &self.rest[1..];
        loop {
            (depth < DEEPEST).then(|| self.cell(depth + 1)).flatten()?;
            if self.mark(',').is_none() {
                return self.mark(close);
            }
        }
    }

    /// The pane's id may follow; a width (`80x…`) that follows begins the next cell.
    fn id(&mut self) {
        if let Some(after) = self.rest.strip_prefix(',') {
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            if digits > 0 && !after[digits..].starts_with('x') {
                self.rest = &after[digits..];
            }
        }
    }

    fn number(&mut self) -> Option<()> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        self.rest = &self.rest[digits..];
        (1..6).contains(&digits).then_some(())
    }

    fn mark(&mut self, mark: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(mark)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(layout: Option<&str>, sizes: &[&str]) -> Vec<(usize, Axis, usize)> {
        let sizes: Vec<_> = sizes.iter().map(|size| Size::parse(size)).collect();
        resizes(layout, &sizes, CELLS).iter().map(|r| (r.pane, r.axis, r.cells)).collect()
    }

    #[test]
    fn sizes_count_along_the_shared_border() {
        assert_eq!(set(None, &["", "30%"]), [(0, Axis::Y, 34)]);
        assert_eq!(set(Some("even-horizontal"), &["20", "", ""]), [(0, Axis::X, 20), (1, Axis::X, 89)]);
        assert_eq!(set(Some("main-vertical"), &["", "30%"]), [(0, Axis::X, 139)]);
        assert_eq!(set(Some("main-vertical"), &["60%", "10", ""]), [(0, Axis::X, 120), (1, Axis::Y, 10)]);
        assert_eq!(set(Some("main-horizontal"), &["30%", "", ""]), [(0, Axis::Y, 15)]);
        assert_eq!(set(Some("tiled"), &["30%", ""]), []);
        assert_eq!(set(None, &["", ""]), []);
        assert_eq!(set(None, &["90%", "90%", ""]), [(0, Axis::Y, 45), (1, Axis::Y, 45)]);
    }

    #[test]
    fn sizes_are_percent_or_cells() {
        assert_eq!(Size::parse("30%"), Some(Size::Percent(30)));
        assert_eq!(Size::parse("12"), Some(Size::Cells(12)));
        for wrong in ["", "0", "0%", "100%", "-3", "+3", "3.5%", "30 %", "wide", "99999999999999999999"] {
            assert_eq!(Size::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn layout_strings_are_counted() {
        assert_eq!(count("4fc3,200x50,0,0[200x24,0,0,0,200x15,0,25,1,200x9,0,41,2]"), Ok(3));
        assert_eq!(count("51db,200x50,0,0[200x34,0,0,3,200x15,0,35,4]"), Ok(2));
        assert_eq!(count("51dc,200x50,0,0[200x34,0,0,3,200x15,0,35,4]"), Err(BrokenLayout::Sum));
        for wrong in
            ["main-vertcal", "51db,200x50,0,0[200x34,0,0,3", "", ",", "51db,", "51db,a", "zzzz,1x1,0,0"]
        {
            assert_eq!(count(wrong), Err(BrokenLayout::Form), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[0-9a-f]{4},[0-9x,{}\\[\\]]{0,60}", sizes in prop::collection::vec("[0-9]{0,4}%?", 0..6)) {
            let _ = count(&text);
            let sizes: Vec<_> = sizes.iter().map(|size| Size::parse(size)).collect();
            for layout in LAYOUTS {
                prop_assert!(resizes(Some(layout), &sizes, CELLS).len() <= sizes.len());
            }
        }
    }
}
