//! The targets of `make fuzz`, without a fuzzer: over their seeds, over what one has found, and over mutations of both.

use std::{
    fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
};

#[path = "../../fuzz/targets.rs"]
mod targets;

use targets::TARGETS;

const MUTATIONS: u32 = 1_000;

fn inputs(folder: &str, target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder).join(target);
    let Ok(files) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

/// The same numbers in each run: xorshift (Marsaglia, 2003).
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % end.max(1)
    }

    /// A few bytes changed, taken away, repeated, or brought from another input.
    fn mutated(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = inputs[self.below(inputs.len())].clone();
        for _ in 0..=self.below(4) {
            let from = self.below(bytes.len());
            let to = (from + self.below(12)).min(bytes.len());
            match self.below(5) {
                0 if from < bytes.len() => bytes[from] = u8::try_from(self.below(256)).unwrap(),
                1 => drop(bytes.drain(from..to)),
                2 => {
                    let piece = bytes[from..to].to_vec();
                    bytes.splice(to..to, piece);
                }
                3 if from < bytes.len() => bytes[from] = b"\n\r:;,=\"\\09Z-+TP|\xFF"[self.below(17)],
                _ => {
                    let other = &inputs[self.below(inputs.len())];
                    let start = self.below(other.len());
                    let end = (start + self.below(40)).min(other.len());
                    bytes.splice(from..to, other[start..end].iter().copied());
                }
            }
        }
        bytes
    }
}

/// Runs a target over its seeds, over what was found, and over mutations of both.
fn attack(name: &str) {
    let (_, target) = TARGETS.into_iter().find(|(target, _)| *target == name).unwrap();
    let mut known = inputs("seeds", name);
    assert!(!known.is_empty(), "{name} has no seeds");
    known.extend(inputs("regressions", name));
    for (file, bytes) in &known {
        assert!(catch_unwind(|| target(bytes)).is_ok(), "{}", file.display());
    }
    let known: Vec<Vec<u8>> = known.into_iter().map(|(_, bytes)| bytes).collect();
    let mut numbers = Xorshift(0x5EED_0F1C_A11E_4DA5);
    for _ in 0..MUTATIONS {
        let bytes = numbers.mutated(&known);
        assert!(catch_unwind(|| target(&bytes)).is_ok(), "{name}: {:?}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn any_bytes_are_read_or_refused() {
    attack("reader");
}

#[test]
fn any_zone_is_evaluated_or_given_up() {
    attack("zones");
}

#[test]
fn any_series_is_expanded_or_given_up() {
    attack("recurrence");
}

#[test]
fn any_event_is_written_so_that_it_is_read() {
    attack("writer");
}
