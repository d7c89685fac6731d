//! What becomes of an account's frames between the books and its sockets: nothing, or one of the mischiefs of
//! `dhanhq-v2.md` section 13 (duplicates, wrong order, several envelopes in one text, silence). Pure.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Frames kept back for company go out alone after this much real time: a fault may not stop a day.
const PATIENCE: Duration = Duration::from_millis(500);

/// One order-update envelope as text, with what the frame record shows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) text: String,
    pub(crate) order: String,
    pub(crate) status: String,
}

/// How several envelopes share a text (`dhanhq-v2.md` section 5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinStyle {
    /// One object after another, nothing between.
    Concatenated,
    /// A JSON array of the objects.
    Array,
}

/// What a muted stream still does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mute {
    /// Everything: not muted.
    #[default]
    Off,
    /// Answers pings, delivers nothing; what happens meanwhile is never delivered.
    Frames,
    /// Nothing at all: pings stay unanswered too.
    Everything,
}

/// The mischief under way; a new one ends the one before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Mischief {
    #[default]
    None,
    /// Sends each of the next frames twice.
    Duplicate { left: u32 },
    /// Keeps the next frames and sends them last first.
    Reorder { want: usize },
    /// Keeps the next frames and sends them in one text.
    Join { want: usize, style: JoinStyle },
}

/// The way of one account's frames.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    mischief: Mischief,
    kept: Vec<Frame>,
    kept_since: Option<Instant>,
    pub(crate) mute: Mute,
}

impl Delivery {
    /// Duplicates the next frames. Answers with what was kept until now.
    pub(crate) fn duplicate(&mut self, frames: u32) -> Vec<Frame> {
        self.begin(Mischief::Duplicate { left: frames })
    }

    /// Turns round the next frames.
    pub(crate) fn reorder(&mut self, frames: u32) -> Vec<Frame> {
        self.begin(Mischief::Reorder { want: frames as usize })
    }

    /// Joins the next frames into one text.
    pub(crate) fn join(&mut self, frames: u32, style: JoinStyle) -> Vec<Frame> {
        self.begin(Mischief::Join { want: frames as usize, style })
    }

    /// Back to one object per text, in order.
    pub(crate) fn calm(&mut self) -> Vec<Frame> {
        self.mute = Mute::Off;
        self.begin(Mischief::None)
    }

    fn begin(&mut self, mischief: Mischief) -> Vec<Frame> {
        let kept = self.release();
        self.mischief = match mischief {
            Mischief::Duplicate { left: 0 }
            | Mischief::Reorder { want: 0 }
            | Mischief::Join { want: 0, .. } => Mischief::None,
            wanted => wanted,
        };
        kept
    }

    /// Takes the next frame of the account; answers with the texts to send now.
    pub(crate) fn offer(&mut self, frame: Frame, real: Instant) -> Vec<Frame> {
        if self.mute != Mute::Off {
            return Vec::new();
        }
        match &mut self.mischief {
            Mischief::None => vec![frame],
            Mischief::Duplicate { left } => {
                *left -= 1;
                if *left == 0 {
                    self.mischief = Mischief::None;
                }
                vec![frame.clone(), frame]
            }
            Mischief::Reorder { want } | Mischief::Join { want, .. } => {
                let full = self.kept.len() + 1 >= *want;
                self.kept.push(frame);
                self.kept_since.get_or_insert(real);
                if full { self.release() } else { Vec::new() }
            }
        }
    }

    /// Frames that waited too long for company.
    pub(crate) fn overdue(&mut self, real: Instant) -> Vec<Frame> {
        match self.kept_since {
            Some(since) if real.saturating_duration_since(since) >= PATIENCE => self.release(),
            _ => Vec::new(),
        }
    }

    /// Whether a frame is kept back.
    pub(crate) fn is_keeping(&self) -> bool {
        !self.kept.is_empty()
    }

    fn release(&mut self) -> Vec<Frame> {
        self.kept_since = None;
        let mut kept = std::mem::take(&mut self.kept);
        if kept.is_empty() {
            return kept;
        }
        match std::mem::take(&mut self.mischief) {
            Mischief::Reorder { .. } => {
                kept.reverse();
                kept
            }
            Mischief::Join { style, .. } => vec![joined(&kept, style)],
            Mischief::None | Mischief::Duplicate { .. } => kept,
        }
    }
}

fn joined(frames: &[Frame], style: JoinStyle) -> Frame {
    let column =
        |of: fn(&Frame) -> &str, between: &str| frames.iter().map(of).collect::<Vec<_>>().join(between);
    let text = match style {
        JoinStyle::Concatenated => column(|frame| &frame.text, ""),
        JoinStyle::Array => format!("[{}]", column(|frame| &frame.text, ",")),
    };
    Frame { text, order: column(|frame| &frame.order, " "), status: column(|frame| &frame.status, " ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(prepare: impl Fn(&mut Delivery), expect: &[&[&str]]) {
        let mut delivery = Delivery::default();
        prepare(&mut delivery);
        let real = Instant::now();
        let sent: Vec<Vec<String>> = ["{1}", "{2}", "{3}"]
            .iter()
            .map(|text| {
                let frame = Frame { text: (*text).to_owned(), order: String::new(), status: String::new() };
                delivery.offer(frame, real).into_iter().map(|frame| frame.text).collect()
            })
            .collect();
        assert_eq!(sent, expect.iter().map(|texts| texts.to_vec()).collect::<Vec<_>>());
        assert!(!delivery.is_keeping());
    }

    #[test]
    fn frames_go_out_as_they_come() {
        check(|_| {}, &[&["{1}"], &["{2}"], &["{3}"]]);
    }

    #[test]
    fn mischief_lasts_for_the_frames_asked_for() {
        check(|d| drop(d.duplicate(2)), &[&["{1}", "{1}"], &["{2}", "{2}"], &["{3}"]]);
        check(|d| drop(d.reorder(2)), &[&[], &["{2}", "{1}"], &["{3}"]]);
        check(|d| drop(d.join(2, JoinStyle::Concatenated)), &[&[], &["{1}{2}"], &["{3}"]]);
        check(|d| drop(d.join(3, JoinStyle::Array)), &[&[], &[], &["[{1},{2},{3}]"]]);
    }

    #[test]
    fn a_muted_stream_loses_its_frames() {
        check(|d| d.mute = Mute::Frames, &[&[], &[], &[]]);
    }

    #[test]
    fn a_frame_waits_for_company_only_so_long() {
        let mut delivery = Delivery::default();
        assert!(delivery.reorder(3).is_empty());
        let real = Instant::now();
        let frame = Frame { text: "{1}".to_owned(), order: String::new(), status: String::new() };
        assert!(delivery.offer(frame.clone(), real).is_empty());
        assert!(delivery.overdue(real).is_empty());
        assert_eq!(delivery.overdue(real + PATIENCE), vec![frame]);
    }
}
