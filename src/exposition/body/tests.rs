use std::time::Duration;

use super::*;
use crate::config::{CollectorConfig, CollectorKind, NoOptions};
use crate::domain::{CustomerId, Target, Tenant, TenantId, TenantSource};

fn tenant(id: u128) -> Arc<TargetSnapshot> {
    let config = CollectorConfig {
        interval: Duration::from_secs(1),
        stale_after: Duration::from_secs(3),
        kind: CollectorKind::Directory(NoOptions),
    };
    Arc::new(TargetSnapshot {
        target: Target::Tenant(Arc::new(Tenant {
            customer_id: CustomerId::from_bits(1),
            tenant_id: TenantId::from_bits(id),
            customer_name: None,
            tenant_name: None,
            labels: [].into(),
            source: TenantSource::Config,
        })),
        collectors: vec![CollectorSnapshot::new(config)],
    })
}

/// The blocks that differ, as the metric and the number of its block.
fn changed(before: &[Vec<u64>], blocks: &Blocks) -> Vec<(String, usize)> {
    let columns = blocks.columns.iter().zip(before);
    let changed = columns.flat_map(|(column, before)| {
        let pairs = column.blocks.iter().zip(before).enumerate();
        let pairs = pairs.filter(|(_, (now, before))| now.hash != **before);
        pairs.map(|(index, _)| (column.row.family.name.to_string(), index))
    });
    changed.collect()
}

fn hashes(blocks: &Blocks) -> Vec<Vec<u64>> {
    let columns = blocks.columns.iter();
    let hashes = columns.map(|column| column.blocks.iter().map(|block| block.hash).collect());
    hashes.collect()
}

#[test]
fn a_poll_of_one_tenant_changes_only_blocks_that_it_is_in() {
    let mut snapshot = Snapshot {
        targets: (0..100).map(tenant).collect(),
        ..Snapshot::default()
    };
    let mut blocks = Blocks::default();
    let now = Timestamp::default();
    blocks.render(&snapshot, now);
    let before = hashes(&blocks);
    if let Some(target) = snapshot.targets.get_mut(30) {
        Arc::make_mut(target).collectors[0].polls += 1;
    }
    blocks.render(&snapshot, now);
    let polls = "avepoint_collector_polls_total".to_owned();
    assert_eq!(changed(&before, &blocks), [(polls, 2)]);
    let columns = blocks.columns.iter().filter(|column| column.has_changed);
    assert_eq!(columns.count(), 1);
    blocks.render(&snapshot, now);
    assert!(blocks.columns.iter().all(|column| !column.has_changed));
}
