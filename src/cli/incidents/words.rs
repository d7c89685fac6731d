//! An incident for people: its name, since when and how it ends, what happened.

use tandem_actors::incident_kinds::ending;
use tandem_actors::store::IncidentStory;
use tandem_domain::time::Timestamp;

pub(super) fn story(IncidentStory { incident, closed_at, note }: &IncidentStory) -> String {
    let since = time(incident.opened_at);
    let end = match (closed_at, note) {
        (None, _) => format!("open since {since} IST; ends {}", ending(&incident.kind).words()),
        (Some(closed), None) => format!("{since} to {} IST", time(*closed)),
        (Some(closed), Some(note)) if note.is_empty() => {
            format!("{since} to {} IST, closed by an operator", time(*closed))
        }
        (Some(closed), Some(note)) => {
            format!("{since} to {} IST, closed by an operator: {note}", time(*closed))
        }
    };
    format!("{}\n  {end}\n  {}\n", incident.id, incident.text)
}

fn time(at: Timestamp) -> String {
    at.ist().format("%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use tandem_actors::store::IncidentRow;

    use super::*;

    #[test]
    fn an_incident_says_how_it_ends_or_how_it_ended() {
        let at = |seconds: i64| Timestamp::from_micros(1_796_099_400_000_000 + seconds * 1_000_000);
        let open = IncidentStory {
            incident: IncidentRow {
                id: "2026-12-01/slippage/asha/7".into(),
                opened_at: at(0),
                kind: "slippage".into(),
                follower: None,
                instrument: None,
                text: "65 units cost 20.00 rupees more".to_owned(),
            },
            closed_at: None,
            note: None,
        };
        assert_eq!(
            story(&open),
            "2026-12-01/slippage/asha/7\n  open since 12-01 10:00:00 IST; ends by `tandem incidents close`\n  65 units cost \
             20.00 rupees more\n"
        );
        let closed = IncidentStory { closed_at: Some(at(9)), ..open };
        assert!(story(&closed).contains("\n  12-01 10:00:00 to 12-01 10:00:09 IST\n"));
        let by_hand = IncidentStory { note: Some("seen".to_owned()), ..closed };
        assert!(story(&by_hand).contains("10:00:09 IST, closed by an operator: seen\n"));
    }
}
