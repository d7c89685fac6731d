//! What the daemon holds of the machine, as the kernel tells.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use crate::harness::Daemon;

/// How much larger than after the warm-up the memory may be: what is freed is not given back at once, and the caches of the
/// database fill to their bounds.
const GROWTH_PCT_MAX: u64 = 25;
const GROWTH_KB_MAX: u64 = 4 * 1024;
/// How many more files may be open that are no connections.
const FILES_MORE_MAX: usize = 10;
/// How many more connections: one is kept for the next request once it was opened, so there are as many as there ever were
/// requests at once. An account's pool holds no more than this many.
const SOCKETS_MORE_MAX: usize = 32;

/// Memory and open files at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vitals {
    resident_kb: u64,
    files: usize,
    sockets: usize,
}

impl fmt::Display for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kB resident, {} files, {} connections", self.resident_kb, self.files, self.sockets)
    }
}

impl Vitals {
    pub(crate) fn of(daemon: &Daemon) -> Self {
        let process = format!("/proc/{}", daemon.child.as_ref().unwrap().id());
        let status = fs::read_to_string(format!("{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        // One may be closed before it is looked at.
        let open: Vec<PathBuf> = fs::read_dir(format!("{process}/fd"))
            .unwrap()
            .filter_map(|file| fs::read_link(file.unwrap().path()).ok())
            .collect();
        let sockets = open.iter().filter(|file| file.to_string_lossy().starts_with("socket:")).count();
        Self {
            resident_kb: line.trim().trim_end_matches(" kB").parse().unwrap(),
            files: open.len() - sockets,
            sockets,
        }
    }

    #[track_caller]
    pub(crate) fn assert_flat_since(&self, warm: &Self) {
        let memory_max = warm.resident_kb * (100 + GROWTH_PCT_MAX) / 100 + GROWTH_KB_MAX;
        assert!(self.resident_kb <= memory_max, "memory grows: {self}; after the warm-up {warm}");
        assert!(
            self.files <= warm.files + FILES_MORE_MAX,
            "files stay open: {self}; after the warm-up {warm}"
        );
        assert!(
            self.sockets <= warm.sockets + SOCKETS_MORE_MAX,
            "connections stay open: {self}; after the warm-up {warm}"
        );
    }
}
