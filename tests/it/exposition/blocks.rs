//! What is kept compressed from one rendering to the next is always the exposition of now, and not much larger than it
//! has to be.

use std::sync::Arc;

use avepoint_exporter::exposition::{Blocks, Body, Format, Packed, gzip, render};
use avepoint_exporter::snapshot::{Snapshot, TargetSnapshot};
use fastrand::Rng;

use super::forms;
use super::snapshots::{NOW, at, golden, tenant};

/// This many tenants, each with all that the golden one has.
fn fleet(tenants: usize, random: &mut Rng) -> Snapshot {
    let golden = golden();
    let full = golden.targets.iter().max_by_key(|one| one.collectors.len());
    let full = full.unwrap();
    let tenants = (0..tenants).map(|_| {
        let id = random.u128(..);
        let name = format!("{}.onmicrosoft.com", random.u32(..));
        Arc::new(TargetSnapshot {
            target: tenant(id, &name, &name, []),
            ..TargetSnapshot::clone(full)
        })
    });
    Snapshot {
        targets: tenants.collect(),
        ..Snapshot::default()
    }
}

#[test]
fn blocks_that_are_kept_are_those_that_would_be_made_now() {
    let mut random = Rng::with_seed(1);
    let mut snapshot = fleet(70, &mut random);
    snapshot.targets.extend(golden().targets);
    snapshot.discovered = golden().discovered;
    let (mut blocks, mut now) = (Blocks::default(), NOW);
    for step in 0..40 {
        // Figures become stale after 900 s and more, and fresh again where the clock is put back.
        now += f64::from(random.i32(-600..=900));
        for _ in 0..random.usize(0..3) {
            let index = random.usize(..snapshot.targets.len());
            let target = Arc::make_mut(&mut snapshot.targets[index]);
            let collector = random.usize(..target.collectors.len());
            let collector = &mut target.collectors[collector];
            collector.polls += 1;
            if let Some(figures) = &mut collector.figures {
                figures.at = at(now);
            }
        }
        match step % 8 {
            3 => drop(
                snapshot
                    .targets
                    .remove(random.usize(..snapshot.targets.len())),
            ),
            5 => snapshot.gone.extend(snapshot.targets.pop()),
            7 => snapshot.targets.extend(fleet(3, &mut random).targets),
            _ => random.shuffle(&mut snapshot.targets),
        }
        let body = blocks.render(&snapshot, at(now));
        let [text, open_metrics] = forms(&body);
        assert!(text == render(&snapshot, at(now)), "step {step}");
        let [_, new] = forms(&Body::new(&snapshot, at(now)));
        assert!(open_metrics == new, "step {step}");
    }
}

#[test]
fn a_fleet_that_is_listed_in_another_order_gives_the_same_bytes() {
    let mut random = Rng::with_seed(2);
    let mut snapshot = fleet(70, &mut random);
    let sent = |snapshot: &Snapshot| {
        let body = Body::new(snapshot, at(NOW));
        Format::ALL.map(|format| gzip([body.form(format)]).concat())
    };
    let first = sent(&snapshot);
    random.shuffle(&mut snapshot.targets);
    assert!(sent(&snapshot) == first);
}

#[test]
fn blocks_are_at_most_a_third_larger_than_one_stream() {
    for tenants in [3, 40, 120, 250] {
        let snapshot = fleet(tenants, &mut Rng::with_seed(3));
        let body = Body::new(&snapshot, at(NOW));
        for format in Format::ALL {
            let blocks = body.form(format);
            let stream = Packed::new(&blocks.text());
            let ratio = blocks.len() as f64 / stream.len() as f64;
            assert!(ratio <= 1.3, "{tenants} tenants, {format:?}: {ratio}");
        }
    }
}
