//! The standard `process_*` metrics, read from `/proc` at each scrape. The `prometheus` crate has such a
//! collector too, but its processor time counts whole seconds only.

use std::sync::{Mutex, PoisonError};

use procfs::process::{LimitValue, Process};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge, IntGauge};

/// Collects the metrics of this process. Where they cannot be read there are none.
#[derive(Debug)]
pub struct ProcessMetrics {
    /// Two scrapes at once must not both add the time spent since the previous one.
    reading: Mutex<()>,
    cpu_seconds: Counter,
    open_fds: IntGauge,
    max_fds: IntGauge,
    virtual_memory: IntGauge,
    resident_memory: IntGauge,
    start_time: Gauge,
    threads: IntGauge,
}

impl ProcessMetrics {
    /// # Errors
    /// Never in practice: the names are valid.
    pub fn new() -> prometheus::Result<Self> {
        Ok(Self {
            reading: Mutex::default(),
            cpu_seconds: Counter::new(
                "process_cpu_seconds_total",
                "Total user and system CPU time in seconds.",
            )?,
            open_fds: IntGauge::new("process_open_fds", "Open file descriptors.")?,
            max_fds: IntGauge::new(
                "process_max_fds",
                "Maximum number of open file descriptors.",
            )?,
            virtual_memory: IntGauge::new(
                "process_virtual_memory_bytes",
                "Virtual memory in bytes.",
            )?,
            resident_memory: IntGauge::new(
                "process_resident_memory_bytes",
                "Resident memory in bytes.",
            )?,
            start_time: Gauge::new(
                "process_start_time_seconds",
                "Start time of the process in seconds since the Unix epoch.",
            )?,
            threads: IntGauge::new("process_threads", "Threads of the process.")?,
        })
    }

    fn read(&self) -> procfs::ProcResult<()> {
        let process = Process::myself()?;
        let stat = process.stat()?;
        let ticks = procfs::ticks_per_second() as f64;
        let cpu_seconds = (stat.utime + stat.stime) as f64 / ticks;
        self.cpu_seconds
            .inc_by((cpu_seconds - self.cpu_seconds.get()).max(0.0));
        self.virtual_memory.set(whole(stat.vsize));
        self.resident_memory
            .set(whole(stat.rss * procfs::page_size()));
        self.threads.set(stat.num_threads);
        let booted = procfs::boot_time_secs()? as f64;
        self.start_time.set(booted + stat.starttime as f64 / ticks);
        self.open_fds.set(whole(process.fd_count()? as u64));
        let most = match process.limits()?.max_open_files.soft_limit {
            LimitValue::Value(most) => whole(most),
            LimitValue::Unlimited => i64::MAX,
        };
        self.max_fds.set(most);
        Ok(())
    }

    fn metrics(&self) -> [&dyn Collector; 7] {
        [
            &self.cpu_seconds,
            &self.open_fds,
            &self.max_fds,
            &self.virtual_memory,
            &self.resident_memory,
            &self.start_time,
            &self.threads,
        ]
    }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Collector for ProcessMetrics {
    fn desc(&self) -> Vec<&Desc> {
        self.metrics()
            .into_iter()
            .flat_map(Collector::desc)
            .collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.read() {
            tracing::debug!(%error, "failed to read the process metrics");
            return Vec::new();
        }
        self.metrics()
            .into_iter()
            .flat_map(Collector::collect)
            .collect()
    }
}
