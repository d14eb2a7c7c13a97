//! Compiles one file of librdkafka again, mended, and has it linked in place of the one in
//! `rdkafka-sys`.
//!
//! Every librdkafka up to 2.14 counts the partitions of an answer to a fetch whose leader has
//! changed, leaves out those that have no leader now, and keeps the count: what follows the last one
//! is memory that nobody wrote (confluentinc/librdkafka#5280). After a broker has hung for longer
//! than the controller waits for it, partitions are without a leader for a moment; instances then
//! crashed, or followed some partition no more.
//!
//! When librdkafka has it mended, this file and the dependencies on `rdkafka-sys` and `cc` go.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

/// Where the partitions of a topic have been told.
const BEFORE: &str = "                        changed_topic++;\n";
/// Their number is what was told.
const AFTER: &str = concat!(
    "                        md->topics[changed_topic].partition_cnt = changed_partition;\n",
    "                        changed_topic++;\n",
);
const FILE: &str = "rdkafka_fetcher.c";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=DEP_RDKAFKA_ROOT");
    let Some(root) = env::var_os("DEP_RDKAFKA_ROOT").map(PathBuf::from) else {
        println!("cargo:warning=librdkafka is not built here, and hangs of brokers may crash it");
        return Ok(());
    };
    let sources = root.join("src");
    let broken = fs::read_to_string(sources.join(FILE))?;
    if broken.matches(BEFORE).count() != 1 {
        return Err(format!("{FILE} of librdkafka is another one: see build.rs").into());
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mended = out.join(FILE);
    fs::write(&mended, broken.replacen(BEFORE, AFTER, 1))?;
    cc::Build::new()
        .file(&mended)
        .include(&sources)
        .opt_level(2)
        .warnings(false)
        .cargo_metadata(false)
        .try_compile("rookery_rdkafka_fetcher")?;
    println!("cargo:rustc-link-search=native={}", out.display());
    // As a whole, though nothing has asked for it yet: it has to be there before the other.
    println!("cargo:rustc-link-lib=static:+whole-archive=rookery_rdkafka_fetcher");
    Ok(())
}
