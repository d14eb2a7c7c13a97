//! A small disk that can be full: a file system in memory, of a size of its own.

// Every program that uses it has its own part of this.
#![allow(dead_code)]

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// What `fill` writes at a time, from large to small, so that no byte is left.
const PIECES: [usize; 3] = [1 << 20, 4096, 1];

/// Mounted as root, or through sudo where that asks for no password; unmounted with this.
pub struct SmallDisk {
    dir: TempDir,
}

impl SmallDisk {
    /// A disk of so many bytes, in whole pages of 4 KiB.
    pub fn mount(bytes: u64) -> SmallDisk {
        let dir = TempDir::with_prefix("rookery-disk-").expect("a temporary folder");
        let size = format!("size={bytes},mode=0777");
        let mut command = as_root("mount");
        command.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path());
        let done = command.output().unwrap_or_else(|error| panic!("mount: {error}"));
        let why = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "a disk for tests is mounted as root or by sudo -n: {why}");
        SmallDisk { dir }
    }

    /// The folder that is the disk.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Takes all the room there is. Files keep what they have, and cannot grow.
    pub fn fill(&self) {
        self.fill_but(0);
    }

    /// Takes all the room but so many bytes.
    pub fn fill_but(&self, bytes: u64) {
        let open = File::options().create(true).append(true).open(self.ballast());
        let mut ballast = open.expect("a file on the disk");
        for piece in PIECES {
            let zeros = vec![0; piece];
            loop {
                match ballast.write(&zeros) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("the disk cannot be filled: {error}"),
                }
            }
        }
        let taken = ballast.metadata().expect("our file").len();
        ballast.set_len(taken.saturating_sub(bytes)).expect("a file can be cut");
    }

    /// Gives back what `fill` took.
    pub fn free(&self) {
        std::fs::remove_file(self.ballast()).expect("the disk was filled");
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that is about to end may still have a file open.
        let done = as_root("umount").arg("--lazy").arg(self.dir.path()).status();
        if !done.is_ok_and(|status| status.success()) {
            eprintln!("{} could not be unmounted", self.dir.path().display());
        }
    }
}

fn as_root(program: &str) -> Command {
    // SAFETY: a plain system call that cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["-n", program]);
    command
}
